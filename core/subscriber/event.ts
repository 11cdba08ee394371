// What can happen to a session, and what each event is called in the state that it meets.

import type { CommandOutcome, CommandResult } from './command-outcome.ts';
import { answerGiven, isOutdated, isUnderWay, precedesSession } from './duplicates.ts';
import { isClosed, type Meaning, meaningOf } from './life.ts';
import type { RecordEvent, RestartEvent } from './record.ts';
import type {
  Activating,
  Deactivating,
  Disconnecting,
  Excluding,
  Restoring,
  ServiceRequest,
  Session,
} from './session.ts';

export type Event =
  | { readonly kind: 'request'; readonly id: string; readonly request: ServiceRequest }
  | {
      readonly kind: 'outcome';
      readonly id: string;
      readonly commandId: string;
      readonly result: CommandResult;
      readonly errorCause?: number;
      /** What the NAS said in words. */
      readonly text?: string;
      /** Why the relay did not send the command. */
      readonly unsent?: string;
    }
  /** The time that `dueAtMs` named has come. */
  | { readonly kind: 'due'; readonly id: string }
  | RecordEvent
  | RestartEvent
  /** The drift of the session is to be ended: what the table has counts, or what the NAS accounts. */
  | { readonly kind: 'resync'; readonly id: string; readonly to: 'table' | 'nas' };

export type RequestEvent = Extract<Event, { kind: 'request' }>;
export type OutcomeEvent = Extract<Event, { kind: 'outcome' }>;
export type DueEvent = Extract<Event, { kind: 'due' }>;
export type { RecordEvent, RestartEvent };
export type ResyncEvent = Extract<Event, { kind: 'resync' }>;

/** The outcome of the command under way in an event: `deadline` where its time has come first. */
export function outcomeOf(event: OutcomeEvent | DueEvent): CommandOutcome {
  if (event.kind === 'due') return { result: 'deadline' };
  const { kind: _, id: __, commandId: ___, ...outcome } = event;
  return outcome;
}

/** The session that a state means. */
export interface States {
  absent: undefined;
  /** There is none any more; its item remembers what it has answered. */
  forgotten: Session;
  closed: Session;
  idle: Session;
  activating: Session & { readonly transition: Activating };
  deactivating: Session & { readonly transition: Deactivating };
  excluding: Session & { readonly transition: Excluding };
  restoring: Session & { readonly transition: Restoring };
  disconnecting: Session & { readonly transition: Disconnecting };
}
export type State = keyof States;

/** Events by name. */
export interface Events {
  /** A request to be evaluated. */
  request: RequestEvent;
  /** A request whose stored answer still holds, one that was answered before there was an item, or one that is outdated. */
  answered: RequestEvent;
  /** A request that is being carried out or waits already. */
  repeated: RequestEvent;
  ack: OutcomeEvent;
  nak: OutcomeEvent;
  /** The NAS did not answer in time, or the relay did not report: what the NAS did is not known. */
  timeout: OutcomeEvent | DueEvent;
  /** A relay received the command and stopped before it reported: the NAS is to be asked again. */
  interrupted: OutcomeEvent;
  /** The relay did not send the command: the NAS has not been told. */
  unsent: OutcomeEvent;
  /** The outcome of a command that is not under way. */
  stray: OutcomeEvent;
  /** The time that was named has come, or a time that has been overtaken. */
  due: DueEvent;
  /** A record of a session that is not there, or is closed. */
  opened: RecordEvent;
  /** A record of the session that is known. */
  refreshed: RecordEvent;
  /** A record of a later session with the same Acct-Session-Id. */
  replaced: RecordEvent;
  /** The NAS has ended the session. */
  ended: RecordEvent | RestartEvent;
  /** A record of a service of the session. */
  witnessed: RecordEvent;
  /** The notice that the session has had no record for three intervals. */
  stale: RecordEvent;
  /** A record of what has been overtaken, or a restart of the NAS that does not concern the session. */
  late: RecordEvent | RestartEvent;
  resync: ResyncEvent;
  /** An event that made one of the latest changes, delivered again. */
  redelivered: Event;
}
export type EventName = keyof Events;

/** The events that can occur in each state. */
export interface EventsOf {
  absent: 'request' | 'stray' | 'due' | Exclude<OfTheFeed, 'refreshed' | 'replaced' | 'stale'> | 'resync';
  forgotten: EventsOf['absent'] | 'answered' | 'redelivered';
  closed: EventsOf['absent'] | 'answered' | 'redelivered';
  idle: 'request' | 'answered' | 'stray' | 'due' | 'redelivered' | Exclude<OfTheFeed, 'opened'> | 'resync';
  activating: Exclude<EventName, 'opened'>;
  deactivating: Exclude<EventName, 'opened'>;
  excluding: Exclude<EventName, 'opened'>;
  restoring: Exclude<EventName, 'opened'>;
  disconnecting: Exclude<EventName, 'opened'>;
}
type OfTheFeed = Meaning;

const STATE_OF = {
  activate: 'activating',
  deactivate: 'deactivating',
  exclude: 'excluding',
  restore: 'restoring',
  disconnect: 'disconnecting',
} as const;

export function stateOf(session: Session | undefined): State {
  if (session === undefined) return 'absent';
  if (session.isForgotten) return 'forgotten';
  if (session.transition === undefined) return isClosed(session) ? 'closed' : 'idle';
  return STATE_OF[session.transition.step];
}

/** How often the NAS is told the same thing, where each relay that is to tell it stops before it reports. */
export const MAX_TELLINGS = 3;

const NAMED_RESULTS = ['ack', 'nak', 'interrupted', 'unsent'] as const;

/** What `event` is called for `session`; always one of `EventsOf[stateOf(session)]`. */
export function eventName(session: Session | undefined, event: Event, nowMs: number): EventName {
  if (session?.recentEvents.some(({ id }) => id === event.id)) return 'redelivered';
  switch (event.kind) {
    case 'request':
      if (session === undefined) return 'request';
      if (isUnderWay(session, event.request)) return 'repeated';
      if (precedesSession(session, event.request)) return 'answered';
      if (answerGiven(session, event.request) !== undefined) return 'answered';
      return isOutdated(session, event.request) ? 'answered' : 'request';
    case 'outcome':
      if (session?.transition?.commandId !== event.commandId) return 'stray';
      if (event.result === 'interrupted' && (session.transition.tellings ?? 1) >= MAX_TELLINGS)
        return 'timeout';
      return NAMED_RESULTS.find((name) => name === event.result) ?? 'timeout';
    case 'record':
    case 'nas-restart':
      return meaningOf(session?.isForgotten ? undefined : session, event);
    case 'resync':
      return 'resync';
    case 'due':
      return session?.transition !== undefined && session.transition.deadlineMs <= nowMs ? 'timeout' : 'due';
  }
}
