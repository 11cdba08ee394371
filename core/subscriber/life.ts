// The life of a session as its NAS accounts it: which record opens it, which is of the one that is known, and which ends it.
//
// Records come in any order, so what counts is when something happened, never when its record came. An Acct-Session-Id comes
// again after a while, so a record may also be of an earlier session of that id, or of a later one.
import { type Identity, isSameIdentity } from '../identity.ts';
import type { Standing } from '../look-up.ts';
import type { NasProfile } from '../nas.ts';
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { answer, type Draft, end, type Nak, nak, withServices } from './draft.ts';
import { underWay } from './duplicates.ts';
import { atNas } from './key.ts';
import {
  isLater,
  latestOf,
  momentOf,
  type RecordEvent,
  type RestartEvent,
  type SessionRecord,
  startedAt,
} from './record.ts';
import type { Closing, Life, ServiceSession, Session } from './session.ts';
import { proceed } from './steps.ts';

/** For so long a session that has ended is remembered, so that a late record does not open it again. */
export const CLOSED_FOR_MS = 15 * 60_000;
/**
 * The relay says once a day that a session with Interim-Updates goes on, and says when it no longer does. If it has been
 * restarted since the last record, it knows nothing of the session, and the cloud hears nothing for so long.
 */
export const UNHEARD_FOR_MS = 3 * 24 * 60 * 60_000;
/** The clocks of two relays, each as measured by its relay, differ by no more. */
const HEARD_TOLERANCE_MS = 1_000;
/** With Event-Timestamps in both, an Acct-Start that happened later than another by more than this is not its repeat. */
const REPEAT_TOLERANCE_MS = 5_000;
/** Acct-Session-Time may count from authentication, and the Acct-Start be sent when the address is known. */
const SESSION_TIME_TOLERANCE_MS = 60_000;
/** How far the clock of a NAS whose Event-Timestamps are believed may be from the cloud's. */
export const CLOCK_TOLERANCE_MS = 300_000;
/** RFC 2866 section 5.10: the NAS ended the session, and gave no reason. */
export const SESSION_GONE_CAUSE = TERMINATE_CAUSE['NAS-Error'];

