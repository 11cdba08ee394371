// The history of a session: what each of its changes did, as one item in a partition of its own. It tells what the two images
// of a change show, with what the NAS said. The logs have more under the same correlationId.

import { HISTORY_RETENTION_DAYS, historyPartitionKey, historySortKey } from '../cloud/table.ts';
import { type Asker, askerOf } from '../origin.ts';
import type { CommandOutcome } from './command-outcome.ts';
import { drifted, failedAttempts, gone, lived, turned } from './difference.ts';
import { describeRequest } from './draft.ts';
import { underWay } from './duplicates.ts';
import type { Event } from './event.ts';
import { keyOf } from './key.ts';
import type { Answer, CommandEffect, Session } from './session.ts';

/** A client's request; the answer is absent while it is carried out or waits. */
export interface HistoryRequest extends Partial<Answer> {
  readonly correlationId: string;
  /** Who asked; absent where the item has an answer whose request it does not have. */
  readonly origin?: Asker;
  /** What it asks for and why it was refused, in words. */
  readonly asked: string;
  readonly reason?: string;
}

/**
 * What one change of a session did. A list that would be empty is absent: most items have a few hundred bytes.
 *
 * The services of a session are the sum of its history: what is in `deactivated` goes, and then what is in `activated`
 * and `deactivating` comes or becomes so.
 */
export interface HistoryItem {
  readonly pk: string;
  readonly sk: string;
  /** When the change was made, milliseconds since 1970-01-01 UTC. */
  readonly atMs: number;
  /** That of the session after the change. */
  readonly version: number;
  /** A request, the outcome of a command, time, accounting or an operator made the change; or the item was removed. */
  readonly cause: Event['kind'] | 'removal';
  /** What became of the session with this change: it was opened, or it ended. */
  readonly life?: 'opened' | 'closed' | 'replaced' | 'stale';
  /** Services that the NAS accounts and that contradict the table, since this change. */
  readonly drift?: readonly string[];
  /** Of the request that was carried out; of what time has done, the one that decide's log has. Absent in a removal. */
  readonly correlationId?: string;
  /** What became of the command under way, where that made the change. */
  readonly outcome?: CommandOutcome;
  /** Services that became active, here and below by canonical activation string. */
  readonly activated?: readonly string[];
  /** Services that have to go, which the NAS has not confirmed yet. */
  readonly deactivating?: readonly string[];
  /** Services that Interlock activates again, because they may have been deactivated and should not be. */
  readonly restoring?: readonly string[];
  /** Services that the NAS may have or not. */
  readonly unconfirmed?: readonly string[];
  /** Services that are gone. */
  readonly deactivated?: readonly string[];
  /** What the NAS was told with this change. */
  readonly command?: Pick<CommandEffect, 'commandId' | 'operation' | 'services'>;
  /** The requests that were answered with this change, and the one that came with it. */
  readonly requests?: readonly HistoryRequest[];
  /** How often the NAS was told to deactivate what it has still not confirmed; when it failed just now. */
  readonly retryAttempts?: number;
  /** When it may be deleted: seconds since 1970-01-01 UTC, as DynamoDB's TTL wants it. */
  readonly expiresAtSeconds: number;
}

const ATTRIBUTES: Readonly<Record<keyof HistoryItem, true>> = {
  pk: true,
  sk: true,
  atMs: true,
  version: true,
  cause: true,
  correlationId: true,
  outcome: true,
  life: true,
  drift: true,
  activated: true,
  deactivating: true,
  restoring: true,
  unconfirmed: true,
  deactivated: true,
  command: true,
  requests: true,
  retryAttempts: true,
  expiresAtSeconds: true,
};
/** All that a history item may have. None of it is a key of an index. */
export const HISTORY_ATTRIBUTES = Object.keys(ATTRIBUTES);

/**
 * The history item of the change from `before` to `after`, the same one each time that it is made. Either is absent
 * where the session was created or removed; when it was removed only the stream knows: `recordedAtMs`.
 *
 * Undefined where the version stays: such a write changed no service, and the item would take the place of that of the
 * version before.
 */
