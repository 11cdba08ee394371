// What the functions tell of a change of a session, for logs, metrics and the local display.
import type { SessionKey } from '../../core/messages.ts';
import type { CommandOutcome } from '../../core/subscriber/command-outcome.ts';
import { drifted, failedAttempts, gone, lived, turned } from '../../core/subscriber/difference.ts';
import type { Effect, Session } from '../../core/subscriber/session.ts';

/** How a request came. */
export interface Arrival {
  /** When the inbox took it, by the clock of SQS. */
  readonly queuedAtMs: number;
  /** What the clock of its relay is ahead of the cloud's, where the relay has said so. */
  readonly relayClock?: { readonly relay: string; readonly skewMs: number };
}

/** What became of an event of a session. */
export type ChangeReport =
  | ({
      readonly kind: 'decided';
      readonly correlationId: string;
      readonly session: SessionKey;
      /** The name of its NAS today; that in the key may be a former one. */
      readonly nas: string;
      readonly userName?: string;
      /** What happened, in words: what was asked, or what the NAS answered. */
      readonly cause: string;
      /** The outcome of a command, with what the NAS said, where that is what happened. */
      readonly outcome?: CommandOutcome;
      /** Services that became active, and services that ended, by canonical activation string. */
      readonly activated: readonly string[];
      readonly deactivated: readonly string[];
      /** Services that the NAS may have or not, since this event. */
      readonly unconfirmed: readonly string[];
      /** What became of the session itself, as its accounting says. */
      readonly life?: 'opened' | 'closed' | 'replaced' | 'stale';
      /** Of the unconfirmed services, what the NAS accounts and contradicts the table. */
      readonly drifted: readonly string[];
      /** Attributes of this request that identify the subscriber and that the NAS is not told, new to the session. */
      readonly unchecked: readonly string[];
      readonly effects: readonly Effect[];
      /** Conditional writes that another writer won before this one. */
      readonly lostRaces: number;
      /** Why a request was refused. */
      readonly reason?: string;
      /** How often deactivations have failed in a row; present when one failed with this change. */
      readonly retryAttempts?: number;
      /** Where a request is what happened. */
    } & Partial<Arrival>)
  /** The due queue did not take a message. sweep finds the session, up to a minute late. */
  | { readonly kind: 'not-scheduled'; readonly session: SessionKey; readonly error: unknown };

/** What a change looks like to an operator; nothing changed when `after` is absent. */
export function difference(before: Session | undefined, after: Session | undefined) {
  const userName = (after ?? before)?.identity['User-Name'];
  const user = typeof userName === 'string' ? { userName } : {};
  if (after === undefined)
    return { ...user, activated: [], deactivated: [], unconfirmed: [], drifted: [], unchecked: [] };
  const isNew = after.version !== before?.version;
  const latest = isNew ? after.answered.findLast(({ version }) => version === after.version) : undefined;
  const retryAttempts = failedAttempts(before, after);
  const life = lived(before, after);
  return {
    ...user,
    activated: turned('active', before, after),
    deactivated: gone(before, after),
    unconfirmed: turned('unconfirmed', before, after),
    drifted: drifted(before, after),
    unchecked: Object.keys(after.claimed).filter((name) => !(name in (before?.claimed ?? {}))),
    ...(life !== undefined && { life }),
    ...(latest?.reason !== undefined && { reason: latest.reason }),
    ...(retryAttempts !== undefined && { retryAttempts }),
  };
}
