// What the NAS accounts of services. It accounts what is there, so its records are a witness: they tell of services that it
// activated at log-in and of those that it has ended, and they settle what the table is in doubt of.
//
// A record says what was so when it happened. One that happened before the table's latest word from the NAS settles nothing,
// and one about what the command under way may change waits until that is settled.
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { serviceSessionId as idOfInterlock } from '../service-accounting.ts';
import type { ServiceTerms } from '../services/terms.ts';
import { type Draft, end, mark, withServices } from './draft.ts';
import { isMember, MAX_SERVICES } from './exclusion.ts';
import { CLOCK_TOLERANCE_MS, lastWordMs } from './life.ts';
import type { AccountedService } from './record.ts';
import type { Drift, Life, ServiceRecordId, ServiceSession, Session, Witness } from './session.ts';
import { proceed } from './steps.ts';

/** Records that wait, and ended services that are remembered. */
const RECORDS_KEPT = 16;
/** What begins so soon after its session was activated by the log-in. */
const LOG_IN_MS = 60_000;

/**
 * Whether a record is one of Interlock's own, which a server has copied. The relay tells those whose number has 13 digits; a
 * session that 0.1.0 began has numbers like those of JunosE, which may account another service under the same one.
 */
export function isOfInterlock(
  { acctSessionId, services }: Session,
  { activation, serviceSessionId }: AccountedService,
): boolean {
  const account = services[activation]?.account;
  return account !== undefined && serviceSessionId === idOfInterlock(acctSessionId, account.number);
}

/** The session with what a record says of a service, or with the record where it has to wait. */
export function witness(draft: Draft, one: Witness): Draft {
  const { session } = draft;
  if (!concerns(session, one)) return taken(draft, one);
  const others = (session.life?.deferred ?? []).filter((other) => !isOvertakenBy(other, one));
  return { ...draft, session: withLife(session, { deferred: [...others, one].slice(-RECORDS_KEPT) }) };
}

/** When it happened by the clock of the NAS, which orders its records. */
const eventAtOf = ({ eventAtMs, atMs }: Witness): number => eventAtMs ?? atMs;

/** Takes the records that have waited, once nothing is under way. */
export function takeDeferred(draft: Draft): Draft {
  let current = draft;
  while (current.session.transition === undefined) {
    const [next, ...deferred] = current.session.life?.deferred ?? [];
    if (next === undefined) break;
    current = taken({ ...current, session: withLife(current.session, { deferred }) }, next);
  }
  return current;
}

function isOvertakenBy(earlier: Witness, later: Witness): boolean {
  return (
    earlier.serviceSessionId === later.serviceSessionId &&
    earlier.kind === later.kind &&
    eventAtOf(earlier) <= eventAtOf(later)
  );
}

/** Whether what is under way may change the service, or what excludes it. */
function concerns({ transition, services }: Session, { activation, groups }: Witness): boolean {
  if (transition === undefined) return false;
  // Whether anything stays at all is not known.
  if (transition.step === 'disconnect') return true;
  const { underWay, remaining } = transition;
  const named = [...underWay, ...remaining.flat()];
  if (transition.step === 'exclude' || transition.step === 'restore') return named.includes(activation);
  const { planned, explicit, victims } = transition.job;
  const all = [...named, ...explicit.map((one) => one.activation), ...victims, ...Object.keys(planned)];
  const own = { groups: services[activation]?.groups ?? groups };
  return all.includes(activation) || Object.values(planned).some((one) => sharesGroup(one, own));
}

function taken(draft: Draft, one: Witness): Draft {
  return one.kind === 'stop' ? ended(draft, one) : accounted(draft, one);
}

// --- The NAS has ended a service ------------------------------------------------------------------------------

function ended(draft: Draft, one: Witness): Draft {
  const { activation, serviceSessionId, atMs, terminateCause, id } = one;
  const { life, services } = draft.session;
  const known = services[activation];
  const others = (life?.endedServices ?? []).filter((other) => other.serviceSessionId !== serviceSessionId);
  const session = withLife(draft.session, {
    endedServices: [...others, { serviceSessionId, atMs: eventAtOf(one) }].slice(-RECORDS_KEPT),
  });
  // A service that is to be there again was ended by Interlock itself.
  if (known === undefined || known.state === 'restoring') return { ...draft, session };
  if (known.record !== undefined && known.record.serviceSessionId !== serviceSessionId)
    return { ...draft, session };
  const settledMs = lastWordMs(draft.session, known);
  const isCertain =
    atMs > settledMs ||
    // What the NAS accounts under one id it has not ended and begun again.
    (known.record !== undefined && isOwnRecord(known, known.record));
  if (isCertain) {
    const cause =
      known.state === 'deactivating'
        ? known.terminateCause
        : (terminateCause ?? TERMINATE_CAUSE['NAS-Request']);
    return { ...draft, session: end(session, [activation], id, cause, atMs) };
  }
  // The NAS may have ended it just before Interlock activated it, or just afterwards.
  if (known.state !== 'active' || settledMs - atMs >= CLOCK_TOLERANCE_MS) return { ...draft, session };
  return { ...draft, session: withServices(session, [{ ...known, state: 'unconfirmed' }]) };
}

