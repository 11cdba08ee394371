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
// again, each service with growing pauses of its own. Requests that arrive meanwhile wait in order. A request whose client has
// given up by the time that it would begin is refused. After a relay that stopped before it reported, the NAS is asked the same
// again at once: `ask-again.ts`.
//
// A Disconnect-Request is a request like the others. Its one command makes the state `disconnecting`, and all services end
// with the ACK: `disconnect.ts`.
//
// The accounting of the NAS says whether there is a session at all. A record opens it, refreshes what is known of it, replaces it
// by the next one of the same Acct-Session-Id, or ends it: then it is closed, whatever is under way, and remembered for a while.
// A session that is over is forgotten at last, and its item remembers for some time what must not be carried out again.
// What has been overtaken is late. A record of a service is a witness of what is there. Where the records of an open session stop,
// the relay says so, and it is stale until the next one. `life.ts` and `service-records.ts` say what each record means, by
// when it happened and never by when it came.
//
// The table below gives what each event does in each state. The same event twice changes nothing the second time but has
// its effects repeated, so that a crash between writing and sending loses nothing. Where an event can lead, as the
// exhaustive search sees it:
//
//     absent × request → absent, idle, activating, deactivating, disconnecting
//     absent × stray → absent
//     absent × due → absent
//     idle × request → idle, activating, deactivating, disconnecting
//     absent × opened → idle
//     absent × ended → closed
//     absent × witnessed → idle
//     absent × late → absent
//     forgotten × answered → forgotten
//     forgotten × due → forgotten
//     forgotten × ended → closed
//     forgotten × late → forgotten
//     forgotten × opened → idle
//     forgotten × redelivered → forgotten
//     forgotten × request → forgotten, idle, activating, deactivating, disconnecting
//     forgotten × stray → forgotten
//     forgotten × witnessed → idle
//     closed × request → closed
//     closed × stray → closed
//     closed × due → forgotten, closed
//     closed × opened → idle, excluding
//     closed × ended → closed
//     closed × witnessed → idle, excluding
//     closed × late → closed
//     closed × redelivered → closed
//     idle × answered → idle
//     idle × stray → idle
//     idle × due → forgotten, idle, excluding, restoring
//     idle × refreshed → idle
//     idle × replaced → idle
//     idle × ended → closed, idle
//     idle × witnessed → idle, excluding
//     idle × stale → idle
//     idle × late → idle
//     idle × redelivered → forgotten, idle
//     activating × request → activating
//     activating × answered → activating
//     activating × repeated → activating
//     activating × ack → idle, activating, deactivating, excluding, disconnecting
//     activating × nak → forgotten, closed, idle, activating, deactivating, excluding, restoring, disconnecting
//     activating × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     activating × interrupted → activating
//     activating × unsent → forgotten, idle, activating, deactivating, excluding, restoring, disconnecting
//     activating × stray → activating
//     activating × due → activating
//     activating × refreshed → activating
//     activating × replaced → idle
//     activating × ended → closed, activating
//     activating × witnessed → activating
//     activating × stale → activating
//     activating × late → activating
//     activating × redelivered → activating
//     deactivating × request → deactivating
//     deactivating × answered → deactivating
//     deactivating × repeated → deactivating
//     deactivating × ack → idle, activating, deactivating, excluding
//     deactivating × nak → forgotten, idle, activating, deactivating, excluding, restoring, disconnecting
//     deactivating × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     deactivating × interrupted → deactivating
//     deactivating × unsent → forgotten, idle, activating, deactivating, excluding, restoring, disconnecting
//     deactivating × stray → deactivating
//     deactivating × due → deactivating
//     deactivating × refreshed → deactivating
//     deactivating × replaced → idle
//     deactivating × ended → closed, deactivating
//     deactivating × witnessed → deactivating
//     deactivating × late → deactivating
//     deactivating × redelivered → deactivating
//     excluding × request → excluding
//     excluding × answered → excluding
//     excluding × repeated → excluding
//     excluding × ack → forgotten, idle, activating, deactivating, excluding, restoring, disconnecting
//     excluding × nak → forgotten, idle, activating, deactivating, excluding, restoring, disconnecting
//     excluding × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     excluding × interrupted → excluding
//     excluding × unsent → idle, activating, deactivating, disconnecting
//     excluding × stray → excluding
//     excluding × due → excluding
//     excluding × refreshed → excluding
//     excluding × replaced → idle
//     excluding × ended → closed
//     excluding × witnessed → excluding
//     excluding × stale → excluding
//     excluding × late → excluding
//     excluding × redelivered → excluding
//     restoring × request → restoring
//     restoring × answered → restoring
//     restoring × repeated → restoring
//     restoring × ack → idle, activating, deactivating, excluding, restoring, disconnecting
//     restoring × nak → closed, idle, activating, deactivating, excluding, restoring, disconnecting
//     restoring × timeout → idle, activating, deactivating, excluding, restoring, disconnecting
//     restoring × interrupted → restoring
//     restoring × unsent → idle, activating, deactivating, excluding, disconnecting
//     restoring × stray → restoring
//     restoring × due → restoring
//     restoring × refreshed → restoring
//     restoring × ended → closed
//     restoring × witnessed → restoring
//     restoring × redelivered → restoring
//     disconnecting × request → disconnecting
//     disconnecting × answered → disconnecting
//     disconnecting × repeated → disconnecting
//     disconnecting × ack → closed, idle, activating, disconnecting
//     disconnecting × nak → forgotten, closed, idle, activating, excluding, disconnecting
//     disconnecting × timeout → forgotten, idle, activating, excluding, disconnecting
//     disconnecting × interrupted → disconnecting
//     disconnecting × unsent → forgotten, idle, activating, excluding, disconnecting
//     disconnecting × stray → disconnecting
//     disconnecting × due → disconnecting
//     disconnecting × ended → closed
//     disconnecting × refreshed → disconnecting
//     disconnecting × witnessed → disconnecting
//     disconnecting × redelivered → disconnecting
import type { NasProfile } from '../nas.ts';
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { accountingRefusal } from './accounting-refusal.ts';
import { settleAccounts } from './accounts.ts';
import { askAgain } from './ask-again.ts';
import { chunks, dialect, toldOf, untellable } from './command.ts';
import { hasBecomeStale } from './difference.ts';
import {
  disconnectConfirmed,
  disconnectRefused,
  disconnectUnanswered,
  disconnectUnsent,
  disconnectWitnessed,
  startDisconnect,
} from './disconnect.ts';
import { ACK, activated, answer, type Draft, end, mark, nak, reply, settle, withServices } from './draft.ts';
import { answerGiven, forgotten, isOutdated, replayableUntilMs } from './duplicates.ts';
import {
  type DueEvent,
  type Event,
  type EventName,
  type Events,
  type EventsOf,
  eventName,
  type OutcomeEvent,
  outcomeOf,
  type RecordEvent,
  type RequestEvent,
  type RestartEvent,
  type ResyncEvent,
  type State,
  type States,
  stateOf,
} from './event.ts';
import { jobOf, overCapacity, refusalOf, tooLate } from './exclusion.ts';
import { atNas } from './key.ts';
import {
  absenceOf,
  CLOSED_FOR_MS,
  closeSession,
  confirmEnd,
  endingOf,
  heard,
  isClosed,
  isOpenByFeed,
  newSession,
  openSession,
  quiet,
  refreshed,
  replaceSession,
  restartSession,
} from './life.ts';
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
import { witnessOf } from './record.ts';
import {
  isOfInterlock,
  rememberEnds,
  resync,
  settleRecords,
  takeDeferred,
  witness,
} from './service-records.ts';
import type {
  Effect,
  EventQueue,
  Job,
  RecentEvent,
  ServiceRequest,
  ServiceSession,
  Session,
} from './session.ts';
import { alongsOf, isUnknown, proceed, startJob, strangers } from './steps.ts';

