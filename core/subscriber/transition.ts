// What becomes of a subscriber session when something happens to it. Pure: no clock, no randomness, no I/O.
//
// How it works
//
// The table of sessions is a memory of what the NAS has said. A request activates services (A) and deactivates some by name
// (E). Its victims (V) share a mutex group with A. With `order: activate-first` the NAS is told A, then E, then V, so the
// subscriber is never without a service of the group; the answer depends on A and E:
//
//              request              ack             ack              ack, nak, timeout
//     idle ─────────────▶ activating ──▶ deactivating ──▶ excluding ────────────────────▶ idle, ACK
//                              │ A refused, or      │ E refused, or
//                              │ unanswered: NAK    │ unanswered: NAK
//                              ▼                    ▼
//                         restoring, what was there; then excluding, what is undone ────▶ idle
//
// A NAK means that the NAS ends up as it was, an ACK that it ends up as asked. What cannot be found out is `unconfirmed`: it is
// shown, and the next request of its group settles it. With `order: together` E and V go along with A, with
// `deactivate-first` they are told before it: `steps.ts` has the order.
//
// With `enforcement: none` there is no NAS to confirm anything, and all of it is one step. With `coa` each arrow is one
// conditional write of the session, and one command to the NAS is under way at a time. What the NAS does not confirm is told
// again, each service with growing pauses of its own. Requests that arrive meanwhile wait in order.
//
// A Disconnect-Request is a request like the others. Its one command makes the state `disconnecting`, and all services end
// with the ACK: `disconnect.ts`.
//
// The table below gives what each event does in each state. The same event twice changes nothing the second time but has
// its effects repeated, so that a crash between writing and sending loses nothing. Where an event can lead, as the
// exhaustive search sees it:
//
//     absent × request → absent, idle, activating, deactivating, disconnecting
//     absent × stray → absent
//     absent × due → absent
//     idle × request → idle, activating, deactivating, disconnecting
//     idle × answered → idle
//     idle × stray → idle
//     idle × due → idle, excluding, restoring
//     idle × redelivered → idle
//     activating × request → activating
//     activating × answered → activating
//     activating × repeated → activating
//     activating × ack → idle, activating, deactivating, excluding, disconnecting
//     activating × nak → idle, activating, deactivating, excluding, restoring, disconnecting
//     activating × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     activating × unsent → idle, activating, deactivating, excluding, restoring, disconnecting
//     activating × stray → activating
//     activating × due → activating
//     activating × redelivered → activating
//     deactivating × request → deactivating
//     deactivating × answered → deactivating
//     deactivating × repeated → deactivating
//     deactivating × ack → idle, activating, deactivating, excluding
//     deactivating × nak → idle, activating, deactivating, excluding, restoring
//     deactivating × timeout → idle, activating, deactivating, excluding, restoring
//     deactivating × unsent → idle, activating, deactivating, excluding, restoring
//     deactivating × stray → deactivating
//     deactivating × due → deactivating
//     deactivating × redelivered → deactivating
//     excluding × request → excluding
//     excluding × answered → excluding
//     excluding × repeated → excluding
//     excluding × ack → idle, activating, deactivating, excluding, restoring, disconnecting
//     excluding × nak → idle, activating, deactivating, excluding, restoring, disconnecting
//     excluding × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     excluding × unsent → idle, activating, deactivating, disconnecting
//     excluding × stray → excluding
//     excluding × due → excluding
//     excluding × redelivered → excluding
//     restoring × request → restoring
//     restoring × answered → restoring
//     restoring × repeated → restoring
//     restoring × ack → idle, activating, deactivating, excluding, restoring, disconnecting
//     restoring × nak → idle, activating, deactivating, excluding, restoring
//     restoring × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     restoring × unsent → idle, activating, deactivating, excluding
//     restoring × stray → restoring
//     restoring × due → restoring
//     restoring × redelivered → restoring
//     disconnecting × request → disconnecting
//     disconnecting × answered → disconnecting
//     disconnecting × repeated → disconnecting
//     disconnecting × ack → idle, activating, disconnecting
//     disconnecting × nak → idle, activating, disconnecting
//     disconnecting × timeout → idle, activating, excluding, disconnecting
//     disconnecting × unsent → idle, activating, disconnecting
//     disconnecting × stray → disconnecting
//     disconnecting × due → disconnecting
//     disconnecting × redelivered → disconnecting
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { accountingRefusal } from './accounting-refusal.ts';
import { settleAccounts } from './accounts.ts';
import { chunks, dialect, toldOf, untellable } from './command.ts';
import {
  disconnectConfirmed,
  disconnectRefused,
  disconnectUnanswered,
  disconnectUnsent,
  startDisconnect,
} from './disconnect.ts';
import { ACK, activated, answer, type Draft, end, mark, nak, reply, settle, withServices } from './draft.ts';
import { answerGiven, REPLAY_WINDOW_MS } from './duplicates.ts';
import {
  type DueEvent,
  type Event,
  type EventName,
  type Events,
  type EventsOf,
  eventName,
  outcomeOf,
  type RequestEvent,
  type State,
  type States,
  stateOf,
} from './event.ts';
import { jobOf, overCapacity, refusalOf } from './exclusion.ts';
import { atNas } from './key.ts';
import {
  activationConfirmed,
  activationRefused,
  activationUnanswered,
  activationUnsent,
  deactivationConfirmed,
  deactivationRefused,
  deactivationUnanswered,
  deactivationUnsent,
  exclusionConfirmed,
  exclusionRefused,
  exclusionUnanswered,
  restorationConfirmed,
  restorationRefused,
  restorationUnanswered,
} from './outcomes.ts';
import type { Effect, Job, RecentEvent, ServiceRequest, ServiceSession, Session } from './session.ts';
import { alongsOf, isUnknown, proceed, startJob, strangers } from './steps.ts';

