// The reply to a client's request, as octets.
import { ATTRIBUTES } from '../radius/attributes.ts';
import { type Secret, signReply } from '../radius/authenticator.ts';
import { encodeAttributes } from '../radius/codec.ts';
import { CODE, MAX_PACKET_OCTETS, type Packet, type RawAttribute } from '../radius/packet.ts';

/**
 * A CoA-ACK or CoA-NAK, or a Disconnect-ACK or Disconnect-NAK to `request`, signed with the secret that verified it. It
 * returns every Proxy-State, and the State of a CoA-Request, unchanged and in order (RFC 5176 sections 3.1 and 3.3). It
 * begins with a Message-Authenticator if the request had one. Only a NAK has an Error-Cause (section 3.5), and only if
 * it fits into 4096 octets.
 */
export function encodeReply(
  request: Packet,
  secret: Secret,
  answer: 'ack' | 'nak',
  errorCause?: number,
): Uint8Array {
  const isCoa = request.code === CODE.CoaRequest;
  const code =
    answer === 'ack' ? (isCoa ? CODE.CoaAck : CODE.DisconnectAck) : isCoa ? CODE.CoaNak : CODE.DisconnectNak;
  const echoed = request.attributes
    .filter(
      ({ type }) => type === ATTRIBUTES['Proxy-State'].number || (isCoa && type === ATTRIBUTES.State.number),
    )
    .map((attribute) => octetsOf(request, attribute));
  const explained =
    answer === 'nak' && errorCause !== undefined
      ? encodeAttributes([{ name: 'Error-Cause', value: errorCause }])
      : new Uint8Array();
  // State, Proxy-State and Message-Authenticator are never longer than the request. Only the Error-Cause may not fit,
  // if the request is almost all Proxy-State. The Error-Cause MAY be present; the Proxy-State MUST.
  const fits = request.bytes.length + explained.length <= MAX_PACKET_OCTETS;
  const attributes = Buffer.concat([...(fits ? [explained] : []), ...echoed]);
  return signReply(request, { code, attributes }, secret);
}

/**
 * An Accounting-Response to `request` (RFC 2866 section 4.2), signed with the secret that verified it. It returns every
 * Proxy-State of the request, unchanged and in order, behind the other attributes of `answer`, which is what a server has
 * answered to the forwarded request. It has no Message-Authenticator: no RFC defines one for it, and implementations
 * compute it in two ways. The answer to a Status-Server has one (RFC 5997 section 3).
 * @throws RangeError when the packet would be longer than 4096 octets.
 */
export function encodeAccountingResponse(request: Packet, secret: Secret, answer?: Packet): Uint8Array {
  const isOther = ({ type }: RawAttribute) =>
    type !== ATTRIBUTES['Proxy-State'].number && type !== ATTRIBUTES['Message-Authenticator'].number;
  const attributes = Buffer.concat([
    ...(answer?.attributes.filter(isOther).map((attribute) => octetsOf(answer, attribute)) ?? []),
    ...request.attributes
      .filter(({ type }) => type === ATTRIBUTES['Proxy-State'].number)
      .map((attribute) => octetsOf(request, attribute)),
  ]);
  return signReply(request, { code: CODE.AccountingResponse, attributes }, secret, {
    messageAuthenticator: request.code === CODE.StatusServer,
  });
}

const octetsOf = ({ bytes }: Packet, { offset, value }: RawAttribute) =>
  bytes.subarray(offset, offset + 2 + value.length);
