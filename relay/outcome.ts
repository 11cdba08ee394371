// What a relay reports of a command.
import type { OutcomeMessage } from '../core/messages.ts';
import { ERROR_CAUSE } from '../core/radius/attributes.ts';
import { decodeAttributes, firstValue } from '../core/radius/codec.ts';
import { CODE, type Packet } from '../core/radius/packet.ts';

/** What became of a command. */
export interface Outcome {
  /** `ack` and `nak` come from the NAS; the others leave open whether it has carried the command out. */
  readonly result: OutcomeMessage['result'];
  /** Error-Cause of a NAK (RFC 5176 section 3.5), where it has one. */
  readonly errorCause?: number;
  /** What a NAK gives as its reason in words: the vendor's text, or else Reply-Message. */
  readonly text?: string;
  /** The NAK is the relay's: the command was not sent. */
  readonly isUnsent?: true;
}

/** The outcome of a command that the NAS has answered. Only a NAK has an Error-Cause (RFC 5176 section 3.5), if any. */
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

/**
 * The outcome of a command that was not sent, by reason. A `nak` of these says that the NAS has changed nothing, and is marked
 * as the relay's: the NAS has said nothing.
 */
export const UNSENT = {
  /** A relay has received it before, and may have sent it. */
  'received-before': { result: 'interrupted' },
  expired: { result: 'expired' },
  'unknown-nas': { result: 'nak', errorCause: ERROR_CAUSE['Request-Not-Routable'], isUnsent: true },
  'no-packet': { result: 'nak', errorCause: ERROR_CAUSE['Resources-Unavailable'], isUnsent: true },
  'nas-overloaded': { result: 'nak', errorCause: ERROR_CAUSE['Resources-Unavailable'], isUnsent: true },
} as const satisfies Record<string, Outcome>;

/** Why a command was not sent. */
export interface Unsent {
  readonly unsent: keyof typeof UNSENT;
  readonly detail?: string;
}