/** What follows from an event: the session to be stored, absent when nothing changed, and then the effects. */
export interface Result {
  readonly session?: Session;
  readonly effects: readonly Effect[];
  /** Nothing is in the session any more: it is to be removed once the effects are sent. */
  readonly isOver?: true;
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
  if (change.session === undefined) {
    return { effects: change.effects, ...(session && canGo(session, event, nowMs) && { isOver: true }) };
  }

  const worked = workOff(change);
  const { effects } = worked;
  const next = settleAccounts(session, worked);
  // A refusal that was found without the NAS leaves no trace of an unknown session.
  if (session === undefined && isEmpty(next)) return { effects };
  const recentEvents = remember(next.recentEvents, {
    id: event.id,
    queue: event.kind === 'due' ? 'due' : 'inbox',
    effects,
    ...(event.kind === 'outcome' || (event.kind === 'due' && name === 'timeout')
      ? { outcome: outcomeOf(event) }
      : {}),
  });
  const version = next.version + (changesServices(session, next) ? 1 : 0);
  const decided = { ...next, version, changedAtMs: nowMs, recentEvents };
  return { session: decided, effects, ...(canGo(decided, event, nowMs) && { isOver: true }) };
}

/** Whether nothing is in a session and nothing is under way: such a session is not kept. */
function isEmpty({ services, transition, waiting }: Session): boolean {
  return transition === undefined && waiting.length === 0 && Object.keys(services).length === 0;
}

/** For so long a repeat of an acknowledged request finds its answer, also in a session that is empty since. */
const EMPTY_FOR_MS = REPLAY_WINDOW_MS;

/**
 * Whether the session is removed: it has been empty for 300 s, or `event`, perhaps delivered again, has made it empty and none
 * of its requests was acknowledged. A request that was refused leaves no trace; its repeat is evaluated again.
 */
