// What becomes of a subscriber session when something happens to it. Pure: no clock, no randomness, no I/O.
//
// How it works
//
// A request activates services (A) and may deactivate some by name. Its victims are the services that share a mutex
// group with A and were active before it, and those that it deactivates by name. A becomes active first, then the victims
// are deactivated, so the subscriber is never without a service of the group:
//
//              request                    ack                          ack, nak, timeout
//     idle ──────────────▶ activating ───────────▶ deactivating ─────────────────────────▶ idle, ACK
//                              │ nak: NAK, nothing changed
//                              │ timeout: NAK 505, A is undone
//
// With `enforcement: none` there is no NAS to confirm, and all of it is one step. With `coa` each arrow is one conditional
// write of the session, and one command to the NAS is under way at a time. A service stays `deactivating` until the NAS
// has confirmed its deactivation, and is retried with growing pauses; so is one whose activation was never answered, which
// the NAS may have or not. Requests that arrive meanwhile wait in order.
//
// The table below gives what each event does in each state. The same event twice changes nothing the second time but has
// its effects repeated, so that a crash between writing and sending loses nothing. Where an event can lead, as the
// exhaustive search sees it:
//
//     absent × request → idle, activating
//     absent × stray → absent
//     absent × due → absent
//     idle × request → idle, activating, deactivating
//     idle × answered → idle
//     idle × stray → idle
//     idle × due → idle, deactivating
//     idle × redelivered → idle
//     activating × request → activating
//     activating × answered → activating
//     activating × repeated → activating
//     activating × ack → idle, activating, deactivating
//     activating × nak → idle, activating, deactivating
//     activating × timeout → idle, activating, deactivating
//     activating × stray → activating
//     activating × due → activating
//     activating × redelivered → activating
//     deactivating × request → deactivating
//     deactivating × answered → deactivating
//     deactivating × repeated → deactivating
//     deactivating × ack → idle, activating, deactivating
//     deactivating × nak → idle, activating, deactivating
//     deactivating × timeout → idle, activating, deactivating
//     deactivating × stray → deactivating
//     deactivating × due → deactivating
//     deactivating × redelivered → deactivating
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { chunks, deactivate, dialect, planOf, tellToActivate, untellable } from './command.ts';
import {
  ACK,
  activate,
  answer,
  type Draft,
  end,
  mark,
  refuse,
  reply,
  settle,
  withoutIdleRetry,
  withServices,
} from './draft.ts';
import { answerGiven } from './duplicates.ts';
import {
  type DueEvent,
  type Event,
  type EventName,
  type Events,
  type EventsOf,
  eventName,
  type RequestEvent,
  type State,
  type States,
  stateOf,
} from './event.ts';
import { plan, refusalOf, victimsOf } from './exclusion.ts';
import {
  activationConfirmed,
  activationRefused,
  activationUnanswered,
  deactivationConfirmed,
  deactivationRefused,
  deactivationUnanswered,
} from './outcomes.ts';
import type { Effect, RecentEvent, ServiceRequest, Session } from './session.ts';

/** What follows from an event: the session to be stored, absent when nothing changed, and then the effects. */
export interface Result {
  readonly session?: Session;
  readonly effects: readonly Effect[];
}

/** Requests that may wait for one subscriber session; one more is refused with 506. */
export const MAX_WAITING = 8;
/** Of each queue. The inbox keeps a session's order and time makes few events, so a few are enough; but while an event of
 * time waits to be delivered again, the inbox may bring any number. */
const EVENTS_KEPT = 2;

/**
 * Decides what `event` means for `session` at `nowMs`, milliseconds since 1970-01-01 UTC. `session` is absent when there
 * is none stored; an event of kind `request` then creates it. The result's session still has the revision that was read:
 * it is the condition of its write, which adds one.
 */
export function transition(session: Session | undefined, event: Event, nowMs: number): Result {
  const cell = TABLE[stateOf(session)] as Partial<Record<EventName, AnyCell>>;
  const name = eventName(session, event, nowMs);
  const change = cell[name]?.({ session: session && { ...session, ended: {} }, effects: [], nowMs }, event);
  if (change === undefined) throw new Error(`${name} cannot occur in the state ${stateOf(session)}`);
  if (change.session === undefined) return { effects: change.effects };

  const { session: next, effects } = workOff(change);
  const recentEvents = remember(next.recentEvents, {
    id: event.id,
    queue: event.kind === 'due' ? 'due' : 'inbox',
    effects,
  });
  const version = next.version + (changesServices(session, next) ? 1 : 0);
  return { session: { ...withoutIdleRetry(next), version, changedAtMs: nowMs, recentEvents }, effects };
}

