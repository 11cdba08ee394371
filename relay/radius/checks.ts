// The checks that a datagram has to pass to be a request. One that fails is discarded without a reply (RFC 5176 sections
// 2.3 and 6.3): a NAK would show an attacker that a server listens here.
import { ATTRIBUTES } from '../../core/radius/attributes.ts';
import {
  type RequestFailure,
  type Secret,
  type Verification,
  verifyRequest,
  verifyStatusServer,
} from '../../core/radius/authenticator.ts';
import { CODE, type Packet, type ParseFailure, parsePacket } from '../../core/radius/packet.ts';
import type { Client, Feed } from '../site/clients.ts';

/** What the checks need to know of a client. */
export type Checked = Pick<Client, 'secrets' | 'requireMessageAuthenticator' | 'requireEventTimestamp'>;

/** Why a datagram is no request of its client. */
export type AuthenticationFailure = 'unknown-source' | ParseFailure | 'unexpected-code' | RequestFailure;
/** Why a datagram is discarded. */
export type CheckFailure =
  | AuthenticationFailure
  | 'missing-event-timestamp'
  | 'malformed-event-timestamp'
  | 'stale-event-timestamp';

/** A request that `client` signed with `secret`. */
export interface AuthenticRequest<Sender = Client> {
  readonly ok: true;
  readonly client: Sender;
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
export function checkRequest<C extends Checked>(
  datagram: Uint8Array,
  client: C | undefined,
  nowMs: number,
  windowSeconds: number,
): AuthenticRequest<C> | Failure<CheckFailure> {
  const request = authenticate(datagram, client);
  if (!request.ok) return request;
  const reason = checkEventTimestamp(request, nowMs, windowSeconds);
  return reason === undefined ? request : { ok: false, reason };
}

/**
 * Checks that `datagram` is a CoA-Request or Disconnect-Request of `client` (RFC 5176 section 2.3). Each secret of the
 * client is tried.
 */
export function authenticate<C extends Checked>(
  datagram: Uint8Array,
  client: C | undefined,
): AuthenticRequest<C> | Failure<AuthenticationFailure> {
  return authenticateWith(datagram, client, [CODE.CoaRequest, CODE.DisconnectRequest], verifyRequest);
}

/**
 * Checks that `datagram` is an Accounting-Request (RFC 2866 section 3) or a Status-Server (RFC 5997 section 3) of `feed`.
 * Each secret of the feed is tried. A Message-Authenticator of an Accounting-Request is optional, but must verify.
 */
export function authenticateAccounting(
  datagram: Uint8Array,
  feed: Feed | undefined,
): AuthenticRequest<Feed> | Failure<AuthenticationFailure> {
  const codes = [CODE.AccountingRequest, CODE.StatusServer];
  return authenticateWith(datagram, feed, codes, (packet, secret) =>
    packet.code === CODE.StatusServer ? verifyStatusServer(packet, secret) : verifyRequest(packet, secret),
  );
}

function authenticateWith<Sender extends { readonly secrets: readonly Secret[] }>(
  datagram: Uint8Array,
  client: Sender | undefined,
  codes: readonly number[],
  verify: (packet: Packet, secret: Secret, client: Sender) => Verification<RequestFailure>,
): AuthenticRequest<Sender> | Failure<AuthenticationFailure> {
  if (client === undefined) return { ok: false, reason: 'unknown-source' };
  const parsed = parsePacket(datagram);
  if (!parsed.ok) return parsed;
  const { packet } = parsed;
  if (!codes.includes(packet.code)) return { ok: false, reason: 'unexpected-code' };
  let reason: RequestFailure | undefined;
  for (const secret of client.secrets) {
    const verified = verify(packet, secret, client);
    if (verified.ok) return { ok: true, client, packet, secret };
    // The failure with the secret that signed the packet is the one to report.
    if (reason === undefined || verified.reason !== 'wrong-request-authenticator') reason = verified.reason;
  }
  return { ok: false, reason: reason ?? 'wrong-request-authenticator' };
}

function checkEventTimestamp(
  { packet, client }: AuthenticRequest<Checked>,
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