/**
 * Whether the record that is noted with a service is of it for certain. One that happened before the NAS confirmed an activation
 * may be of a service that was there before.
 */
function isOwnRecord(known: ServiceSession, { atMs }: ServiceRecordId): boolean {
  if (known.settledAtMs !== undefined) return false;
  return known.state !== 'active' || known.isLearned === true || atMs > (known.activatedAtMs ?? 0);
}

// --- The NAS has a service ------------------------------------------------------------------------------------

function accounted(draft: Draft, one: Witness): Draft {
  const { session, nowMs } = draft;
  const { activation, serviceSessionId, atMs } = one;
  const isEnded = session.life?.endedServices.some(
    (other) => other.serviceSessionId === serviceSessionId && other.atMs >= eventAtOf(one),
  );
  if (isEnded) return draft;
  const known = session.services[activation];
  if (known === undefined) return learn(draft, one);
  const keep = (service: ServiceSession): Draft => ({ ...draft, session: withServices(session, [service]) });
  const settledMs = lastWordMs(session, known);
  const isNews = atMs > settledMs;
  // The Acct-Start of what the NAS is to account happens before its ACK is known. Else an earlier record is of a service that
  // was there before, and has perhaps ended.
  const isItsOwn = isNews || (known.isAccountedByNas && settledMs - atMs < CLOCK_TOLERANCE_MS);
  const isNoted = known.record === undefined ? isItsOwn : known.record.atMs < eventAtOf(one);
  const noted = isNoted ? recorded(known, one) : known;
  if (known.state === 'active' || known.state === 'deactivating' || known.undo || !isNews) return keep(noted);
  const instead = known.state === 'restoring' ? [] : rivalsOf(session, known);
  if (instead.length > 0) return drifting(keep(noted), activation, { sinceMs: atMs, instead });
  const { retry: _, isLost: __, settledAtMs: ___, named: ____, ...settled } = noted;
  const activatedAtMs = known.activatedAtMs ?? nowMs;
  // What the NAS accounts without having confirmed it to Interlock is the NAS's to account.
  const accounting = known.activatedAtMs === undefined ? { isAccountedByNas: true as const } : {};
  return keep({ ...settled, ...accounting, activatedAtMs, state: 'active' });
}

function recorded(
  service: ServiceSession,
  { serviceSessionId, atMs, eventAtMs, startedAtMs = atMs }: Witness,
): ServiceSession {
  const isAnother = service.isLearned && service.record?.serviceSessionId !== serviceSessionId;
  return {
    ...service,
    ...(isAnother && { activatedAtMs: Math.min(atMs, startedAtMs) }),
    record: { serviceSessionId, atMs: eventAtMs ?? atMs },
  };
}

/** A service that no request has activated. */
function learn(draft: Draft, one: Witness): Draft {
  const { session } = draft;
  const { activation, spelling, groups, atMs, id } = one;
  if (Object.keys(session.services).length >= MAX_SERVICES) return draft;
  const service: ServiceSession = {
    activation,
    groups,
    ...(spelling !== activation && { spelling }),
    statistics: 'time',
    timeoutSeconds: 0,
    volumeMegabytes: 0,
    interimIntervalSeconds: 0,
    state: 'active',
    number: session.nextServiceNumber,
    activatedAtMs: Math.min(atMs, one.startedAtMs ?? atMs),
    correlationId: id,
    isAccountedByNas: true,
    isLearned: true,
    record: { serviceSessionId: one.serviceSessionId, atMs: eventAtOf(one) },
  };
  const instead = rivalsOf(session, service);
  if (instead.length === 0) return { ...draft, session: withServices(session, [service]) };
  if (isFromLogIn(session, one)) {
    // It was there before what excludes it, and would have been a victim, had it been known.
    const marked = mark(withServices(session, [service]), [activation]);
    const next = { ...draft, session: marked };
    return marked.transition === undefined ? proceed(next, id) : next;
  }
  const doubtful: Draft = {
    ...draft,
    session: withServices(session, [{ ...service, state: 'unconfirmed' }]),
  };
  return drifting(doubtful, activation, { sinceMs: atMs, instead });
}

/** Members of a service's groups that requests have activated. Those that the NAS activated itself it has side by side. */
function rivalsOf({ services }: Session, service: ServiceTerms): readonly string[] {
  return Object.values(services)
    .filter(
      (other) =>
        other.activation !== service.activation &&
        isMember(other) &&
        !other.isLearned &&
        sharesGroup(other, service),
    )
    .map(({ activation }) => activation);
}

function isFromLogIn({ nas, life }: Session, { startedAtMs }: Witness): boolean {
  const began = life?.began?.atMs;
  if (nas.enforcement === 'none' || began === undefined || startedAtMs === undefined) return false;
  return startedAtMs <= began + LOG_IN_MS;
}

