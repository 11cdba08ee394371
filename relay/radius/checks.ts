// The checks that a datagram has to pass to be a request. One that fails is discarded without a reply (RFC 5176 sections
// 2.3 and 6.3): a NAK would show an attacker that a server listens here.
import { ATTRIBUTES } from '../../core/radius/attributes.ts';
import { type RequestFailure, type Secret, verifyRequest } from '../../core/radius/authenticator.ts';
import { CODE, type Packet, type ParseFailure, parsePacket } from '../../core/radius/packet.ts';
import type { Client } from '../site/clients.ts';

/** Why a datagram is no request of its client. */
export type AuthenticationFailure = 'unknown-source' | ParseFailure | 'unexpected-code' | RequestFailure;
/** Why a datagram is discarded. */
export type CheckFailure =
  | AuthenticationFailure
  | 'missing-event-timestamp'
  | 'malformed-event-timestamp'
  | 'stale-event-timestamp';

/** A request that `client` signed with `secret`. */
export interface AuthenticRequest {
  readonly ok: true;
  readonly client: Client;
  readonly packet: Packet;
  readonly secret: Secret;
}

interface Failure<Reason> {
  readonly ok: false;
  readonly reason: Reason;
}

/**
 * All checks of RFC 5176 section 6.3. `client` is the client with the source address; undefined when there is none. An
 * Event-Timestamp may differ from the wall time `nowMs` by `windowSeconds`, to either side.
 */
export function checkRequest(
  datagram: Uint8Array,
  client: Client | undefined,
  nowMs: number,
  windowSeconds: number,
): AuthenticRequest | Failure<CheckFailure> {
  const request = authenticate(datagram, client);
  if (!request.ok) return request;
  const reason = checkEventTimestamp(request, nowMs, windowSeconds);
  return reason === undefined ? request : { ok: false, reason };
}

/**
 * Checks that `datagram` is a CoA-Request or Disconnect-Request of `client` (RFC 5176 section 2.3). Each secret of the
 * client is tried.
 */
export function authenticate(
  datagram: Uint8Array,
  client: Client | undefined,
): AuthenticRequest | Failure<AuthenticationFailure> {
  if (client === undefined) return { ok: false, reason: 'unknown-source' };
  const parsed = parsePacket(datagram);
  if (!parsed.ok) return parsed;
  const { packet } = parsed;
  if (packet.code !== CODE.CoaRequest && packet.code !== CODE.DisconnectRequest) {
    return { ok: false, reason: 'unexpected-code' };
  }
  let reason: RequestFailure = 'wrong-request-authenticator';
  for (const secret of client.secrets) {
    const verified = verifyRequest(packet, secret, client);
    if (verified.ok) return { ok: true, client, packet, secret };
    // The failure with the secret that signed the packet is the one to report.
    if (verified.reason !== 'wrong-request-authenticator') reason = verified.reason;
  }
  return { ok: false, reason };
}

function checkEventTimestamp(
  { packet, client }: AuthenticRequest,
  nowMs: number,
  windowSeconds: number,
): CheckFailure | undefined {
  const [timestamp, ...others] = packet.attributes.filter(
    ({ type }) => type === ATTRIBUTES['Event-Timestamp'].number,
  );
  if (timestamp === undefined) return client.requireEventTimestamp ? 'missing-event-timestamp' : undefined;
  const { value } = timestamp;
  if (others.length > 0 || value.length !== 4) return 'malformed-event-timestamp';
  const seconds = new DataView(value.buffer, value.byteOffset, 4).getUint32(0);
  return Math.abs(nowMs - seconds * 1000) > windowSeconds * 1000 ? 'stale-event-timestamp' : undefined;
}
