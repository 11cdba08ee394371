// What can happen to a session, and what each event is called in the state that it meets.
import type { CommandOutcome, CommandResult } from './command-outcome.ts';
import { answerGiven, isUnderWay, precedesSession } from './duplicates.ts';
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
  | { readonly kind: 'due'; readonly id: string };

export type RequestEvent = Extract<Event, { kind: 'request' }>;
export type OutcomeEvent = Extract<Event, { kind: 'outcome' }>;
export type DueEvent = Extract<Event, { kind: 'due' }>;

/** The outcome of the command under way in an event: `deadline` where its time has come first. */
export function outcomeOf(event: OutcomeEvent | DueEvent): CommandOutcome {
  if (event.kind === 'due') return { result: 'deadline' };
  const { kind: _, id: __, commandId: ___, ...outcome } = event;
  return outcome;
}

/** The session that a state means. */
export interface States {
  absent: undefined;
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
  /** A request whose stored answer still holds, or one that was answered before there was an item. */
  answered: RequestEvent;
  /** A request that is being carried out or waits already. */
  repeated: RequestEvent;
  ack: OutcomeEvent;
  nak: OutcomeEvent;
  /** The NAS did not answer in time, or the relay did not report: what the NAS did is not known. */
  timeout: OutcomeEvent | DueEvent;
  /** The relay did not send the command: the NAS has not been told. */
  unsent: OutcomeEvent;
  /** The outcome of a command that is not under way. */
  stray: OutcomeEvent;
  /** The time that was named has come, or a time that has been overtaken. */
  due: DueEvent;
  /** An event that made one of the latest changes, delivered again. */
  redelivered: Event;
}
export type EventName = keyof Events;

/** The events that can occur in each state. */
export interface EventsOf {
  absent: 'request' | 'stray' | 'due';
  idle: 'request' | 'answered' | 'stray' | 'due' | 'redelivered';
  activating: EventName;
  deactivating: EventName;
  excluding: EventName;
  restoring: EventName;
  disconnecting: EventName;
}

const STATE_OF = {
  activate: 'activating',
  deactivate: 'deactivating',
  exclude: 'excluding',
  restore: 'restoring',
  disconnect: 'disconnecting',
} as const;

export function stateOf(session: Session | undefined): State {
  if (session === undefined) return 'absent';
  if (session.transition === undefined) return 'idle';
  return STATE_OF[session.transition.step];
}

const NAMED_RESULTS = ['ack', 'nak', 'unsent'] as const;

/** What `event` is called for `session`; always one of `EventsOf[stateOf(session)]`. */
export function eventName(session: Session | undefined, event: Event, nowMs: number): EventName {
  if (session?.recentEvents.some(({ id }) => id === event.id)) return 'redelivered';
  switch (event.kind) {
    case 'request':
      if (session === undefined) return 'request';
      if (isUnderWay(session, event.request)) return 'repeated';
      if (precedesSession(session, event.request)) return 'answered';
      return answerGiven(session, event.request) === undefined ? 'request' : 'answered';
    case 'outcome':
      if (session?.transition?.commandId !== event.commandId) return 'stray';
      return NAMED_RESULTS.find((name) => name === event.result) ?? 'timeout';
    case 'due':
      return session?.transition !== undefined && session.transition.deadlineMs <= nowMs ? 'timeout' : 'due';
  }
}
