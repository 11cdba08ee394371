// What a relay reports of a command.
import type { OutcomeMessage } from '../core/messages.ts';
import { NOT_SENT } from '../core/messages.ts';
import { ERROR_CAUSE } from '../core/radius/attributes.ts';
import { decodeAttributes, firstValue } from '../core/radius/codec.ts';
import { CODE, type Packet } from '../core/radius/packet.ts';
import { nasWords } from '../core/requests/nas-words.ts';

/** What became of a command. */
export interface Outcome {
  /** `ack` and `nak` come from the NAS; but for `expired`, the others leave open whether it has carried the command out. */
  readonly result: OutcomeMessage['result'];
  /** Error-Cause of a NAK (RFC 5176 section 3.5), where it has one. */
  readonly errorCause?: number;
  /** What the NAS says in words. */
  readonly text?: string;
  /** The NAK is the relay's: the command was not sent. */
  readonly isUnsent?: true;
}

/** An outcome as it is reported to the cloud. */
export interface ReportedOutcome extends Outcome {
  /** With `expired`: why the command was not sent, where the reason is another one than time. */
  readonly unsent?: string;
}

/** The outcome of a command that the NAS has answered. Only a NAK has an Error-Cause (RFC 5176 section 3.5), if any. */
export function outcomeOfReply(reply: Packet): Outcome & { readonly result: 'ack' | 'nak' } {
  const attributes = decodeAttributes(reply);
  const text = nasWords(attributes);
  const words = text === undefined ? {} : { text };
  if (reply.code === CODE.CoaAck || reply.code === CODE.DisconnectAck) return { result: 'ack', ...words };
  const errorCause = firstValue(attributes, 'Error-Cause');
  return { result: 'nak', ...(errorCause !== undefined && { errorCause }), ...words };
}

/**
 * The outcome of a command that was not sent, by reason. The NAS knows nothing of it, but where a relay may have sent it. A
 * `nak` is marked as the relay's, with the reason as its text.
 */
export const UNSENT = {
  /** A relay has received it before, and may have sent it. */
  'received-before': { result: 'interrupted' },
  expired: { result: NOT_SENT },
  'unknown-nas': notSent('unknown-nas', 'Request-Not-Routable'),
  'no-packet': notSent('no-packet', 'Resources-Unavailable'),
  'nas-overloaded': notSent('nas-overloaded', 'Resources-Unavailable'),
} as const satisfies Record<string, ReportedOutcome>;

function notSent<R extends string>(reason: R, cause: keyof typeof ERROR_CAUSE) {
  return { result: 'nak', errorCause: ERROR_CAUSE[cause], text: reason, isUnsent: true } as const;
}

/** Why a command was not sent. */
export interface Unsent {
  readonly unsent: keyof typeof UNSENT;
  readonly detail?: string;
}
