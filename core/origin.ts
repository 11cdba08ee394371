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
  /**
   * The Request Authenticator, in hexadecimal. All octets of the request and the secret of its client are in it (RFC 5176 section
   * 2.3), so it is equal for byte-identical requests of one client, from whatever address and port.
   */
  readonly key: string;
  /** Whether it has an Event-Timestamp, which tells a new request from a repeat (RFC 5176 section 6.3). */
  readonly timestamped: boolean;
  /** The Event-Timestamp, seconds since 1970-01-01 UTC. Absent also in requests from before it was kept. */
  readonly eventAtSeconds?: number;
}

/** Where a request comes from. */
export type Origin = RadiusOrigin;

/** The part of an origin that history keeps: who asked. */
export type Asker = Pick<RadiusOrigin, 'kind' | 'client'>;

/** The origin of a verified RADIUS request. */
export function radiusOrigin(
  packet: Packet,
  { relay, client, eventAtSeconds }: Pick<RadiusOrigin, 'relay' | 'client' | 'eventAtSeconds'>,
): RadiusOrigin {
  return {
    kind: 'radius',
    ...(relay !== undefined && { relay }),
    client,
    packet: Buffer.from(packet.bytes).toString('base64'),
    key: Buffer.from(packet.authenticator).toString('hex'),
    timestamped: eventAtSeconds !== undefined,
    ...(eventAtSeconds !== undefined && { eventAtSeconds }),
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

/**
 * No relay takes a packet for current whose Event-Timestamp is further from its clock than this (RFC 5176 section 6.3): the most
 * that a site file may have as `eventTimestampWindowSeconds`. Answers are kept for so long that no replay is carried out.
 */
export const MAX_EVENT_TIMESTAMP_WINDOW_SECONDS = 3_600;

/** When a client says that it made a request, and which client: what tells an old request from a new one. */
export interface Stamp {
  /** Its name in the site file. */
  readonly client: string;
  /** Event-Timestamp, seconds since 1970-01-01 UTC. */
  readonly atSeconds: number;
}

/** The Event-Timestamp of a request; undefined where it has none. */
export function stampOf({ client, eventAtSeconds }: Origin): Stamp | undefined {
  return eventAtSeconds === undefined ? undefined : { client: client.name, atSeconds: eventAtSeconds };
}

/** Who asked, from the origin of a request. */
export function askerOf({ kind, client }: Origin): Asker {
  return { kind, client };
}