/** A session of which nothing is known yet. */
export function newSession(nas: NasProfile, acctSessionId: string, nowMs: number): Session {
  return {
    nas,
    acctSessionId,
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
}

// --- What a session is ----------------------------------------------------------------------------------------

/** Whether its NAS has ended the session. */
export function isClosed({ life }: Pick<Session, 'life'>): boolean {
  return life?.closed !== undefined;
}

/** Whether records keep a session that has no services. */
export function isOpenByFeed({ life }: Pick<Session, 'life'>): boolean {
  return life !== undefined && life.closed === undefined;
}

/** Whether the table knows what the session had before its first request; undefined where no record has come. */
export function areServicesKnown({ life }: Pick<Session, 'life'>): boolean | undefined {
  return life && life.knownBy === 'start';
}

/**
 * Whether an open session has had no record for three intervals, so that its Acct-Stop may be lost: the relay says so, which
 * sees also the Interim-Updates that stay at the site; or nothing has been heard of it for 3 days. One whose NAS sends no
 * Interim-Updates is never stale.
 */
export function isStale({ life }: Pick<Session, 'life'>, nowMs: number): boolean {
  if (life === undefined || life.closed !== undefined) return false;
  const isUnheard = life.hasInterims === true && nowMs - life.heardAtMs > UNHEARD_FOR_MS;
  return life.staleSinceMs !== undefined || isUnheard;
}

/** How a session stands in a look-up. */
export function standingOf(session: Pick<Session, 'nas' | 'services' | 'life'>, nowMs: number): Standing {
  if (isClosed(session)) return 'closed';
  if (isStale(session, nowMs)) return 'stale';
  const sinceMs = nowMs - UNHEARD_FOR_MS;
  const { life } = session;
  const isUnheard = life !== undefined && life.heardAtMs < sinceMs && !isConfirmedSince(session, sinceMs);
  return isUnheard ? 'unheard' : 'open';
}

/** Why no request is carried out for a session that is not open; undefined when one is. */
export function absenceOf(
  { life, acctSessionId }: Pick<Session, 'life' | 'acctSessionId'>,
  { sessions }: Pick<NasProfile, 'sessions'>,
): Nak | undefined {
  const closed = life?.closed;
  if (closed !== undefined && (closed.by !== 'not-found' || sessions === 'accounting'))
    return nak('Session-Context-Not-Found', `the session ${acctSessionId} has ended: ${ENDED_BY[closed.by]}`);
  if (life === undefined && sessions === 'accounting')
    return nak('Session-Context-Not-Found', `no accounting has opened the session ${acctSessionId}`);
  return undefined;
}

/** By what it has ended, in words. */
export const ENDED_BY: Readonly<Record<Closing['by'], string>> = {
  stop: 'Acct-Stop',
  restart: 'Accounting-On or -Off of the NAS',
  'not-found': 'the NAS does not know it',
  disconnect: 'Disconnect-Request',
};

// --- What a record means --------------------------------------------------------------------------------------

/**
 * `opened`: a session is there that was not. `refreshed`: the record is of the one that is known. `replaced`: it is of a later
 * one with the same Acct-Session-Id. `ended`: the known one has ended. `witnessed`: a service is there, or has ended. `stale`:
 * the known one has no records any more. `late`: what happened has been overtaken.
 */
export type Meaning = 'opened' | 'refreshed' | 'replaced' | 'ended' | 'witnessed' | 'stale' | 'late';

export function meaningOf(session: Session | undefined, event: RecordEvent | RestartEvent): Meaning {
  if (event.kind === 'nas-restart') return isEndedBy(session, event) ? 'ended' : 'late';
  const { record } = event;
  const { kind, service } = record;
  if (kind === 'stale') return isQuiet(session, record) ? 'stale' : 'late';
  const closed = session?.life?.closed;
  const isGone = isBeforeRestart(record);
  if (session !== undefined && session.life === undefined && isGone) return 'late';
  if (session === undefined || closed !== undefined) {
    const isNew =
      !isGone && (closed === undefined || session === undefined || isAfter(record, closed, session));
    if (service !== undefined) return isNew ? 'witnessed' : 'late';
    if (kind !== 'stop') return isNew ? 'opened' : 'late';
    return closed === undefined || closed.by !== 'stop' || isLater(momentOf(record), closed.at)
      ? 'ended'
      : 'late';
  }
  if (service !== undefined) return isOlder(session, record) ? 'late' : 'witnessed';
  if (precedes(session, record)) return 'late';
  if (kind === 'stop') return 'ended';
  return succeeds(session, record) ? 'replaced' : 'refreshed';
}

/**
 * Whether a record is of what the restart of its NAS has ended. An Event-Timestamp is a whole second, and what begins in that of
 * an Accounting-On begins after it.
 */
function isBeforeRestart(record: SessionRecord): boolean {
  const { eventAtMs, restartedAtMs = Number.NEGATIVE_INFINITY } = record;
  if (eventAtMs !== restartedAtMs) return eventAtMs < restartedAtMs;
  const started = startedAt(record);
  return started === undefined || started.atMs < restartedAtMs;
}

/** Whether an open session is one of which nothing was heard after the record that the relay calls the last one. */
function isQuiet(session: Session | undefined, { eventAtMs, service }: SessionRecord): boolean {
  const { life } = session ?? {};
  if (life === undefined || life.closed !== undefined || service !== undefined) return false;
  return life.staleSinceMs === undefined && life.heardAtMs <= eventAtMs + HEARD_TOLERANCE_MS;
}

/** Whether a record is of what came after the end of a session. */
function isAfter(record: SessionRecord, closed: Closing, { identity, life }: Session): boolean {
  const began = life?.began;
  const happened = momentOf(record);
  const started = startedAt(record);
  // What begins in the second of an Accounting-On begins after it.
  if (closed.by === 'restart' && started !== undefined && started.atMs === closed.at.atMs) return true;
  if (record.service !== undefined && record.kind === 'stop') {
    // A NAS may say after the end of a session that its services have ended, too.
    return started !== undefined && isLater(started, closed.at);
  }
  // That the NAS does not know it says nothing of when it ended.
  if (
    (closed.by === 'not-found' || closed.by === 'disconnect') &&
    record.kind === 'start' &&
    began !== undefined
  )
    return isLater(happened, began);
  if (isLater(happened, closed.at)) return true;
  return happened.atMs > closed.at.atMs && isAnother(identity, record.identity);
}

/** Whether the record of a service tells of what happened before the session began. */
function isOlder({ life }: Session, { eventAtMs }: SessionRecord): boolean {
  if (life?.after !== undefined && eventAtMs < life.after.atMs) return true;
  if (life?.began === undefined) return false;
  const toleranceMs = life.knownBy === 'start' ? REPEAT_TOLERANCE_MS : SESSION_TIME_TOLERANCE_MS;
  return eventAtMs < life.began.atMs - toleranceMs;
}

/** Whether a record is of an earlier session with the same Acct-Session-Id. */
function precedes(session: Session, record: SessionRecord): boolean {
  const { life, identity } = session;
  const happened = momentOf(record);
  const isOther = isAnother(identity, record.identity);
  const started = startedAt(record);
  if (life === undefined) {
    return record.kind === 'stop' && (aliveAt(session) > happened.atMs + CLOCK_TOLERANCE_MS || isOther);
  }
  const { began, latest } = life;
  if (record.kind === 'stop') {
    if (isLater(latest, happened) || isConfirmedSince(session, happened.atMs)) return true;
    if (began === undefined || started === undefined) return isOther;
    return started.atMs < began.atMs - SESSION_TIME_TOLERANCE_MS;
  }
  if (began === undefined || started === undefined) return false;
  // An Acct-Start says exactly when; one that is the same or almost the same is that of the session.
  const isStart = record.kind === 'start';
  const isExact = isStart && life.knownBy === 'start' && started.isStamped && began.isStamped;
  const toleranceMs = isOther && isStart ? 0 : isExact ? REPEAT_TOLERANCE_MS : SESSION_TIME_TOLERANCE_MS;
  return started.atMs < began.atMs - toleranceMs || (isOther && started.atMs === began.atMs);
}

/** Whether a record is of a later session with the same Acct-Session-Id. */
function succeeds({ life, identity, services }: Session, record: SessionRecord): boolean {
  const isOther = isAnother(identity, record.identity);
  const started = startedAt(record);
  // A service cannot be older than its session.
  const hasOlder =
    started !== undefined &&
    Object.values(services).some(
      ({ activatedAtMs = Number.POSITIVE_INFINITY, isLearned }) =>
        activatedAtMs + (isLearned ? REPEAT_TOLERANCE_MS : CLOCK_TOLERANCE_MS) < started.atMs,
    );
  if (life === undefined) return hasOlder || (isOther && record.kind === 'start');
  if (life.began === undefined && record.kind === 'start' && hasOlder) return true;
  if (started === undefined) return false;
  const { began = life.latest, knownBy, latest } = life;
  const isStamped = started.isStamped && began.isStamped;
  if (record.kind === 'interim') {
    return isOther && started.atMs > began.atMs + SESSION_TIME_TOLERANCE_MS;
  }
  const toleranceMs =
    knownBy === 'start' || began === latest ? REPEAT_TOLERANCE_MS : SESSION_TIME_TOLERANCE_MS;
  return (isOther && started.atMs > began.atMs) || (isStamped && started.atMs > began.atMs + toleranceMs);
}

/** Whether a restart of the NAS has ended a session: one that began before it, and of which nothing has come since. */
function isEndedBy(session: Session | undefined, { eventAtMs, scope }: RestartEvent): boolean {
  if (session === undefined || isClosed(session)) return false;
  const { life, identity, nas } = session;
  if (scope !== undefined && identity['ERX-Virtual-Router-Name'] !== scope) return false;
  if (life === undefined) {
    const aliveAtMs = aliveAt(session);
    return aliveAtMs < eventAtMs || (nas.enforcement === 'coa' && aliveAtMs < eventAtMs + CLOCK_TOLERANCE_MS);
  }
  if (isConfirmedSince(session, eventAtMs)) return false;
  return life.latest.atMs <= eventAtMs && (life.began ?? life.latest).atMs < eventAtMs;
}

/** When a session that the feed does not know was there for certain, by the clock of the cloud. */
function aliveAt({ nas, services, createdBy, changedAtMs }: Session): number {
  // A NAS that is told nothing confirms nothing.
  const confirmed = nas.enforcement === 'coa' ? confirmedAtMs(services) : undefined;
  return confirmed ?? createdBy?.atMs ?? changedAtMs;
}

/** When the NAS has confirmed a service last. */
function confirmedAtMs(services: Session['services']): number | undefined {
  const times = Object.values(services).flatMap(({ activatedAtMs }) => activatedAtMs ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Whether the NAS has confirmed a service after `atMs` for certain, which shows that a session was there then. */
function isConfirmedSince({ nas, services }: Pick<Session, 'nas' | 'services'>, atMs: number): boolean {
  return nas.enforcement === 'coa' && (confirmedAtMs(services) ?? atMs) > atMs + CLOCK_TOLERANCE_MS;
}

const TELLING = ['User-Name', 'Calling-Station-Id', 'NAS-Port-Id', 'Framed-IP-Address'] as const;

/** Whether two sessions with one Acct-Session-Id are told apart by who the subscriber is or where. */
function isAnother(one: Identity, other: Identity): boolean {
  return TELLING.some((name) => {
    const [a, b] = [one[name], other[name]];
    return a !== undefined && b !== undefined && !isSameIdentity(name, a, b);
  });
}

// --- What follows ---------------------------------------------------------------------------------------------

/** A record has opened the session of `before`, which is closed, or one that is new. */
export function openSession(
  { session: before, effects, nowMs }: Draft<Session | undefined>,
  { record, id }: RecordEvent,
): Draft {
  const { nas, acctSessionId } = record;
  const closed = before?.life?.closed;
  const known = before ?? newSession(nas, acctSessionId, nowMs);
  if (before !== undefined && closed?.services !== undefined && goesOn(before, closed, record)) {
    const { closed: _, ...life } = before.life ?? lifeOf(record);
    const open = isOfService(record)
      ? heard({ ...before, life }, record)
      : refreshed({ ...before, life }, record);
    return proceed({ session: revived(open, closed.services, nowMs), effects, nowMs }, id);
  }
  const opened: Session = {
    ...atNas(known, nas),
    identity: isOfService(record) ? {} : record.identity,
    claimed: {},
    classes: isOfService(record) ? [] : record.classes,
    clearedGroups: [],
    life: {
      ...lifeOf(record),
      endedServices: before?.life?.endedServices ?? [],
      ...(closed !== undefined && { after: closed.at }),
    },
  };
  // What a command of the former session has activated, it may have activated here.
  const activates = [...(closed?.younger ?? []), ...(closed?.command?.activates ?? [])];
  const doubtful = activates.map(
    ({ retry: _, account: __, activatedAtMs: ___, ...service }): ServiceSession => ({
      ...service,
      state: 'unconfirmed',
    }),
  );
  return { session: renumbered(opened, doubtful), effects, nowMs };
}

const isOfService = ({ service }: SessionRecord) => service !== undefined;

/** Whether a record shows that a session goes on which the restart of its NAS has ended. */
function goesOn(session: Session, closed: Closing, record: SessionRecord): boolean {
  if (record.kind === 'start' || isAnother(session.identity, record.identity)) return false;
  const started = startedAt(record);
  return started === undefined || started.atMs < closed.at.atMs;
}

/** What a session had, as it goes on with it: the accounts of its services were closed, so new ones are opened. */
function revived(session: Session, services: Session['services'], nowMs: number): Session {
  const active = Object.values(services).map(
    ({ account: _, activatedAtMs, ...service }): ServiceSession => ({
      ...service,
      ...(activatedAtMs !== undefined && { activatedAtMs: nowMs }),
    }),
  );
  return renumbered(session, active);
}

/** A session with services that are new service sessions. */
function renumbered(session: Session, services: readonly ServiceSession[]): Session {
  if (services.length === 0) return session;
  const { nextServiceNumber } = session;
  const numbered = services.map((service, index) => ({ ...service, number: nextServiceNumber + index }));
  return {
    ...session,
    services: {
      ...session.services,
      ...Object.fromEntries(numbered.map((service) => [service.activation, service])),
    },
    nextServiceNumber: nextServiceNumber + numbered.length,
  };
}

function lifeOf(record: SessionRecord): Life {
  const began = isOfService(record) ? undefined : startedAt(record);
  return {
    knownBy: record.kind === 'start' && !isOfService(record) ? 'start' : 'interim',
    ...(began !== undefined && { began }),
    latest: momentOf(record),
    heardAtMs: record.receivedAtMs,
    ...(isInterimOfSession(record) && { hasInterims: true }),
    deferred: [],
    endedServices: [],
  };
}

/**
 * A session once a record of it is known. The NAS says who the subscriber is: what it says last counts, and what it leaves out
 * stays. The session as it is where the record says nothing new.
 */
export function refreshed(session: Session, record: SessionRecord): Session {
  const { life, identity, claimed, classes } = session;
  const first = lifeOf(record);
  if (life === undefined) return { ...session, ...learned(session, record, true), life: first };
  const happened = momentOf(record);
  const isLatest = happened.atMs >= life.latest.atMs;
  const started = startedAt(record);
  const isStart = record.kind === 'start';
  const next: Life = {
    ...heardIn(life, record),
    ...(isStart && { knownBy: 'start' }),
    ...(started !== undefined && (isStart || life.began === undefined) && { began: started }),
    latest: latestOf(life.latest, happened),
    ...(isInterimOfSession(record) && { hasInterims: true }),
  };
  const after = learned(session, record, isLatest);
  const isKnown = (one: object, other: object) => JSON.stringify(one) === JSON.stringify(other);
  const isRepeat =
    isKnown({ ...next, heardAtMs: 0 }, { ...life, heardAtMs: 0 }) &&
    isKnown(after, { identity, claimed, classes });
  return isRepeat ? session : { ...session, ...after, life: next };
}

/** A session once the record of a service of it is known, which may be that of the service in all but this. */
export function heard(session: Session, record: SessionRecord): Session {
  const { life } = session;
  if (life === undefined) return { ...session, life: lifeOf(record) };
  const latest = latestOf(life.latest, momentOf(record));
  return { ...session, life: { ...heardIn(life, record), latest } };
}

const isInterimOfSession = (record: SessionRecord) => record.kind === 'interim' && !isOfService(record);

/** A life once a record has come: one that the relay received after those that it knew of ends that the session is stale. */
function heardIn({ staleSinceMs, ...life }: Life, { receivedAtMs }: SessionRecord): Life {
  const isStillStale = staleSinceMs !== undefined && receivedAtMs <= staleSinceMs;
  return {
    ...life,
    heardAtMs: Math.max(life.heardAtMs, receivedAtMs),
    ...(isStillStale && { staleSinceMs }),
  };
}

/** A session that is stale. */
export function quiet(session: Session, { eventAtMs }: SessionRecord): Session {
  return session.life === undefined
    ? session
    : { ...session, life: { ...session.life, staleSinceMs: eventAtMs } };
}

function learned(session: Session, record: SessionRecord, isLatest: boolean) {
  const { identity, claimed, classes } = session;
  return {
    identity: isLatest ? { ...identity, ...record.identity } : { ...record.identity, ...identity },
    claimed: Object.fromEntries(Object.entries(claimed).filter(([name]) => !(name in record.identity))),
    classes: isLatest && record.classes.length > 0 ? record.classes : classes,
  };
}

/** What ends a session, and when that was. */
export type Ending = Pick<Closing, 'by' | 'at' | 'terminateCause'>;

/**
 * The session has ended. Its services end before it, but for those that are `staying` with the next one; the request under way
 * and those that wait are refused, and the outcome of the command under way is not waited for.
 */
export function closeSession(
  draft: Draft,
  ending: Ending,
  id: string,
  staying: readonly string[] = [],
): Draft {
  const { nowMs } = draft;
  const { transition, waiting, life, drift: _, ...rest } = draft.session;
  const gone = nak('Session-Context-Not-Found', `the session has ended: ${ENDED_BY[ending.by]}`);
  const requests = underWay(draft.session);
  const idle: Draft = { ...draft, session: { ...rest, waiting: [] } };
  const { session, effects } = requests.reduce((one, request) => answer(one, { request, ...gone }), idle);
  const names = Object.keys(session.services).filter((name) => !staying.includes(name));
  const kept = ending.by === 'restart' ? interrupted(draft.session) : {};
  const command = commandOf(draft.session);
  const younger = names
    .flatMap((name) => session.services[name] ?? [])
    .filter((service) =>
      service.isLearned
        ? ending.by === 'restart' && (service.record?.atMs ?? 0) >= ending.at.atMs
        : lastWordMs(draft.session, service) >= ending.at.atMs,
    );
  const closed: Closing = {
    ...ending,
    decidedAtMs: nowMs,
    ...(Object.keys(kept).length > 0 && { services: kept }),
    ...(command !== undefined && { command }),
    ...(younger.length > 0 && { younger }),
  };
  const known = life ?? { knownBy: 'interim', latest: ending.at, heardAtMs: nowMs, endedServices: [] };
  return {
    ...draft,
    effects,
    session: {
      ...end(session, names, id, ending.terminateCause, ending.at.atMs),
      clearedGroups: [],
      life: {
        ...known,
        latest: latestOf(known.latest, ending.at),
        deferred: [],
        closed,
      },
    },
  };
}

/**
 * The NAS has restarted. A session that the feed does not know may have begun afterwards, as far as the clocks tell: then each
 * of its services may be there or not.
 */
export function restartSession(draft: Draft, event: RestartEvent): Draft | undefined {
  const { session } = draft;
  if (session.life !== undefined || aliveAt(session) < event.eventAtMs)
    return closeSession(draft, endingOf(event), event.id);
  const { transition } = session;
  const planned =
    transition?.step === 'activate' || transition?.step === 'deactivate' ? transition.job.planned : {};
  const doubtful = Object.values(session.services)
    .filter(({ state, activation }) => state === 'active' && planned[activation] === undefined)
    .map((service): ServiceSession => ({ ...service, state: 'unconfirmed' }));
  return doubtful.length === 0 ? undefined : { ...draft, session: withServices(session, doubtful) };
}

/** When the table has learned what it says of a service. */
export function lastWordMs(
  { changedAtMs }: Pick<Session, 'changedAtMs'>,
  { activatedAtMs, settledAtMs }: ServiceSession,
): number {
  return settledAtMs ?? activatedAtMs ?? changedAtMs;
}

/** What a command that is under way may activate at the NAS. */
function commandOf({ transition, services }: Session): Closing['command'] {
  if (transition === undefined) return undefined;
  const { step, underWay: names, commandId, tellings } = transition;
  const of = step === 'activate' ? transition.job.planned : step === 'restore' ? services : {};
  const activates = names.flatMap((name) => {
    const service = of[name];
    return service === undefined ? [] : [service];
  });
  if (activates.length === 0) return undefined;
  return { commandId, activates, ...(tellings !== undefined && { isToldAgain: true }) };
}

/** The services of a session, should it go on: whether the request under way has changed one of them is not known. */
function interrupted({ services, transition }: Session): Session['services'] {
  if (transition?.step !== 'activate' && transition?.step !== 'deactivate') return services;
  const { job, underWay: names } = transition;
  const along = transition.step === 'activate' ? transition.along : [];
  const touched = [...names, ...along, ...job.confirmed, ...job.ended, ...(job.doubted ?? [])];
  return {
    ...services,
    ...Object.fromEntries(
      touched.flatMap((name) => {
        const service = services[name] ?? job.planned[name];
        if (service === undefined) return [];
        const { retry: _, ...doubtful } = service;
        return [[name, { ...doubtful, state: 'unconfirmed' as const }]];
      }),
    ),
  };
}

/** How a record says that a session has ended. */
export function endingOf(event: RecordEvent | RestartEvent): Ending {
  if (event.kind === 'nas-restart') {
    const at = { atMs: event.eventAtMs, isStamped: true };
    return { by: 'restart', at, terminateCause: event.terminateCause };
  }
  const { record } = event;
  return {
    by: 'stop',
    at: momentOf(record),
    terminateCause: record.terminateCause ?? SESSION_GONE_CAUSE,
  };
}

/** The Acct-Stop of a session that is closed: the end is certain, and no later than the latest that is known. */
export function confirmEnd(session: Session, ending: Ending, nowMs: number): Session {
  const { life } = session;
  if (life?.closed === undefined) return session;
  const { services: _, command, younger, by, at, decidedAtMs } = life.closed;
  const closed: Closing = {
    ...ending,
    // The restart of the NAS is later than the end of a session whose Acct-Stop it does not forget.
    ...(by === 'restart' && at.atMs > ending.at.atMs && { by }),
    at: latestOf(at, ending.at),
    decidedAtMs: Math.max(decidedAtMs, nowMs),
    ...(command !== undefined && { command }),
    ...(younger !== undefined && { younger }),
  };
  return { ...session, life: { ...life, latest: latestOf(life.latest, ending.at), closed } };
}

/** The session has ended at the latest when the one of the record began, which has the services that began then. */
export function replaceSession(draft: Draft, event: RecordEvent): Draft {
  const at = startedAt(event.record) ?? momentOf(event.record);
  const ending = { by: 'stop', at, terminateCause: SESSION_GONE_CAUSE } as const;
  const staying = Object.values(draft.session.services)
    // What the NAS has accounted since, its new session has.
    .filter(({ isLearned, record }) => isLearned && (record?.atMs ?? 0) >= at.atMs)
    .map(({ activation }) => activation);
  const { session, ...closed } = openSession(closeSession(draft, ending, event.id, staying), event);
  const { life } = session;
  const deferred = (draft.session.life?.deferred ?? []).filter(
    ({ startedAtMs, atMs }) => (startedAtMs ?? atMs) >= at.atMs,
  );
  const services = Object.entries(session.services).map(([name, service]): [string, ServiceSession] => {
    // A command that is under way may have ended it.
    const { retry: _, terminateCause: __, ...doubtful } = service;
    return [name, service.state === 'active' ? service : { ...doubtful, state: 'unconfirmed' }];
  });
  return {
    ...closed,
    session: {
      ...session,
      ...(life && { life: { ...life, deferred } }),
      services: Object.fromEntries(services),
    },
  };
}