/** What follows from an event: the session to be stored, absent when nothing changed, and then the effects. */
export interface Result {
  readonly session?: Session;
  readonly effects: readonly Effect[];
  /** Nothing is in the session any more: it is to be removed once the effects are sent. */
  readonly isOver?: true;
  /** A request that is older than what was carried out for its client: nothing is done, and it gets no answer. */
  readonly isOutdated?: true;
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
    const { effects } = change;
    if (name === 'answered' && isIgnored(session, event)) return { effects, isOutdated: true };
    return session && canGo(session, event, nowMs) ? leave(session, { effects }, nowMs) : { effects };
  }

  const worked = workOff({ ...change, session: rememberEnds(session, change.session, nowMs) });
  const { effects } = worked;
  const settled = { ...worked, session: settleRecords(session, worked.session, nowMs) };
  const next = settleAccounts(session, settled);
  // A refusal that was found without the NAS leaves no trace of an unknown session.
  if ((session === undefined || session.isForgotten) && next.life === undefined && isEmpty(next))
    return { effects };
  const recentEvents = remember(next.recentEvents, {
    id: event.id,
    queue: QUEUE_OF[event.kind],
    effects,
    ...(event.kind === 'outcome' || (event.kind === 'due' && name === 'timeout')
      ? { outcome: outcomeOf(event) }
      : {}),
  });
  const version = next.version + (changesServices(session, next) ? 1 : 0);
  const decided = { ...next, version, changedAtMs: nowMs, recentEvents };
  const result = { session: decided, effects };
  return canGo(decided, event, nowMs) ? leave(decided, result, nowMs) : result;
}

