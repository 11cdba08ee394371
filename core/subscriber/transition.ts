// What becomes of a subscriber session when something happens to it. Pure: no clock, no randomness, no I/O.
//
// How it works
//
// A request activates services (A) and may deactivate some by name. What shares a mutex group with A and was
// active before, and what is deactivated by name, are its victims. A becomes active first, and only then do the
// victims go, so the subscriber is never without a service:
//
//              request                    ack                          ack, nak, silence
//     rest ──────────────▶ activating ───────────▶ deactivating ─────────────────────────▶ rest, ACK
//                              │ nak: NAK, nothing changed
//                              │ silence: NAK 505, A is undone
//
// At a NAS with `enforcement: none` there is nobody to wait for, and all of it is one step. Otherwise each arrow is
// one conditional write of the session, and one command to the NAS is under way at a time. A service whose
// deactivation the NAS has not confirmed stays `deactivating` and is tried again, with growing pauses, until it
// has; so does one whose activation was never answered, which may be there or not. Requests that arrive meanwhile
// wait in order.
//
// The table below says what each event means in each state. The same event twice changes nothing the second
// time but has its effects repeated, so that a crash between writing and sending loses nothing.

import type { OutcomeMessage } from '../messages.ts';
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { chunks, dialect, stepOf, tell, untellable } from './command.ts';
import {
  ACK,
  activate,
  answer,
  type Draft,
  end,
  mark,
  refuse,
  reply,
  retryLater,
  withoutIdleRetry,
  withServices,
} from './draft.ts';
import { answerGiven, isUnderWay } from './duplicates.ts';
import { plan, refusalOf, victimsOf } from './exclusion.ts';
import type {
  Activating,
  Deactivating,
  Effect,
  RecentEvent,
  ServiceRequest,
  ServiceSession,
  Session,
} from './session.ts';

export type Event =
  | { readonly kind: 'request'; readonly id: string; readonly request: ServiceRequest }
  | {
      readonly kind: 'outcome';
      readonly id: string;
      readonly commandId: string;
      readonly result: OutcomeMessage['result'];
      readonly errorCause?: number;
    }
  /** The time that `dueAtMs` named has come. */
  | { readonly kind: 'due'; readonly id: string };

/** What follows from an event: the session to be stored, absent when nothing changed, and then the effects. */
export interface Result {
  readonly session?: Session;
  readonly effects: readonly Effect[];
}

/** Requests that may wait for one subscriber session; one more is refused with 506. */
export const MAX_WAITING = 8;
/** Of each queue. The inbox keeps a session's order and time makes few events, so a few are enough; but while one that
 * time made waits to be delivered again, the inbox may bring any number. */
const EVENTS_KEPT = 2;

/**
 * Decides what `event` means for `session`. `session` is absent when there is none stored; an event of kind
 * `request` then creates it. The result's session still has the revision that was read: it is the condition of its
 * write, which adds one.
 */
export function transition(session: Session | undefined, event: Event, nowMs: number): Result {
  const state = stateOf(session);
  const name = eventName(session, event, nowMs);
  // The table's type proves that each cell fits its state and event; an index by two variables cannot carry that.
  const cell = TABLE[state][name] as (session: Session | undefined, event: Event, nowMs: number) => Change;
  const before = session && { ...session, ended: {} };
  const change = cell(before, event, nowMs);
  if (change.session === undefined || change.session === before) return { effects: change.effects };
  const { effects } = change;
  const recentEvents = remember(change.session.recentEvents, {
    id: event.id,
    queue: event.kind === 'due' ? 'due' : 'inbox',
    effects,
  });
  const version = change.session.version + (changesServices(session, change.session) ? 1 : 0);
  return {
    session: { ...withoutIdleRetry(change.session), version, changedAtMs: nowMs, recentEvents },
    effects,
  };
}