/** Once a session is idle it begins with the request that has waited longest, until one has to wait for the NAS. */
function workOff(draft: Draft): Draft {
  let current = draft;
  while (current.session.transition === undefined) {
    const [next, ...waiting] = current.session.waiting;
    if (next === undefined) break;
    current = begin({ ...current, session: { ...current.session, waiting } }, next);
  }
  return current;
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

/** When the session has to be looked at again without anything happening to it; undefined when never. */
export function dueAtMs(session: Session): number | undefined {
  if (session.transition !== undefined) return session.transition.deadlineMs;
  const times = Object.values(session.services).flatMap(({ state, expiresAtMs }) =>
    state === 'active' && expiresAtMs !== undefined ? [expiresAtMs] : [],
  );
  if (session.retry !== undefined) times.push(session.retry.atMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

// --- The table ------------------------------------------------------------------------------------------------

/** What a cell makes of its state: a draft, or effects alone when the session stays as it is. */
type Change = Draft | { readonly session?: undefined; readonly effects: readonly Effect[] };

type Cell<S, E> = (draft: Draft<S>, event: E) => Change;
/** The table's type proves that each cell fits its state and event; an index by two variables cannot carry that. */
type AnyCell = Cell<Session | undefined, Event>;

type Table = {
  readonly [S in State]: { readonly [E in EventsOf[S]]: Cell<States[S], Events[E]> };
};

// biome-ignore format: one line per state and event is what makes it a table.
const TABLE: Table = {
  absent: {
    request:     create,
    stray:       ignore,
    due:         ignore,
  },
  idle: {
    request:     begun,
    answered:    answerAgain,
    stray:       ignore,
    due:         tidy,
    redelivered: repeatEffects,
  },
  activating: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         activationConfirmed,
    nak:         activationRefused,
    timeout:     activationUnanswered,
    stray:       ignore,
    due:         ignore,
    redelivered: repeatEffects,
  },
  deactivating: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         deactivationConfirmed,
    nak:         deactivationRefused,
    timeout:     deactivationUnanswered,
    stray:       ignore,
    due:         ignore,
    redelivered: repeatEffects,
  },
};

function ignore(): Change {
  return { effects: [] };
}

/** What the event had to send may not have been sent. A command that is no longer under way must not be sent again. */
function repeatEffects({ session }: Draft, event: Event): Change {
  const effects = session.recentEvents.find(({ id }) => id === event.id)?.effects ?? [];
  return {
    effects: effects.filter((one) => one.kind === 'reply' || one.commandId === session.transition?.commandId),
  };
}

// --- Requests -------------------------------------------------------------------------------------------------

function create({ nowMs }: Draft<undefined>, { request }: RequestEvent): Draft {
  const { nas, acctSessionId, identity, classes } = request;
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
  return begin({ session, effects: [], nowMs }, request);
}

function begun(draft: Draft, { request }: RequestEvent): Draft {
  return begin(draft, request);
}

function answerAgain({ session }: Draft, { request }: RequestEvent): Change {
  const given = answerGiven(session, request);
  return { effects: given === undefined ? [] : [reply(request, given)] };
}

function wait(draft: Draft, { request }: RequestEvent): Draft {
  const { session } = draft;
  if (session.waiting.length < MAX_WAITING) {
    return { ...draft, session: { ...session, waiting: [...session.waiting, request] } };
  }
  return answer(draft, {
    request,
    ...refuse('Resources-Unavailable', `${MAX_WAITING} requests wait already`),
  });
}

/** Starts to carry out a request on an idle session. */
function begin(draft: Draft, request: ServiceRequest): Draft {
  const refusal = refusalOf(draft.session, request);
  if (refusal !== undefined) return settle(draft, { request, ...refusal });

  const victims = victimsOf(draft.session, request);
  const { session, planned } = plan(draft.session, request);
  const { correlationId } = request;
  const owed = { request, ...ACK };
  if (session.nas.enforcement === 'none') {
    const activated = mark(withServices(session, activate(planned, draft.nowMs)), victims);
    return settle({ ...draft, session: end(activated, victims, correlationId) }, owed);
  }
  const activations = Object.keys(planned);
  if (activations.length === 0) {
    return deactivate({ ...draft, session: mark(session, victims) }, victims, { correlationId, owed });
  }
  const commands = chunks(activations, dialect(session).servicesPerCommand.activate);
  for (const command of commands) {
    const untold = untellable(session, planOf(command, planned));
    if (untold !== undefined) return settle(draft, { request, ...untold });
  }
  return tellToActivate({ ...draft, session }, commands, { request, planned, confirmed: [], victims });
}

// --- Time -----------------------------------------------------------------------------------------------------

/** Deactivates what has outlived its Service-Timeout, and retries what is still `deactivating`. */
function tidy(draft: Draft, { id: correlationId }: DueEvent): Change {
  const { session, nowMs } = draft;
  const expired = Object.values(session.services).filter(
    ({ state, expiresAtMs }) => state === 'active' && expiresAtMs !== undefined && expiresAtMs <= nowMs,
  );
  const overdue = session.retry !== undefined && session.retry.atMs <= nowMs;
  if (expired.length === 0 && !overdue) return ignore();
  const names = expired.map(({ activation }) => activation);
  const marked = mark(session, names, TERMINATE_CAUSE['Session-Timeout']);
  const going = Object.values(marked.services).flatMap(({ state, activation }) =>
    state === 'deactivating' && (overdue || names.includes(activation)) ? [activation] : [],
  );
  if (session.nas.enforcement === 'none') return { ...draft, session: end(marked, going, correlationId) };
  return deactivate({ ...draft, session: marked }, going, { correlationId });
}