/**
 * A session that is over is removed once its effects are sent. Before that it is forgotten, for as long as one of its requests
 * may be replayed: its item remembers these, and not who the subscriber was.
 */
function leave(session: Session, result: Result, nowMs: number): Result {
  if (replayableUntilMs(session) <= nowMs) return { ...result, isOver: true };
  if (session.isForgotten) return result;
  if (result.session !== undefined) return { ...result, session: forgotten(session, session.recentEvents) };
  // What has not been delivered again for 300 s is not delivered again.
  const over = { ...forgotten(session, []), ended: {}, version: session.version + 1, changedAtMs: nowMs };
  return { ...result, session: over };
}

function isIgnored(session: Session | undefined, event: Event): boolean {
  if (session === undefined || event.kind !== 'request') return false;
  return answerGiven(session, event.request) === undefined && isOutdated(session, event.request);
}

const QUEUE_OF: Readonly<Record<Event['kind'], EventQueue>> = {
  request: 'inbox',
  outcome: 'outcomes',
  resync: 'operator',
  due: 'due',
  record: 'feed',
  'nas-restart': 'restart',
};

/** Whether nothing is in a session and nothing is under way: such a session is not kept, unless the feed keeps it open. */
function isEmpty({ services, transition, waiting, life }: Session): boolean {
  if (transition !== undefined || waiting.length > 0 || Object.keys(services).length > 0) return false;
  return life === undefined || life.closed !== undefined;
}

/** For so long a repeat of an acknowledged request finds its answer, also in a session that is empty since. */
const EMPTY_FOR_MS = 300_000;

/**
 * Whether the session is removed: it has been empty for 300 s, or `event`, perhaps delivered again, has made it empty and none
 * of its requests was acknowledged. A request that was refused leaves no trace; its repeat is evaluated again.
 */
function canGo(session: Session, event: Event, nowMs: number): boolean {
  if (!isEmpty(session)) return false;
  if (session.life !== undefined) return emptyUntilMs(session) <= nowMs;
  const isLatest = session.recentEvents.at(-1)?.id === event.id;
  const isRefused = session.answered.every(({ answer }) => answer === 'nak');
  return emptyUntilMs(session) <= nowMs || (isLatest && isRefused);
}

/** Until when an empty session is kept. One that its NAS has ended is remembered for late records. */
function emptyUntilMs(session: Session): number {
  const { life, changedAtMs, isForgotten } = session;
  if (isForgotten) return replayableUntilMs(session);
  return life?.closed === undefined ? changedAtMs + EMPTY_FOR_MS : life.closed.decidedAtMs + CLOSED_FOR_MS;
}

/** Once a session is idle it begins with the request that has waited longest, until one has to wait for the NAS. */
function workOff(draft: Draft): Draft {
  let current = takeDeferred(draft);
  while (current.session.transition === undefined) {
    const [next, ...waiting] = current.session.waiting;
    if (next === undefined) break;
    current = takeDeferred(begin({ ...current, session: { ...current.session, waiting } }, next));
  }
  return current;
}

/** Whether a change is one of the session's `version`: of its services, of what is under way, of what was answered, of whether
 * the session is open, or that it is stale. */
