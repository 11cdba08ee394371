// What the cloud is told of a command.
import type { OutcomeMessage } from '../core/messages.ts';
import { ERROR_CAUSE } from '../core/radius/attributes.ts';
import { decodeAttributes, firstValue } from '../core/radius/codec.ts';
import { CODE, type Packet } from '../core/radius/packet.ts';

export interface Outcome {
  readonly result: OutcomeMessage['result'];
  /** Of a NAK, where it has one. */
  readonly errorCause?: number;
  /** What a NAK gives as its reason in words: the vendor's text, or else Reply-Message. */
  readonly text?: string;
}

/** Of a command that the NAS has answered. Error-Cause is for a NAK only (RFC 5176 section 3.5), and optional. */
export function outcomeOfReply(reply: Packet): Outcome & { readonly result: 'ack' | 'nak' } {
  if (reply.code === CODE.CoaAck) return { result: 'ack' };
  const attributes = decodeAttributes(reply);
  const errorCause = firstValue(attributes, 'Error-Cause');
  const text = firstValue(attributes, 'ERX-Action-Reason') ?? firstValue(attributes, 'Reply-Message');
  return {
    result: 'nak',
    ...(errorCause !== undefined && { errorCause }),
    ...(text !== undefined && { text }),
  };
}

/** Of a command that was not sent, by the reason. Only a NAK says that the NAS did nothing. */
export const UNSENT = {
  /** A relay received it before, and nobody knows what became of it. */
  'received-before': { result: 'interrupted' },
  expired: { result: 'expired' },
  'unknown-nas': { result: 'nak', errorCause: ERROR_CAUSE['Request-Not-Routable'] },
  'no-packet': { result: 'nak', errorCause: ERROR_CAUSE['Resources-Unavailable'] },
  'nas-overloaded': { result: 'nak', errorCause: ERROR_CAUSE['Resources-Unavailable'] },
} as const satisfies Record<string, Outcome>;

export interface Unsent {
  readonly unsent: keyof typeof UNSENT;
  readonly detail?: string;
}