function drifting(draft: Draft, activation: string, drift: Drift): Draft {
  const { session } = draft;
  const since = session.drift?.[activation]?.sinceMs ?? drift.sinceMs;
  const known = { ...session.drift, [activation]: { ...drift, sinceMs: since } };
  return { ...draft, session: { ...session, drift: known } };
}

// --- After each event -----------------------------------------------------------------------------------------

/**
 * Notes since when the table is in doubt of a service, and what of the drift is settled: a service that was ended, has to go or
 * is active is none any more. `before` is the session that was read.
 */
export function settleRecords(before: Session | undefined, session: Session, nowMs: number): Session {
  if (session.life === undefined || before?.services === session.services) return session;
  const { drift, ...rest } = rememberEnds(before, session, nowMs);
  const services = Object.values(session.services).map((service): ServiceSession => {
    if (service.state === 'active') return service;
    const known = before?.services[service.activation];
    const isAsBefore =
      service.settledAtMs !== undefined &&
      known?.state === service.state &&
      known.retry?.attempts === service.retry?.attempts;
    return isAsBefore ? service : { ...service, settledAtMs: nowMs };
  });
  const left = Object.entries(drift ?? {}).filter(
    ([name]) => session.services[name]?.state === 'unconfirmed',
  );
  return {
    ...rest,
    services: Object.fromEntries(services.map((service) => [service.activation, service])),
    ...(left.length > 0 && { drift: Object.fromEntries(left) }),
  };
}

/** A record that happened before the NAS confirmed that its service is gone does not bring the service back. */
export function rememberEnds(before: Session | undefined, session: Session, nowMs: number): Session {
  if (session.life === undefined || before?.services === session.services) return session;
  const known = session.life.endedServices;
  const isNoted = ({ serviceSessionId, atMs }: ServiceRecordId) =>
    known.some((one) => one.serviceSessionId === serviceSessionId && one.atMs >= atMs);
  const isSame = before?.life?.after === session.life.after && session.life.closed === undefined;
  const ended = Object.values(before?.services ?? {}).flatMap(({ activation, record }) => {
    if (session.services[activation] !== undefined) return [];
    // Where no record of it was known, the first one that has waited for the outcome is of it.
    const account = record ?? (isSame ? firstAccount(session, activation) : undefined);
    if (account === undefined || isNoted(account)) return [];
    return [{ ...account, atMs: Math.max(nowMs, account.atMs) }];
  });
  if (ended.length === 0) return session;
  const ids = ended.map(({ serviceSessionId }) => serviceSessionId);
  const others = known.filter(({ serviceSessionId }) => !ids.includes(serviceSessionId));
  return withLife(session, { endedServices: [...others, ...ended].slice(-RECORDS_KEPT) });
}

function firstAccount({ life }: Session, activation: string): ServiceRecordId | undefined {
  const [first] = (life?.deferred ?? [])
    .filter((one) => one.activation === activation && one.kind !== 'stop')
    .sort((one, other) => eventAtOf(one) - eventAtOf(other));
  return first && { serviceSessionId: first.serviceSessionId, atMs: eventAtOf(first) };
}

// --- Bringing the two together --------------------------------------------------------------------------------

/**
 * Ends the drift of a session. To the table: the NAS is told to have what the table says. To the NAS: what it accounts is
 * active, and what the table had instead may be there or not.
 */
export function resync(draft: Draft, to: 'table' | 'nas', id: string): Draft {
  const { session, nowMs } = draft;
  const { services, drift = {} } = session;
  const drifted = Object.keys(drift).flatMap((name) => services[name] ?? []);
  const rivals = [...new Set(Object.values(drift).flatMap(({ instead }) => instead))]
    .flatMap((name) => services[name] ?? [])
    .filter((service) => isMember(service) && drifted.some((one) => sharesGroup(one, service)));
  if (to === 'nas') {
    const settled = drifted.map(
      ({ settledAtMs: _, ...service }): ServiceSession => ({
        ...service,
        ...(service.activatedAtMs === undefined && { isAccountedByNas: true, activatedAtMs: nowMs }),
        state: 'active',
      }),
    );
    const doubtful = rivals.map(
      ({ retry: _, isLost: __, ...service }): ServiceSession => ({
        ...service,
        state: 'unconfirmed',
      }),
    );
    return { ...draft, session: withServices(session, [...settled, ...doubtful]) };
  }
  const names = drifted.map(({ activation }) => activation);
  if (session.nas.enforcement === 'none') {
    return { ...draft, session: end(session, names, id) };
  }
  const restored = rivals.map((service): ServiceSession => ({ ...service, state: 'restoring' }));
  return proceed({ ...draft, session: mark(withServices(session, restored), names) }, id);
}

function withLife(session: Session, part: Partial<Life>): Session {
  return session.life === undefined ? session : { ...session, life: { ...session.life, ...part } };
}

function sharesGroup(one: Pick<ServiceTerms, 'groups'>, other: Pick<ServiceTerms, 'groups'>): boolean {
  return one.groups.some((group) => other.groups.includes(group));
}
