// Packets and replies in words, for logs and operators.
import { errorCauseName } from '../radius/attributes.ts';
import { CODE } from '../radius/packet.ts';

const NAMES: Readonly<Record<number, string>> = {
  [CODE.AccountingRequest]: 'Accounting-Request',
  [CODE.AccountingResponse]: 'Accounting-Response',
  [CODE.StatusServer]: 'Status-Server',
  [CODE.DisconnectRequest]: 'Disconnect-Request',
  [CODE.DisconnectAck]: 'Disconnect-ACK',
  [CODE.DisconnectNak]: 'Disconnect-NAK',
  [CODE.CoaRequest]: 'CoA-Request',
  [CODE.CoaAck]: 'CoA-ACK',
  [CODE.CoaNak]: 'CoA-NAK',
};

/** The RFC's name of a packet with that code, such as `CoA-Request`; `Code 11` for one that is not in `CODE`. */
export function packetName(code: number): string {
  return NAMES[code] ?? `Code ${code}`;
}

/** A reply by its packet code: `CoA-ACK`, `CoA-NAK 506 Resources-Unavailable` (RFC 5176 sections 3 and 3.5). */
export function describeReply(code: number, errorCause?: number): string {
  if (errorCause === undefined) return packetName(code);
  return `${packetName(code)} ${describeErrorCause(errorCause)}`;
}

/** The answer to a CoA-Request, or to a Disconnect-Request, in the same words. */
export function describeAnswer(answer: 'ack' | 'nak', errorCause?: number, isDisconnect = false): string {
  const [ack, nak] = isDisconnect ? [CODE.DisconnectAck, CODE.DisconnectNak] : [CODE.CoaAck, CODE.CoaNak];
  return describeReply(answer === 'ack' ? ack : nak, errorCause);
}

/** Error-Cause as the label of a metric: a NAS may send any of 2^32, and each would be a series of its own. */
export function errorCauseLabel(errorCause: number): string {
  return errorCauseName(errorCause) === undefined ? 'other' : String(errorCause);
}

/** `506 Resources-Unavailable`; the number alone where RFC 5176 section 3.5 does not define it. */
export function describeErrorCause(errorCause: number): string {
  const name = errorCauseName(errorCause);
  return name === undefined ? String(errorCause) : `${errorCause} ${name}`;
}
