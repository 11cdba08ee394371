// Replies in words, for logs and operators.
import { errorCauseName } from '../radius/attributes.ts';
import { CODE, packetName } from '../radius/packet.ts';

/** A reply by its packet code: `CoA-ACK`, `CoA-NAK 506 Resources-Unavailable` (RFC 5176 sections 3 and 3.5). */
export function describeReply(code: number, errorCause?: number): string {
  if (errorCause === undefined) return packetName(code);
  return `${packetName(code)} ${describeErrorCause(errorCause)}`;
}

/** The answer to a CoA-Request, in the same words. */
export function describeAnswer(answer: 'ack' | 'nak', errorCause?: number): string {
  return describeReply(answer === 'ack' ? CODE.CoaAck : CODE.CoaNak, errorCause);
}

/** `506 Resources-Unavailable`; the number alone where RFC 5176 section 3.5 does not define it. */
export function describeErrorCause(errorCause: number): string {
  const name = errorCauseName(errorCause);
  return name === undefined ? String(errorCause) : `${errorCause} ${name}`;
}
