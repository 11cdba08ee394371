// Where a request comes from, and so where its answer goes. RADIUS is the only kind there is; another one is a member of
// this union, a case in each function below and in what sends the answers (functions/decide/messages.ts).
import type { Endpoint } from './endpoint.ts';
import type { Packet } from './radius/packet.ts';

/** A client as a relay knows it: its name in the site file, and the address and port that it sent from. */
export interface RadiusClient extends Endpoint {
  readonly name: string;
}

/** A CoA-Request or Disconnect-Request that a relay has verified. */
export interface RadiusOrigin {
  readonly kind: 'radius';
  /** The relay that took it on. Absent where that relay is one of 0.1.0, which did not say. */
  readonly relay?: string;
  readonly client: RadiusClient;
  /** The octets as they came, base64. The relay takes Identifier, authenticator, State and Proxy-State of the reply
   * from them, and finds the secret to sign with. */
  readonly packet: string;
  /** Address and port of the client, Identifier and Request Authenticator: equal for byte-identical repeats. */
  readonly key: string;
  /** Whether an Event-Timestamp tells one request from the next with the same content (RFC 5176 section 6.3). */
  readonly timestamped: boolean;
}

export type Origin = RadiusOrigin;

/** Who asked, for people: what the history of a session keeps of an origin. */
export type Asker = Pick<RadiusOrigin, 'kind' | 'client'>;

/** The origin of a verified RADIUS request. `timestamped` as in `RadiusOrigin`. */
export function radiusOrigin(
  packet: Packet,
  { relay, client, timestamped }: Pick<RadiusOrigin, 'relay' | 'client' | 'timestamped'>,
): RadiusOrigin {
  const authenticator = Buffer.from(packet.authenticator).toString('hex');
  return {
    kind: 'radius',
    ...(relay !== undefined && { relay }),
    client,
    packet: Buffer.from(packet.bytes).toString('base64'),
    key: `${client.address} ${client.port} ${packet.identifier} ${authenticator}`,
    timestamped,
  };
}

/** What is equal for two sendings of the same request, and hardly ever for two requests. */
export function repeatKeyOf(origin: Origin): string {
  return origin.key;
}

/** Whether the same key always means the same request. If not, it may mean a new one once something has changed. */
export function isUniqueRequest(origin: Origin): boolean {
  return origin.timestamped;
}

export function askerOf({ kind, client }: Origin): Asker {
  return { kind, client };
}
