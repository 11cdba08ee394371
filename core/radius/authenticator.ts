// Signing and verifying. Each of the two rules is written once: verifying is signing again and comparing.
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from './digest.ts';
import { CODE, HEADER_OCTETS, MAX_PACKET_OCTETS, type Packet } from './packet.ts';

export { prepareSecret, type Secret } from './digest.ts';

const AUTHENTICATOR_OFFSET = 4;
const PROXY_STATE = 33;
const MESSAGE_AUTHENTICATOR = 80;
const ZERO = new Uint8Array(16);
/** An attribute whose value is zero until it is computed. */
const BLANK_MESSAGE_AUTHENTICATOR = Uint8Array.of(MESSAGE_AUTHENTICATOR, 18, ...ZERO);

/** Why a request does not verify. */
export type RequestFailure =
  | 'wrong-request-authenticator'
  | 'wrong-message-authenticator'
  | 'several-message-authenticators'
  | 'missing-message-authenticator';

/** Why a reply does not verify. */
export type ReplyFailure =
  | 'identifier-mismatch'
  | 'code-mismatch'
  | 'wrong-response-authenticator'
  | Exclude<RequestFailure, 'wrong-request-authenticator'>;

/** The result of verifying; `reason` names the first check that failed. */
export type Verification<F> = { readonly ok: true } | { readonly ok: false; readonly reason: F };

/**
 * The octets of an Accounting-Request, Disconnect-Request or CoA-Request (RFC 2866 section 3, RFC 5176 section 2.3).
 * Equal arguments give equal octets, so a retransmission is byte-identical. `attributes` are encoded, without a
 * Message-Authenticator; one is put first unless `messageAuthenticator` is false.
 * @throws RangeError when the packet is longer than 4096 octets.
 */
export function signRequest(
  request: { readonly code: number; readonly identifier: number; readonly attributes: Uint8Array },
  secret: Secret,
  options: { readonly messageAuthenticator?: boolean } = {},
): Uint8Array {
  return sign(request, ZERO, secret, options.messageAuthenticator ?? true);
}

/**
 * The octets of a reply to `request`, with its Identifier (RFC 2866 section 3, RFC 5176 section 2.3). By default, a
 * Message-Authenticator is put first if the request had one; `messageAuthenticator` overrides that.
 * @throws RangeError when the packet is longer than 4096 octets.
 */
export function signReply(
  request: Packet,
  reply: { readonly code: number; readonly attributes: Uint8Array },
  secret: Secret,
  options: { readonly messageAuthenticator?: boolean } = {},
): Uint8Array {
  return sign(
    { ...reply, identifier: request.identifier },
    request.authenticator,
    secret,
    options.messageAuthenticator ?? messageAuthenticatorsOf(request).length > 0,
  );
}

/**
 * Whether a request of code 4, 40 or 43 was signed with `secret`. A Message-Authenticator is optional, but must verify
 * if present (RFC 5176 section 3.4).
 */
export function verifyRequest(
  packet: Packet,
  secret: Secret,
  options: { readonly requireMessageAuthenticator?: boolean } = {},
): Verification<RequestFailure> {
  if (!timingSafeEqual(authenticator(packet.bytes, ZERO, secret), packet.authenticator)) {
    return { ok: false, reason: 'wrong-request-authenticator' };
  }
  return verifyMessageAuthenticator(packet, [ZERO], secret, options);
}

/**
 * Whether a Status-Server was signed with `secret`: it must have a Message-Authenticator, over its own Request
 * Authenticator, which is random (RFC 5997 section 3).
 */
export function verifyStatusServer(
  packet: Packet,
  secret: Secret,
): Verification<Exclude<RequestFailure, 'wrong-request-authenticator'>> {
  return verifyMessageAuthenticator(packet, [packet.authenticator], secret, {
    requireMessageAuthenticator: true,
  });
}

/**
 * The octets of a verified Accounting-Request as a proxy forwards it (RFC 2866 section 2.1): the same attributes in the
 * same order, `proxyState` as the last one, another Identifier, signed with `secret`. A Message-Authenticator stays in
 * its place with a new value.
 * @throws RangeError when the packet would be longer than 4096 octets.
 */
export function signForwarded(
  request: Packet,
  { identifier, proxyState }: { readonly identifier: number; readonly proxyState: Uint8Array },
  secret: Secret,
): Uint8Array {
  const own = Uint8Array.of(PROXY_STATE, 2 + proxyState.length, ...proxyState);
  const bytes = Buffer.concat([request.bytes, own]);
  if (bytes.length > MAX_PACKET_OCTETS) {
    throw new RangeError(
      `a RADIUS packet has at most ${MAX_PACKET_OCTETS} octets, this one has ${bytes.length}`,
    );
  }
  bytes[1] = identifier;
  bytes.writeUInt16BE(bytes.length, 2);
  for (const { offset } of messageAuthenticatorsOf(request)) {
    bytes.set(messageAuthenticator(bytes, offset, ZERO, secret), offset + 2);
  }
  bytes.set(authenticator(bytes, ZERO, secret), AUTHENTICATOR_OFFSET);
  return bytes;
}

