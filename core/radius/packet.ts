// The packet on the wire: header and attributes, neither verified nor decoded.

/** Codes of packets: RFC 2866 section 3, RFC 5997 section 3, RFC 5176 section 2.3. */
export const CODE = {
  AccountingRequest: 4,
  AccountingResponse: 5,
  StatusServer: 12,
  DisconnectRequest: 40,
  DisconnectAck: 41,
  DisconnectNak: 42,
  CoaRequest: 43,
  CoaAck: 44,
  CoaNak: 45,
} as const;

/** Length of the header: RFC 2865 section 3. */
export const HEADER_OCTETS = 20;
/** The greatest length of a packet: RFC 2865 section 3. */
export const MAX_PACKET_OCTETS = 4096;
/** Length of a Message-Authenticator: RFC 2869 section 5.14. */
export const MESSAGE_AUTHENTICATOR_OCTETS = 18;

/** One attribute, undecoded. `value` is a view into the packet; `offset` is that of its type octet in the packet. */
export interface RawAttribute {
  readonly type: number;
  readonly value: Uint8Array;
  readonly offset: number;
}

/** A well-formed packet. It must not be trusted before `verifyRequest` or `verifyReply` has verified it. */
export interface Packet {
  readonly code: number;
  readonly identifier: number;
  readonly authenticator: Uint8Array;
  readonly attributes: readonly RawAttribute[];
  /** Exactly as many octets as the Length field says. */
  readonly bytes: Uint8Array;
}

/** Why octets are no packet, one reason a check. */
export type ParseFailure =
  | 'datagram-too-short'
  | 'length-below-20'
  | 'length-above-4096'
  | 'length-beyond-datagram'
  | 'attribute-length-below-2'
  | 'attribute-past-end';

/** A packet; or why there is none, and where. */
export type ParseResult =
  | { readonly ok: true; readonly packet: Packet }
  | { readonly ok: false; readonly reason: ParseFailure; readonly offset: number };

/**
 * The packet in a datagram, which it shares its memory with. Octets beyond Length are padding and ignored (RFC 2865
 * section 3). `offset` of a failure is that of the field or attribute at fault in the datagram.
 */
export function parsePacket(datagram: Uint8Array): ParseResult {
  if (datagram.length < HEADER_OCTETS) return failure('datagram-too-short', 0);
  const length = at(datagram, 2) * 256 + at(datagram, 3);
  if (length < HEADER_OCTETS) return failure('length-below-20', 2);
  if (length > MAX_PACKET_OCTETS) return failure('length-above-4096', 2);
  if (length > datagram.length) return failure('length-beyond-datagram', 2);

  const attributes: RawAttribute[] = [];
  for (let offset = HEADER_OCTETS; offset < length; ) {
    if (offset + 2 > length) return failure('attribute-past-end', offset);
    const end = offset + at(datagram, offset + 1);
    if (end < offset + 2) return failure('attribute-length-below-2', offset);
    if (end > length) return failure('attribute-past-end', offset);
    attributes.push({ type: at(datagram, offset), value: datagram.subarray(offset + 2, end), offset });
    offset = end;
  }
  return {
    ok: true,
    packet: {
      code: at(datagram, 0),
      identifier: at(datagram, 1),
      authenticator: datagram.subarray(4, HEADER_OCTETS),
      attributes,
      bytes: datagram.subarray(0, length),
    },
  };
}

const failure = (reason: ParseFailure, offset: number) => ({ ok: false, reason, offset }) as const;

/** The octet at `offset`, which must exist. */
const at = (octets: Uint8Array, offset: number): number => octets[offset] ?? 0;
