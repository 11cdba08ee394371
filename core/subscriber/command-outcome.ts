// What became of a command, as its session keeps it and people read it.
import type { UNKNOWN_RESULTS } from '../messages.ts';

/** What the outcome of a command says. */
export type CommandResult = 'ack' | 'nak' | (typeof UNKNOWN_RESULTS)[number] | 'unsent';

/** What the NAS answered to a command, or why there is no answer. */
export interface CommandOutcome {
  /**
   * `ack` and `nak` are the NAS's. `timeout`, `unreachable`, `interrupted` and `deadline` leave open whether it carried the
   * command out; with `deadline` the relay did not report in time. `unsent`: the relay did not send it.
   */
  readonly result: CommandResult | 'deadline';
  /** Error-Cause of a NAK (RFC 5176 section 3.5), where it had one; of a command that was not sent, what its request gets. */
  readonly errorCause?: number;
  /** What the NAS said in words. */
  readonly text?: string;
  /** Why the relay did not send it. */
  readonly unsent?: string;
}

/** In short: `ack`, `nak 506, 'Resource busy'`, `timeout`, `unsent, nas-overloaded`. */
export function describeOutcome({ result, errorCause, text, unsent }: CommandOutcome): string {
  const cause = result === 'nak' && errorCause !== undefined ? ` ${errorCause}` : '';
  const why = unsent === undefined ? [] : [unsent];
  const words = text === undefined ? [] : [`'${text}'`];
  return [`${result}${cause}`, ...why, ...words].join(', ');
}

/** Whose word it is: what the relay says of itself says nothing of the NAS. */
export function speakerOf({ result }: CommandOutcome): 'NAS' | 'relay' {
  return result === 'interrupted' || result === 'unsent' || result === 'deadline' ? 'relay' : 'NAS';
}