/** Whether a change is one of the session's `version`: of its services, of what is under way, or of what was answered. */
function changesServices(before: Session | undefined, after: Session): boolean {
  return (
    before?.services !== after.services ||
    before.transition !== after.transition ||
    before.waiting !== after.waiting ||
    before.answered !== after.answered
  );
}

function remember(events: readonly RecentEvent[], latest: RecentEvent): readonly RecentEvent[] {
  const others = events.filter(({ queue }) => queue !== latest.queue);
  const alike = events.filter(({ queue }) => queue === latest.queue);
  return [...others, ...[...alike, latest].slice(-EVENTS_KEPT)];
}

/** When the session has to be looked at again without anything happening to it; absent when never. */
export function dueAtMs(session: Session): number | undefined {
  if (session.transition !== undefined) return session.transition.deadlineMs;
  const times = Object.values(session.services).flatMap(({ state, expiresAtMs }) =>
    state === 'active' && expiresAtMs !== undefined ? [expiresAtMs] : [],
  );
  if (session.retry !== undefined) times.push(session.retry.atMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

// --- States and events ----------------------------------------------------------------------------------------

type State = 'absent' | 'rest' | 'activating' | 'deactivating';

interface Situations {
  absent: undefined;
  rest: Session;
  activating: Session & { readonly transition: Activating };
  deactivating: Session & { readonly transition: Deactivating };
}

type RequestEvent = Extract<Event, { kind: 'request' }>;
type OutcomeEvent = Extract<Event, { kind: 'outcome' }>;
type DueEvent = Extract<Event, { kind: 'due' }>;

interface Events {
  /** A request to be evaluated. */
  request: RequestEvent;
  /** A request whose stored answer still holds. */
  answered: RequestEvent;
  /** A request that is being carried out or waits already. */
  repeated: RequestEvent;
  ack: OutcomeEvent;
  nak: OutcomeEvent;
  /** The NAS did not answer, so what it did is not known. */
  silence: OutcomeEvent | DueEvent;
  /** The outcome of a command that nobody waits for any more. */
  stray: OutcomeEvent;
  due: DueEvent;
  /** An event that made one of the latest changes, delivered again. */
  redelivered: Event;
}

function stateOf(session: Session | undefined): State {
  if (session === undefined) return 'absent';
  if (session.transition === undefined) return 'rest';
  return session.transition.step === 'activate' ? 'activating' : 'deactivating';
}

function eventName(session: Session | undefined, event: Event, nowMs: number): keyof Events {
  if (session?.recentEvents.some(({ id }) => id === event.id)) return 'redelivered';
  switch (event.kind) {
    case 'request':
      if (session === undefined) return 'request';
      if (isUnderWay(session, event.request)) return 'repeated';
      return answerGiven(session, event.request) === undefined ? 'request' : 'answered';
    case 'outcome':
      if (session?.transition?.commandId !== event.commandId) return 'stray';
      return event.result === 'ack' || event.result === 'nak' ? event.result : 'silence';
    case 'due':
      return session?.transition !== undefined && session.transition.deadlineMs <= nowMs ? 'silence' : 'due';
  }
}

// --- The table ------------------------------------------------------------------------------------------------

type Table = {
  readonly [S in State]: {
    readonly [E in keyof Events]: (session: Situations[S], event: Events[E], nowMs: number) => Change;
  };
};

// biome-ignore format: one line per state and event is what makes it a table.
const TABLE: Table = {
  absent: {
    request:     create,
    answered:    nothing,
    repeated:    nothing,
    ack:         nothing,
    nak:         nothing,
    silence:     nothing,
    stray:       nothing,
    due:         nothing,
    redelivered: nothing,
  },
  rest: {
    request:     evaluate,
    answered:    answerAgain,
    repeated:    nothing,
    ack:         nothing,
    nak:         nothing,
    silence:     nothing,
    stray:       nothing,
    due:         tidy,
    redelivered: repeatEffects,
  },
  activating: {
    request:     wait,
    answered:    answerAgain,
    repeated:    nothing,
    ack:         activationConfirmed,
    nak:         activationRefused,
    silence:     activationUnanswered,
    stray:       nothing,
    due:         nothing,
    redelivered: repeatEffects,
  },
  deactivating: {
    request:     wait,
    answered:    answerAgain,
    repeated:    nothing,
    ack:         deactivationConfirmed,
    nak:         deactivationRefused,
    silence:     deactivationUnanswered,
    stray:       nothing,
    due:         nothing,
    redelivered: repeatEffects,
  },
};

// --- Requests -------------------------------------------------------------------------------------------------

/** What a cell makes of its state: a draft, or effects alone when the session stays as it is. */
type Change = Draft | { readonly session?: undefined; readonly effects: readonly Effect[] };

function nothing(): Change {
  return { effects: [] };
}

/** What the event had to send may not have been sent. A command that nobody waits for any more must not be. */
function repeatEffects(session: Session, event: Event): Change {
  const effects = session.recentEvents.find(({ id }) => id === event.id)?.effects ?? [];
  return {
    effects: effects.filter((one) => one.kind === 'reply' || one.commandId === session.transition?.commandId),
  };
}

function create(_: undefined, event: RequestEvent, nowMs: number): Change {
  const { nas, acctSessionId, identity, classes } = event.request;
  const session: Session = {
    nas,
    acctSessionId,
    identity,
    classes,
    services: {},
    nextServiceNumber: 1,
    waiting: [],
    ended: {},
    answered: [],
    changedAtMs: nowMs,
    recentEvents: [],
    version: 0,
    revision: 0,
  };
  return begin({ session, effects: [] }, event.request, nowMs);
}

function evaluate(session: Session, event: RequestEvent, nowMs: number): Change {
  return begin({ session, effects: [] }, event.request, nowMs);
}

function answerAgain(session: Session, event: RequestEvent): Change {
  const given = answerGiven(session, event.request);
  return { effects: given === undefined ? [] : [reply(event.request, given)] };
}

function wait(session: Session, event: RequestEvent, nowMs: number): Change {
  if (session.waiting.length < MAX_WAITING) {
    return { session: { ...session, waiting: [...session.waiting, event.request] }, effects: [] };
  }
  const refusal = refuse('Resources-Unavailable', `${MAX_WAITING} requests wait already`);
  return answer({ session, effects: [] }, event.request, refusal, nowMs);
}

/** Starts to carry out a request on a session at rest. */
function begin(draft: Draft, request: ServiceRequest, nowMs: number): Draft {
  const refusal = refusalOf(draft.session, request);
  if (refusal !== undefined) return settle(draft, { request, ...refusal }, nowMs);

  const victims = victimsOf(draft.session, request);
  const { session, planned } = plan(draft.session, request);
  const owed = { request, ...ACK };
  if (session.nas.enforcement === 'none') {
    const activated = mark(withServices(session, activate(planned, nowMs)), victims);
    return settle({ ...draft, session: end(activated, victims, request.correlationId) }, owed, nowMs);
  }
  const activations = Object.keys(planned);
  if (activations.length === 0) {
    return deactivate(
      { ...draft, session: mark(session, victims) },
      victims,
      request.correlationId,
      owed,
      nowMs,
    );
  }
  const commands = chunks(activations, dialect(session).servicesPerCommand.activate);
  for (const command of commands) {
    const untold = untellable(session, planOf(command, planned));
    if (untold !== undefined) return settle(draft, { request, ...untold }, nowMs);
  }
  return tellToActivate({ ...draft, session }, commands, { request, planned, confirmed: [], victims }, nowMs);
}

// --- Outcomes -------------------------------------------------------------------------------------------------

function activationConfirmed(session: Situations['activating'], _: OutcomeEvent, nowMs: number): Change {
  const { request, planned, victims, underWay, remaining } = session.transition;
  const confirmed = [...session.transition.confirmed, ...underWay];
  if (remaining.length > 0) {
    return tellToActivate(
      { session, effects: [] },
      remaining,
      { request, planned, confirmed, victims },
      nowMs,
    );
  }
  const activated = mark(withServices(session, activate(planned, nowMs)), victims);
  return deactivate(
    { session: activated, effects: [] },
    victims,
    request.correlationId,
    { request, ...ACK },
    nowMs,
  );
}

function activationRefused(session: Situations['activating'], event: OutcomeEvent, nowMs: number): Change {
  const { request, planned, confirmed } = session.transition;
  const { errorCause } = event;
  const owed = {
    request,
    answer: 'nak',
    ...(errorCause !== undefined && { errorCause }),
    reason: `the NAS refused ${session.transition.underWay.join(', ')}`,
  } as const;
  return undo(session, planned, confirmed, request.correlationId, owed, nowMs);
}

const WHY_UNKNOWN = {
  timeout: 'the NAS did not answer',
  unreachable: 'the NAS cannot be reached',
  interrupted: 'the relay was interrupted while it waited for the NAS',
  expired: 'the relay got the command too late',
  deadline: 'the relay did not report in time',
} as const;

function resultOf(event: OutcomeEvent | DueEvent): keyof typeof WHY_UNKNOWN {
  if (event.kind === 'due' || event.result === 'ack' || event.result === 'nak') return 'deadline';
  return event.result;
}

/** The NAS may have activated or not: the client hears 505 now, and the NAS is told to take it back. */
function activationUnanswered(
  session: Situations['activating'],
  event: OutcomeEvent | DueEvent,
  nowMs: number,
): Change {
  const { request, planned, confirmed, underWay } = session.transition;
  const refusal = refuse('Other-Proxy-Processing-Error', WHY_UNKNOWN[resultOf(event)]);
  const answered = answer({ session, effects: [] }, request, refusal, nowMs);
  return undo(
    answered.session,
    planned,
    [...confirmed, ...underWay],
    request.correlationId,
    undefined,
    nowMs,
    answered.effects,
  );
}

/** Takes back what the NAS may have activated, except what the subscriber had before. */
function undo(
  session: Session,
  planned: Activating['planned'],
  activations: readonly string[],
  correlationId: string,
  owed: Deactivating['owed'],
  nowMs: number,
  effects: readonly Effect[] = [],
): Draft {
  const strangers = activations.filter((activation) => session.services[activation] === undefined);
  const entries = strangers.flatMap((activation) => {
    const service = planned[activation];
    return service === undefined ? [] : [[activation, { ...service, state: 'deactivating' }] as const];
  });
  const marked = withServices(session, Object.fromEntries(entries));
  return deactivate({ session: marked, effects }, strangers, correlationId, owed, nowMs);
}

function deactivationConfirmed(session: Situations['deactivating'], _: OutcomeEvent, nowMs: number): Change {
  const { underWay, remaining, correlationId } = session.transition;
  const ended = end(session, underWay, correlationId);
  return tellToDeactivate({ session: ended, effects: [] }, remaining, about(session), nowMs);
}

function deactivationRefused(
  session: Situations['deactivating'],
  event: OutcomeEvent,
  nowMs: number,
): Change {
  const { underWay, remaining } = session.transition;
  const gone = event.errorCause !== undefined && dialect(session).alreadyGone.includes(event.errorCause);
  if (gone && underWay.length === 1) return deactivationConfirmed(session, event, nowMs);
  const draft = { session, effects: [] };
  if (!gone) return tellToDeactivate(draft, remaining, { ...about(session), failed: true }, nowMs);
  // A NAS refuses the whole command when one of its services is not there (RFC 5176 section 2.3). Which one, it says
  // when it is told of each by itself.
  const singly = underWay.map((activation) => [activation]);
  return tellToDeactivate(draft, [...singly, ...remaining], about(session), nowMs);
}

function about({ transition: { correlationId, owed, failed } }: Situations['deactivating']) {
  return { correlationId, ...(owed && { owed }), ...(failed && { failed }) };
}

function deactivationUnanswered(session: Situations['deactivating'], _: Event, nowMs: number): Change {
  return tellToDeactivate({ session, effects: [] }, [], { ...about(session), failed: true }, nowMs);
}

// --- Time -----------------------------------------------------------------------------------------------------

/** Deactivates what has outlived its Service-Timeout, and tries again what is still `deactivating`. */
function tidy(session: Session, event: DueEvent, nowMs: number): Change {
  const expired = Object.values(session.services).filter(
    ({ state, expiresAtMs }) => state === 'active' && expiresAtMs !== undefined && expiresAtMs <= nowMs,
  );
  const overdue = session.retry !== undefined && session.retry.atMs <= nowMs;
  if (expired.length === 0 && !overdue) return nothing();
  const names = expired.map(({ activation }) => activation);
  const marked = mark(session, names, TERMINATE_CAUSE['Session-Timeout']);
  const going = Object.values(marked.services).flatMap(({ state, activation }) =>
    state === 'deactivating' && (overdue || names.includes(activation)) ? [activation] : [],
  );
  if (session.nas.enforcement === 'none') return { session: end(marked, going, event.id), effects: [] };
  return deactivate({ session: marked, effects: [] }, going, event.id, undefined, nowMs);
}

// --- Steps ----------------------------------------------------------------------------------------------------

function planOf(activations: readonly string[], planned: Activating['planned']): readonly ServiceSession[] {
  return activations.flatMap((activation) => planned[activation] ?? []);
}

function tellToActivate(
  draft: Draft,
  [underWay = [], ...remaining]: readonly (readonly string[])[],
  rest: Pick<Activating, 'request' | 'planned' | 'confirmed' | 'victims'>,
  nowMs: number,
): Draft {
  const services = planOf(underWay, rest.planned);
  const command = tell(draft.session, 'activate', services, rest.request.correlationId, nowMs);
  const step: Activating = { step: 'activate', ...stepOf(draft.session, command), remaining, ...rest };
  return { session: { ...draft.session, transition: step }, effects: [...draft.effects, command] };
}

/** Tells the NAS to deactivate services, which are marked as `deactivating` already; none: it is settled. */
function deactivate(
  draft: Draft,
  activations: readonly string[],
  correlationId: string,
  owed: Deactivating['owed'],
  nowMs: number,
): Draft {
  const commands = chunks(activations, dialect(draft.session).servicesPerCommand.deactivate);
  return tellToDeactivate(draft, commands, { correlationId, ...(owed && { owed }) }, nowMs);
}

function tellToDeactivate(
  draft: Draft,
  [underWay, ...remaining]: readonly (readonly string[])[],
  rest: Pick<Deactivating, 'correlationId' | 'owed' | 'failed'>,
  nowMs: number,
): Draft {
  if (underWay === undefined) return settle(rest.failed ? laterAgain(draft, nowMs) : draft, rest.owed, nowMs);
  const services = underWay.flatMap((activation) => draft.session.services[activation] ?? []);
  const command = tell(draft.session, 'deactivate', services, rest.correlationId, nowMs);
  const step: Deactivating = { step: 'deactivate', ...rest, ...stepOf(draft.session, command), remaining };
  return { session: { ...draft.session, transition: step }, effects: [...draft.effects, command] };
}

/** The change is settled: whoever waits for it is answered, and the session goes on to what waited meanwhile. */
function settle(draft: Draft, owed: Deactivating['owed'], nowMs: number): Draft {
  const { transition: _, ...session } = draft.session;
  const settled = { ...draft, session };
  return proceed(owed === undefined ? settled : answer(settled, owed.request, owed, nowMs), nowMs);
}

function laterAgain({ session, effects }: Draft, nowMs: number): Draft {
  return { session: { ...session, ...retryLater(session, nowMs) }, effects };
}

function proceed(draft: Draft, nowMs: number): Draft {
  const [next, ...waiting] = draft.session.waiting;
  if (next === undefined) return draft;
  return begin({ ...draft, session: { ...draft.session, waiting } }, next, nowMs);
}
