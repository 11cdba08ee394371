// The answer to a client's request, as octets. What it says is decided elsewhere; how it is said is settled here.
import { ATTRIBUTES } from '../radius/attributes.ts';
import { type Secret, signReply } from '../radius/authenticator.ts';
import { encodeAttributes } from '../radius/codec.ts';
import { CODE, MAX_PACKET_OCTETS, type Packet, type RawAttribute } from '../radius/packet.ts';

/**
 * CoA-ACK or -NAK, Disconnect-ACK or -NAK to `request`, signed with the secret that verified it. Every Proxy-State
 * and a CoA-Request's State come back unchanged and in order (RFC 5176 sections 3.1 and 3.3); there is a
 * Message-Authenticator, first, where the request had one. An Error-Cause goes into a NAK only (section 3.5).
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
  // Echo and Message-Authenticator are never longer than the request. Only the Error-Cause can be too much for a
  // request that is nearly all Proxy-State; it MAY be there, the echo MUST.
  const fits = request.bytes.length + explained.length <= MAX_PACKET_OCTETS;
  const attributes = Buffer.concat([...(fits ? [explained] : []), ...echoed]);
  return signReply(request, { code, attributes }, secret);
}

const octetsOf = ({ bytes }: Packet, { offset, value }: RawAttribute) =>
  bytes.subarray(offset, offset + 2 + value.length);
