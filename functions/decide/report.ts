// What decide tells of its work, for logs, metrics and the local display.
import type { Barrier } from '../../core/client-rights.ts';
import type { SessionKey } from '../../core/messages.ts';
import type { Arrival, ChangeReport } from '../shared/change-report.ts';

/** What decide did with one message. */
export type DecideReport =
  | ChangeReport
  /** A request that could not be read, or whose session was not found; its client got CoA-NAK or Disconnect-NAK. */
  | ({
      readonly kind: 'refused';
      readonly correlationId: string;
      readonly errorCause: number;
      readonly reason: string;
    } & Arrival)
  /**
   * A request that gets no answer: its client may not touch the NAS or the realm, or is not known where others are restricted; or
   * it is older than what was carried out for its client.
   */
  | ({
      readonly kind: 'discarded';
      readonly correlationId: string;
      readonly client: string;
      readonly reason: Barrier | 'outdated';
    } & Arrival)
  /** The session of a request without Acct-Session-Id was found; the request goes to the message group of that. */
  | {
      readonly kind: 'found';
      readonly correlationId: string;
      readonly session: SessionKey;
      /** The attributes by which it was looked up. */
      readonly by: readonly string[];
    }
  | { readonly kind: 'failed'; readonly messageId: string; readonly error: unknown };
