// Where a request comes from, and so where its answer goes. RADIUS is the only kind so far. Another kind needs a member
// of the union `Origin`, a case in each function below, and one in functions/shared/effects.ts, which sends the
// answers.
import type { Endpoint } from './endpoint.ts';
import type { Packet } from './radius/packet.ts';

/** A client: its name in the site file, and the address and port that it sent from. */
export interface RadiusClient extends Endpoint {
  readonly name: string;
}

/** A CoA-Request or Disconnect-Request that a relay has verified. */
export interface RadiusOrigin {
  readonly kind: 'radius';
  /** The relay that received it. Absent if that relay is one of 0.1.0. */
  readonly relay?: string;
  readonly client: RadiusClient;
  /**
   * The packet's octets, base64. The relay makes the reply from its Identifier, Request Authenticator, State and
   * Proxy-State, and signs it with the secret that verifies the packet.
   */
  readonly packet: string;
  /** Address and port of the client, Identifier and Request Authenticator: equal for byte-identical requests. */
  readonly key: string;
  /** Whether it has an Event-Timestamp, which tells a new request from a repeat (RFC 5176 section 6.3). */
  readonly timestamped: boolean;
}

/** Where a request comes from. */
export type Origin = RadiusOrigin;

/** The part of an origin that history keeps: who asked. */
export type Asker = Pick<RadiusOrigin, 'kind' | 'client'>;

/** The origin of a verified RADIUS request. */
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

/** A key that a repeat shares with its request. Two different requests hardly ever share one. */
export function repeatKeyOf(origin: Origin): string {
  return origin.key;
}

/**
 * Whether an equal key always means a repeat. If not, it means a new request once the session's version has
 * changed.
 */
export function isUniqueRequest(origin: Origin): boolean {
  return origin.timestamped;
}

/** Who asked, from the origin of a request. */
export function askerOf({ kind, client }: Origin): Asker {
  return { kind, client };
}