function changesServices(before: Session | undefined, after: Session): boolean {
  return (
    before?.services !== after.services ||
    before.transition !== after.transition ||
    before.waiting !== after.waiting ||
    before.answered !== after.answered ||
    before.drift !== after.drift ||
    isOpenByFeed(before) !== isOpenByFeed(after) ||
    before.life?.closed !== after.life?.closed ||
    hasBecomeStale(before, after)
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
  if (isEmpty(session)) return emptyUntilMs(session);
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
    opened:      open,
    ended:       rememberEnd,
    witnessed:   openWitnessed,
    late:        ignore,
    resync:      ignore,
  },
  forgotten: {
    request:     create,
    answered:    answerAgain,
    stray:       ignore,
    due:         ignore,
    opened:      openAgain,
    ended:       rememberEnd,
    witnessed:   openWitnessedAgain,
    late:        ignore,
    resync:      ignore,
    redelivered: repeatEffects,
  },
  closed: {
    request:     begun,
    answered:    answerAgain,
    stray:       forgetCommand,
    due:         ignore,
    opened:      open,
    ended:       close,
    witnessed:   openWitnessed,
    late:        ignore,
    resync:      ignore,
    redelivered: repeatEffects,
  },
  idle: {
    request:     begun,
    answered:    answerAgain,
    stray:       ignore,
    due:         tidy,
    refreshed:   refresh,
    replaced:    replace,
    ended:       close,
    witnessed:   takeWitnessOfNas,
    stale:       becomeStale,
    late:        ignore,
    resync:      resyncIdle,
    redelivered: repeatEffects,
  },
  activating: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         activationConfirmed,
    nak:         activationRefused,
    timeout:     activationUnanswered,
    interrupted: askAgain,
    unsent:      activationUnsent,
    stray:       ignore,
    due:         ignore,
    refreshed:   refresh,
    replaced:    replace,
    ended:       close,
    witnessed:   takeWitnessOfNas,
    stale:       becomeStale,
    late:        ignore,
    resync:      ignore,
    redelivered: repeatEffects,
  },
  deactivating: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         deactivationConfirmed,
    nak:         deactivationRefused,
    timeout:     deactivationUnanswered,
    interrupted: askAgain,
    unsent:      deactivationUnsent,
    stray:       ignore,
    due:         ignore,
    refreshed:   refresh,
    replaced:    replace,
    ended:       close,
    witnessed:   takeWitnessOfNas,
    stale:       becomeStale,
    late:        ignore,
    resync:      ignore,
    redelivered: repeatEffects,
  },
  excluding: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         exclusionConfirmed,
    nak:         exclusionRefused,
    timeout:     exclusionUnanswered,
    interrupted: askAgain,
    unsent:      exclusionUnanswered,
    stray:       ignore,
    due:         ignore,
    refreshed:   refresh,
    replaced:    replace,
    ended:       close,
    witnessed:   takeWitnessOfNas,
    stale:       becomeStale,
    late:        ignore,
    resync:      ignore,
    redelivered: repeatEffects,
  },
  restoring: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         restorationConfirmed,
    nak:         restorationRefused,
    timeout:     restorationUnanswered,
    interrupted: askAgain,
    unsent:      restorationUnanswered,
    stray:       ignore,
    due:         ignore,
    refreshed:   refresh,
    replaced:    replace,
    ended:       close,
    witnessed:   takeWitnessOfNas,
    stale:       becomeStale,
    late:        ignore,
    resync:      ignore,
    redelivered: repeatEffects,
  },
  disconnecting: {
    request:     wait,
    answered:    answerAgain,
    repeated:    ignore,
    ack:         disconnectConfirmed,
    nak:         disconnectRefused,
    timeout:     disconnectUnanswered,
    interrupted: askAgain,
    unsent:      disconnectUnsent,
    stray:       ignore,
    due:         ignore,
    refreshed:   refresh,
    replaced:    replace,
    ended:       close,
    witnessed:   takeWitnessOfNas,
    stale:       becomeStale,
    late:        ignore,
    resync:      ignore,
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

function create({ session: former, nowMs }: Draft<Session | undefined>, { request }: RequestEvent): Change {
  const session: Session = {
    ...madeAgain(former, request.nas, request.acctSessionId, nowMs),
    ...(request.sequence !== undefined && {
      createdBy: {
        site: request.nas.site,
        sequence: request.sequence,
        atMs: nowMs,
      },
    }),
  };
  const draft = { session, effects: [], nowMs };
  const absence = absenceOf(session, request.nas) ?? tooLate(request, nowMs);
  if (absence !== undefined) return answer(draft, { request, ...absence });
  const isGone = request.lookedUpAt !== undefined;
  if (isGone || (request.nas.enforcement === 'none' && request.activate.length === 0)) {
    const unknown = nak('Session-Context-Not-Found', `there is no session ${request.acctSessionId}`);
    return answer(draft, { request, ...unknown });
  }
  return begin(draft, request);
}

/** A session of which nothing is known yet but what a former one under its key has answered, if there is one. */
function madeAgain(
  former: Session | undefined,
  nas: NasProfile,
  acctSessionId: string,
  nowMs: number,
): Session {
  const made = newSession(nas, acctSessionId, nowMs);
  if (former === undefined) return made;
  const { isForgotten: _, ...rest } = former;
  return atNas({ ...rest, nextServiceNumber: Math.max(made.nextServiceNumber, rest.nextServiceNumber) }, nas);
}

function begun(draft: Draft, { request }: RequestEvent): Draft {
  return begin(draft, request);
}

function answerAgain({ session }: Draft, { request }: RequestEvent): Change {
  const given = answerGiven(session, request);
  return { effects: given === undefined ? [] : [reply(request, given, given.atMs)] };
}

function wait(draft: Draft, { request }: RequestEvent): Draft {
  const { session } = draft;
  const late = tooLate(request, draft.nowMs);
  if (late !== undefined) return answer(draft, { request, ...late });
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
    tooLate(request, draft.nowMs) ??
    absenceOf(draft.session, request.nas) ??
    refusalOf(draft.session, request) ??
    (isDisconnect ? undefined : accountingRefusal(draft.session, request));
  if (refusal !== undefined) return settle(draft, { request, ...refusal });
  // What its NAS did not know may be there again: the records of the one before say nothing of it.
  const { life, ...rest } = draft.session;
  const session = atNas(life?.closed === undefined ? draft.session : rest, request.nas);
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

// --- The feed -------------------------------------------------------------------------------------------------

function open(draft: Draft<Session | undefined>, event: RecordEvent): Draft {
  return openSession(draft, event);
}

function openWitnessed(draft: Draft<Session | undefined>, event: RecordEvent): Draft {
  return takeWitness(openSession(draft, event), event);
}

function openAgain(draft: Draft, event: RecordEvent): Draft {
  return openSession(recalled(draft, event), event);
}

function openWitnessedAgain(draft: Draft, event: RecordEvent): Draft {
  return openWitnessed(recalled(draft, event), event);
}

function recalled(draft: Draft, { record: { nas, acctSessionId } }: RecordEvent): Draft {
  return { ...draft, session: madeAgain(draft.session, nas, acctSessionId, draft.nowMs) };
}

function refresh(draft: Draft, { record }: RecordEvent): Change {
  const session = refreshed(draft.session, record);
  return session === draft.session ? ignore() : { ...draft, session };
}

function takeWitnessOfNas(draft: Draft, event: RecordEvent): Change {
  const { service } = event.record;
  return service !== undefined && isOfInterlock(draft.session, service)
    ? ignore()
    : takeWitness(draft, event);
}

function takeWitness(draft: Draft, { id, record }: RecordEvent): Draft {
  const session = heard(draft.session, record);
  const next = { ...draft, session };
  const told = record.service && witnessOf(id, record, record.service);
  return told === undefined ? next : witness(next, told);
}

function becomeStale(draft: Draft, { record }: RecordEvent): Draft {
  return { ...draft, session: quiet(draft.session, record) };
}

function replace(draft: Draft, event: RecordEvent): Draft {
  return replaceSession(draft, event);
}

/** The Acct-Stop of a session that is not known: its Acct-Start may still come. */
function rememberEnd(
  { session: former, nowMs }: Draft<Session | undefined>,
  event: RecordEvent | RestartEvent,
): Change {
  if (event.kind === 'nas-restart') return ignore();
  const { nas, acctSessionId, identity, classes } = event.record;
  const session = { ...madeAgain(former, nas, acctSessionId, nowMs), identity, classes };
  return closeSession({ session, effects: [], nowMs }, endingOf(event), event.id);
}

function close(draft: Draft, event: RecordEvent | RestartEvent): Change {
  const ending = endingOf(event);
  if (isClosed(draft.session)) return { ...draft, session: confirmEnd(draft.session, ending, draft.nowMs) };
  return event.kind === 'nas-restart'
    ? (restartSession(draft, event) ?? ignore())
    : closeSession(disconnectWitnessed(draft), ending, event.id);
}

/** A command that was under way when the session ended, and was refused or not sent, has done nothing to the next one either. */
function forgetCommand(draft: Draft, { commandId, result }: OutcomeEvent): Change {
  const { life } = draft.session;
  const isRefused = result === 'nak' || result === 'unsent';
  if (life?.closed?.command?.commandId !== commandId || !isRefused) return ignore();
  const { command, ...closed } = life.closed;
  if (command.isToldAgain) return ignore();
  return { ...draft, session: { ...draft.session, life: { ...life, closed } } };
}

function resyncIdle(draft: Draft, { id, to }: ResyncEvent): Change {
  return draft.session.drift === undefined ? ignore() : resync(draft, to, id);
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