function canGo(session: Session, event: Event, nowMs: number): boolean {
  if (!isEmpty(session)) return false;
  const isLatest = session.recentEvents.at(-1)?.id === event.id;
  const isRefused = session.answered.every(({ answer }) => answer === 'nak');
  return session.changedAtMs + EMPTY_FOR_MS <= nowMs || (isLatest && isRefused);
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

/** Whether a Service-Timeout is to end the service. It ends also what the NAS may have: some NASes have no timeout. */
function canExpire(service: ServiceSession): service is ServiceSession & { readonly expiresAtMs: number } {
  return service.state !== 'deactivating' && service.expiresAtMs !== undefined;
}

/** When the session has to be looked at again without anything happening to it; undefined when never. */
export function dueAtMs(session: Session): number | undefined {
  if (session.transition !== undefined) return session.transition.deadlineMs;
  if (isEmpty(session)) return session.changedAtMs + EMPTY_FOR_MS;
  const times = Object.values(session.services).flatMap((service) => [
    ...(canExpire(service) ? [service.expiresAtMs] : []),
    ...(service.retry === undefined ? [] : [service.retry.atMs]),
  ]);
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
    unsent:      activationUnsent,
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
    unsent:      deactivationUnsent,
    stray:       ignore,
    due:         ignore,
    redelivered: repeatEffects,
  },
  excluding: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         exclusionConfirmed,
    nak:         exclusionRefused,
    timeout:     exclusionUnanswered,
    unsent:      exclusionUnanswered,
    stray:       ignore,
    due:         ignore,
    redelivered: repeatEffects,
  },
  restoring: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         restorationConfirmed,
    nak:         restorationRefused,
    timeout:     restorationUnanswered,
    unsent:      restorationUnanswered,
    stray:       ignore,
    due:         ignore,
    redelivered: repeatEffects,
  },
  disconnecting: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         disconnectConfirmed,
    nak:         disconnectRefused,
    timeout:     disconnectUnanswered,
    unsent:      disconnectUnsent,
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

function create({ nowMs }: Draft<undefined>, { request }: RequestEvent): Change {
  const session: Session = {
    nas: request.nas,
    acctSessionId: request.acctSessionId,
    ...(request.sequence !== undefined && {
      createdBy: {
        site: request.nas.site,
        sequence: request.sequence,
        atMs: nowMs,
      },
    }),
    identity: {},
    claimed: {},
    classes: [],
    services: {},
    nextServiceNumber: nowMs,
    accountedAs: {},
    clearedGroups: [],
    waiting: [],
    ended: {},
    answered: [],
    changedAtMs: nowMs,
    recentEvents: [],
    version: 0,
    revision: 0,
  };
  const draft = { session, effects: [], nowMs };
  if (request.nas.enforcement === 'none' && request.activate.length === 0) {
    const unknown = nak('Session-Context-Not-Found', `there is no session ${request.acctSessionId}`);
    return answer(draft, { request, ...unknown });
  }
  return begin(draft, request);
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
    ...nak('Resources-Unavailable', `${MAX_WAITING} requests wait already`),
  });
}

/** Starts to carry out a request on an idle session. */
function begin(draft: Draft, request: ServiceRequest): Draft {
  const { isDisconnect } = request;
  const refusal =
    refusalOf(draft.session, request) ??
    (isDisconnect ? undefined : accountingRefusal(draft.session, request));
  if (refusal !== undefined) return settle(draft, { request, ...refusal });
  const session = atNas(draft.session, request.nas);
  if (isDisconnect) return startDisconnect({ ...draft, session }, request);
  const job = jobOf(session, request);
  if ('answer' in job) return settle(draft, { request, ...job });
  if (request.nas.enforcement === 'none') return carryOutAlone({ ...draft, session }, job);
  const untold = overCapacity(session, job) ?? untellableOf(session, job);
  if (untold !== undefined) return settle(draft, { request, ...untold });
  return startJob({ ...draft, session }, job);
}