/**
 * Whether `reply` answers `request` and was signed with `secret` (RFC 2866 section 3, RFC 5176 sections 2.3 and 3.4).
 * With `zeroAuthenticator`, a Message-Authenticator computed over a zero authenticator is accepted as well: FreeRADIUS
 * 3.2 writes such into the replies that it proxies.
 */
export function verifyReply(
  reply: Packet,
  request: Packet,
  secret: Secret,
  options: { readonly requireMessageAuthenticator?: boolean; readonly zeroAuthenticator?: boolean } = {},
): Verification<ReplyFailure> {
  if (reply.identifier !== request.identifier) return { ok: false, reason: 'identifier-mismatch' };
  if (!answers(reply.code, request.code)) return { ok: false, reason: 'code-mismatch' };
  if (!timingSafeEqual(authenticator(reply.bytes, request.authenticator, secret), reply.authenticator)) {
    return { ok: false, reason: 'wrong-response-authenticator' };
  }
  const salts = options.zeroAuthenticator ? [request.authenticator, ZERO] : [request.authenticator];
  return verifyMessageAuthenticator(reply, salts, secret, options);
}

function verifyMessageAuthenticator(
  packet: Packet,
  salts: readonly Uint8Array[],
  secret: Secret,
  options: { readonly requireMessageAuthenticator?: boolean },
): Verification<Exclude<RequestFailure, 'wrong-request-authenticator'>> {
  const [attribute, ...others] = messageAuthenticatorsOf(packet);
  if (others.length > 0) return { ok: false, reason: 'several-message-authenticators' };
  if (attribute === undefined) {
    return options.requireMessageAuthenticator
      ? { ok: false, reason: 'missing-message-authenticator' }
      : { ok: true };
  }
  const { value, offset } = attribute;
  const isRight =
    value.length === 16 &&
    salts.some((salt) => timingSafeEqual(messageAuthenticator(packet.bytes, offset, salt, secret), value));
  return isRight ? { ok: true } : { ok: false, reason: 'wrong-message-authenticator' };
}

function sign(
  packet: { readonly code: number; readonly identifier: number; readonly attributes: Uint8Array },
  salt: Uint8Array,
  secret: Secret,
  withMessageAuthenticator: boolean,
): Uint8Array {
  const { code, identifier, attributes } = packet;
  const blank = withMessageAuthenticator ? BLANK_MESSAGE_AUTHENTICATOR : new Uint8Array();
  const length = HEADER_OCTETS + blank.length + attributes.length;
  if (length > MAX_PACKET_OCTETS) {
    throw new RangeError(`a RADIUS packet has at most ${MAX_PACKET_OCTETS} octets, this one has ${length}`);
  }
  const header = Uint8Array.of(code, identifier, length >> 8, length & 0xff, ...ZERO);
  const bytes = Buffer.concat([header, blank, attributes]);
  if (withMessageAuthenticator) {
    bytes.set(messageAuthenticator(bytes, HEADER_OCTETS, salt, secret), HEADER_OCTETS + 2);
  }
  bytes.set(authenticator(bytes, salt, secret), AUTHENTICATOR_OFFSET);
  return bytes;
}

/**
 * Request Authenticator (`salt` zero) or Response Authenticator (`salt` the request's authenticator): MD5 over the
 * packet with `salt` in place of its authenticator, then the secret (RFC 2866 section 3, RFC 5176 section 2.3).
 */
const authenticator = (bytes: Uint8Array, salt: Uint8Array, secret: Secret) =>
  secret.md5(bytes.subarray(0, AUTHENTICATOR_OFFSET), salt, bytes.subarray(HEADER_OCTETS));

/**
 * The value of the Message-Authenticator at `offset`: HMAC-MD5 over the packet with `salt`, as above, in place of its
 * authenticator and zeros in place of that value (RFC 5176 section 3.4). No RFC defines it for accounting packets;
 * there it is computed as FreeRADIUS does.
 */
const messageAuthenticator = (bytes: Uint8Array, offset: number, salt: Uint8Array, secret: Secret) =>
  secret.hmacMd5(
    bytes.subarray(0, AUTHENTICATOR_OFFSET),
    salt,
    bytes.subarray(HEADER_OCTETS, offset + 2),
    ZERO,
    bytes.subarray(offset + 2 + ZERO.length),
  );

const messageAuthenticatorsOf = (packet: Packet) =>
  packet.attributes.filter((attribute) => attribute.type === MESSAGE_AUTHENTICATOR);

/** The ACK's code is the request's plus 1, the NAK's plus 2; accounting has no NAK. */
const answers = (reply: number, request: number) =>
  reply === request + 1 || (reply === request + 2 && request !== CODE.AccountingRequest);