export function historyItem(
  before: Session | undefined,
  after: Session | undefined,
  recordedAtMs: number,
): HistoryItem | undefined {
  if (after === undefined) return before && !before.isForgotten ? removal(before, recordedAtMs) : undefined;
  if (after.version === before?.version) return undefined;
  const event = after.recentEvents.at(-1);
  // A session that is over: what is left of its item is removed later, and nothing is said of that.
  if (after.isForgotten && event === undefined)
    return { ...frame(after, after.changedAtMs, after.version), cause: 'removal' };
  const requests = [...answeredBy(after), ...newcomers(before, after)];
  const isRequest = requests.some(({ correlationId }) => correlationId === event?.id);
  const correlationId = isRequest ? event?.id : (before?.transition?.correlationId ?? event?.id);
  const activated = turned('active', before, after);
  const deactivating = turned('deactivating', before, after);
  const restoring = turned('restoring', before, after);
  const unconfirmed = turned('unconfirmed', before, after);
  const deactivated = [...new Set([...gone(before, after), ...Object.keys(after.ended)])];
  const life = lived(before, after);
  const drift = drifted(before, after);
  const told = event?.effects.find((effect) => effect.kind === 'command');
  const retryAttempts = failedAttempts(before, after);
  return {
    ...frame(after, after.changedAtMs, after.version),
    cause: isRequest ? 'request' : CAUSE_OF[event?.queue ?? 'inbox'],
    ...(correlationId !== undefined && { correlationId }),
    ...(event?.outcome !== undefined && { outcome: event.outcome }),
    ...(life !== undefined && { life }),
    ...(drift.length > 0 && { drift }),
    ...(activated.length > 0 && { activated }),
    ...(deactivating.length > 0 && { deactivating }),
    ...(restoring.length > 0 && { restoring }),
    ...(unconfirmed.length > 0 && { unconfirmed }),
    ...(deactivated.length > 0 && { deactivated }),
    ...(told && {
      command: { commandId: told.commandId, operation: told.operation, services: told.services },
    }),
    ...(requests.length > 0 && { requests }),
    ...(retryAttempts !== undefined && { retryAttempts }),
  };
}

const CAUSE_OF = {
  inbox: 'outcome',
  outcomes: 'outcome',
  due: 'due',
  feed: 'record',
  restart: 'nas-restart',
  operator: 'resync',
} as const;

function removal(before: Session, recordedAtMs: number): HistoryItem {
  // The stream rounds its times down to seconds; still nothing is removed before its last change.
  const atMs = Math.max(recordedAtMs, before.changedAtMs);
  const deactivated = gone(before, undefined);
  return {
    ...frame(before, atMs, before.version + 1),
    cause: 'removal',
    ...(deactivated.length > 0 && { deactivated }),
  };
}

function frame(session: Session, atMs: number, version: number) {
  const { nas, acctSessionId } = keyOf(session);
  return {
    pk: historyPartitionKey(nas, acctSessionId),
    sk: historySortKey(atMs, version),
    atMs,
    version,
    expiresAtSeconds: Math.floor(atMs / 1000) + HISTORY_RETENTION_DAYS * 86_400,
  };
}

// --- Requests -------------------------------------------------------------------------------------------------

function answeredBy({ answered, version, recentEvents }: Session): readonly HistoryRequest[] {
  const replies = recentEvents.at(-1)?.effects.filter((effect) => effect.kind === 'reply');
  return answered
    .filter((given) => given.version === version)
    .map(({ correlationId, asked, answer, errorCause, reason }) => {
      const origin = replies?.find((reply) => reply.correlationId === correlationId)?.origin;
      return {
        correlationId,
        ...(origin && { origin: askerOf(origin) }),
        asked,
        answer,
        ...(errorCause !== undefined && { errorCause }),
        ...(reason !== undefined && { reason }),
      };
    });
}

/** Requests that came with the change and are not answered yet. */
function newcomers(before: Session | undefined, after: Session): readonly HistoryRequest[] {
  const known = new Set(before && underWay(before).map(({ correlationId }) => correlationId));
  return underWay(after)
    .filter(({ correlationId }) => !known.has(correlationId))
    .map(({ correlationId, origin, ...asked }) => ({
      correlationId,
      origin: askerOf(origin),
      asked: describeRequest(asked),
    }));
}