/** There is no NAS to confirm anything: what the request says is believed, and all of it is one write. */
function carryOutAlone(draft: Draft, { request, planned, explicit, victims }: Job): Draft {
  const { session, nowMs } = draft;
  const { correlationId, identity, classes } = request;
  const undefinedService = request.deactivate.find(({ isDefined }) => !isDefined);
  if (undefinedService !== undefined) {
    const reason = `there is no service ${undefinedService.spelling}`;
    return settle(draft, { request, ...nak('Invalid-Request', reason) });
  }
  const active = Object.values(planned).map((service) => activated(service, nowMs));
  const known = explicit.filter(({ isKnown }) => isKnown).map(({ activation }) => activation);
  const going = [...known, ...victims];
  const changed = settleWithoutNas(
    end(withServices(session, active), going, correlationId),
    correlationId,
    nowMs,
  );
  const learned = {
    ...changed,
    identity: { ...toldOf(request.nas, identity), ...session.identity },
    classes: classes.length > 0 ? classes : session.classes,
  };
  return settle({ ...draft, session: learned }, { request, ...ACK });
}

/** A NAS that is told no longer (`enforcement: none`) confirms nothing that it was to do: it counts as done. */
function settleWithoutNas(session: Session, correlationId: string, nowMs: number): Session {
  const services = Object.values(session.services);
  const going = services.filter(({ state }) => state === 'deactivating').map(({ activation }) => activation);
  const restored = services
    .filter(({ state }) => state === 'restoring')
    .map(({ retry: _, isLost: __, named: ___, ...service }) => ({
      ...service,
      state: 'active' as const,
      activatedAtMs: service.activatedAtMs ?? nowMs,
    }));
  return end(withServices(session, restored), going, correlationId);
}

/** Why the NAS cannot be told of a job; undefined when it can. */
function untellableOf(session: Session, job: Job) {
  const { request, planned, explicit } = job;
  const { correlationId } = request;
  const limits = dialect(session).servicesPerCommand;
  const [along = []] = alongsOf(session, job);
  if (
    session.nas.order === 'together' &&
    request.activate.length > 0 &&
    explicit.length > limits.deactivate
  ) {
    const reason = `expected at most ${limits.deactivate} deactivations beside an activation`;
    return nak('Resources-Unavailable', reason);
  }
  const staying = Object.values(session.services).filter(({ state }) => state !== 'deactivating');
  const spelled = along.map(
    (activation) => explicit.find((one) => one.activation === activation) ?? { activation },
  );
  const beside = (activate: readonly string[]) =>
    untellable(session, {
      activate: activate.flatMap((activation) => planned[activation] ?? []),
      deactivate: spelled,
      staying: staying.filter(({ activation }) => !activate.includes(activation)),
      request,
      correlationId,
    });
  const commands = chunks(Object.keys(planned), limits.activate).map(beside);
  const deactivations = chunks(explicit, limits.deactivate).map((deactivate) =>
    untellable(session, { activate: [], deactivate, staying, request, correlationId }),
  );
  // What the table does not know was not activated by Interlock. If the request fails, it has to be.
  const isAlone = Object.keys(planned).length === 0 && explicit.length === 1;
  const unknown = isAlone ? [] : strangers(session, explicit.filter(isUnknown), correlationId, 'restoring');
  const restorations = chunks(unknown, limits.activate).map((activate) =>
    untellable(session, { activate, deactivate: [], staying, request, correlationId }),
  );
  return [...commands, ...deactivations, ...restorations].find((refusal) => refusal !== undefined);
}

// --- Time -----------------------------------------------------------------------------------------------------

/** Deactivates what has outlived its Service-Timeout, and tells again what was told in vain. */
function tidy(draft: Draft, { id: correlationId }: DueEvent): Change {
  const { session, nowMs } = draft;
  const services = Object.values(session.services);
  const expired = services.filter((service) => canExpire(service) && service.expiresAtMs <= nowMs);
  const isOverdue = services.some(({ retry }) => retry !== undefined && retry.atMs <= nowMs);
  if (expired.length === 0 && !isOverdue) return ignore();
  const names = expired.map(({ activation }) => activation);
  const marked = mark(session, names, TERMINATE_CAUSE['Session-Timeout']);
  if (session.nas.enforcement === 'none') {
    return { ...draft, session: settleWithoutNas(end(marked, names, correlationId), correlationId, nowMs) };
  }
  return proceed({ ...draft, session: marked }, correlationId);
}
