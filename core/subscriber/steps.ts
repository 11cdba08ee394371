// The steps of a request and of what follows it: each tells the NAS one command and says what the session waits for.
//
// `activate-first` tells A, then E, then V. `together` tells A, E and V in one, `deactivate-first` E and V, then A. The
// answer depends on A and E, and with the two latter orders on V. What went wrong is mended afterwards, from what the
// services of the session say of themselves: first what is `restoring` is activated again, and then what was to be undone
// is deactivated; with `deactivate-first`, where the NAS refuses the two side by side, the other way round.
import type { TermsAtNas } from '../dialects/dialect.ts';
import { nameOf } from '../services/activation.ts';
import type { ServiceTerms } from '../services/terms.ts';
import {
  alsoNamed,
  chunks,
  claimedOf,
  dialect,
  identityOf,
  isOwn,
  tell,
  toldOf,
  unprovenOf,
} from './command.ts';
import type { CommandOutcome } from './command-outcome.ts';
import {
  ACK,
  activated,
  answer,
  type Draft,
  end,
  mark,
  retryAfterFailure,
  settle,
  withServices,
} from './draft.ts';
import { isMember, unknownMembersOf } from './exclusion.ts';
import type {
  Closing,
  ExplicitDeactivation,
  Job,
  Owed,
  ServiceSession,
  Session,
  Transition,
} from './session.ts';

type Lists = readonly (readonly string[])[];

// --- What the answer depends on -------------------------------------------------------------------------------

/** Begins to carry out a job that has something to tell the NAS. */
export function startJob(draft: Draft, job: Job): Draft {
  const { session } = draft;
  const limits = dialect(session).servicesPerCommand;
  const activations = Object.keys(job.planned);
  if (session.nas.order === 'deactivate-first') {
    const names = [...job.explicit.map(({ activation }) => activation), ...job.victims];
    if (names.length > 0) return tellToDeactivate(draft, job, chunks(names, limits.deactivate));
  }
  if (activations.length > 0) return tellToActivate(draft, job, chunks(activations, limits.activate));
  const explicit = job.explicit.map(({ activation }) => activation);
  return tellToDeactivate(draft, job, chunks(explicit, limits.deactivate));
}

/** A: one command for each of the lists, the first one now. The last one takes along the first of `alongs`. */
export function tellToActivate(
  draft: Draft,
  job: Job,
  [underWay = [], ...remaining]: Lists,
  alongs: Lists = alongsOf(draft.session, job),
): Draft {
  const { session } = draft;
  const [along = [], ...otherwise] = remaining.length === 0 ? alongs : [];
  const { draft: told, step } = tell(draft, {
    activate: servicesOf(job.planned, underWay),
    deactivate: spelled(session, job, along),
    staying: stayingBeside(session, job, [...underWay, ...along]),
    request: job.request,
    correlationId: job.request.correlationId,
  });
  return under(told, { step: 'activate', ...step, job, remaining, along, otherwise });
}

/**
 * With `order: together`, what of E and V goes along with the last activation, and what goes along should the NAS refuse that
 * because it does not have all of it: first all, then all that is certain and one of what the NAS may not have, then what
 * is certain, then nothing. What did not go along is told later. A bare name beside known services is not there as a rule.
 */
export function alongsOf({ nas, services }: Session, { explicit, victims }: Job): Lists {
  if (nas.order !== 'together') return [];
  const { servicesPerCommand, replacesAll } = dialect({ nas });
  const { deactivate: limit } = servicesPerCommand;
  const named = explicit.filter(({ isOptional }) => !isOptional).map(({ activation }) => activation);
  const all = [...named, ...victims];
  const doubtful = all.filter((activation) => services[activation]?.state === 'unconfirmed');
  const certain = all.filter((activation) => !doubtful.includes(activation));
  // Such a NAS refuses nothing because it does not have it.
  if (replacesAll) return all.length === 0 ? [] : [all.slice(0, limit)];
  const oneEach = doubtful.length > 1 ? doubtful.map((one) => [...certain, one]) : [];
  const fewer = doubtful.length > 0 && certain.length > 0 ? [certain] : [];
  return [all, ...oneEach, ...fewer].filter(({ length }) => length > 0).map((names) => names.slice(0, limit));
}

/** E, and with `order: deactivate-first` V: one command for each of the lists, the first one now. */
export function tellToDeactivate(draft: Draft, job: Job, [underWay = [], ...remaining]: Lists): Draft {
  const { session } = draft;
  const { draft: told, step } = tell(draft, {
    activate: [],
    deactivate: spelled(session, job, underWay),
    staying: stayingBeside(session, job, underWay),
    request: job.request,
    correlationId: job.request.correlationId,
  });
  return under(told, { step: 'deactivate', ...step, job, remaining });
}

/** All that the answer depends on is done: A is active, E is gone, and V has to go. */
export function completeJob(draft: Draft, job: Job): Draft {
  const { session, nowMs } = draft;
  const { request, planned, victims, ended } = job;
  const { correlationId } = request;
  const claimed = claimedOf(session.nas, request.identity);
  const claims = Object.fromEntries(Object.keys(planned).map((activation) => [activation, claimed]));
  const active = Object.values(planned).map((service) => activated(service, nowMs));
  // After A in each order: what an unknown member leaves behind could not be restored, as nothing says what was there.
  const unknown = unknownMembersOf(session, job);
  const learned = job.isAcknowledged ? learn(session, job) : session;
  const begun = withServices(end(learned, ended, correlationId), active);
  const withUnknown = withServices(begun, strangers(begun, unknown, correlationId, 'deactivating'));
  const marked = dueNow(
    mark(
      withUnknown,
      victims.filter((one) => !ended.includes(one)),
    ),
    nowMs,
  );
  const clears = request.activate.flatMap(({ unknownMembers }) =>
    unknownMembers.flatMap((one) => one.clears),
  );
  const clearedGroups = [...new Set([...marked.clearedGroups, ...clears])];
  const completed = {
    ...draft,
    session: { ...marked, clearedGroups },
    claims: { ...draft.claims, ...claims },
  };
  return proceed(completed, correlationId, { request, ...ACK });
}

export interface Failure {
  /** What the client gets. */
  readonly owed: Owed;
  /** Of A, what the NAS has activated or may have. */
  readonly activated: readonly string[];
  /** Of E and V, what the NAS has deactivated or may have besides `job.ended`. */
  readonly deactivated: readonly string[];
}

/** The request fails: its client is answered, and all that the NAS did or may have done is to be as it was. */
export function failJob(draft: Draft, job: Job, failure: Failure): Draft {
  const { owed, activated, deactivated } = withDoubted(job, failure);
  const { correlationId } = job.request;
  const answered = answer(draft, owed);
  const session = job.isAcknowledged ? learn(answered.session, job) : answered.session;
  const { services } = session;
  const undone = activated.flatMap((activation): ServiceSession[] => {
    const known = services[activation];
    const planned = job.planned[activation];
    // The undo of a refresh gives the former terms again.
    if (known !== undefined && isMember(known)) return [restoring(known)];
    const names = unprovenOf(session, job.request);
    // Told twice, it may have come twice: that the NAS has ended it in between says nothing of the second time.
    const since = job.doubted?.includes(activation) ? { settledAtMs: draft.nowMs } : {};
    const named = { ...alsoNamed(known, names), ...since };
    if (known?.state === 'deactivating') {
      // Earlier failures say nothing of this activation.
      const { retry: _, ...going } = known;
      return [{ ...going, ...named }];
    }
    // What was in doubt before may have been there before.
    const staysInDoubt = known !== undefined && !known.undo && isOwn(known, identityOf(session, job.request));
    if (staysInDoubt) return [{ ...known, ...named }];
    return planned === undefined
      ? []
      : [{ ...planned, ...accountingOf(known), state: 'unconfirmed', undo: true, ...named }];
  });
  const lost = [...job.ended, ...deactivated].flatMap((activation): ServiceSession[] => {
    const known = services[activation];
    if (known === undefined) return [];
    // What was in doubt and is gone was there.
    const wasInDoubt = known.state === 'unconfirmed';
    const isEnded = job.ended.includes(activation);
    if (isMember(known) || (wasInDoubt && isEnded)) {
      return [{ ...restoring(known), ...((isEnded || wasThere(known)) && { isLost: true as const }) }];
    }
    // What is still in doubt may have been the last of its group, unless a client wanted it gone. It may also never have
    // been there, so a NAK ends its restoration for good.
    const mayBeLast = wasInDoubt && job.victims.includes(activation) && !known.isStranger;
    return mayBeLast ? [restoring(known)] : [];
  });
  const marked = withServices(session, [...undone, ...lost]);
  const unknown = job.explicit.filter(isUnknown);
  const are = (names: readonly string[]) => unknown.filter(({ activation }) => names.includes(activation));
  // Whether the NAS had what it did not have when it was asked again is not known.
  const certain = job.ended.filter((activation) => !job.doubted?.includes(activation));
  const again = withServices(marked, strangers(marked, are(certain), correlationId, 'restoring'));
  const inDoubt = strangers(again, are(deactivated), correlationId, 'unconfirmed');
  return proceed({ ...answered, session: withServices(again, inDoubt) }, correlationId);
}

/** What a command named whose outcome was not reported, the NAS may have done, whatever it said when it was asked again. */
function withDoubted({ planned, explicit, victims, doubted = [] }: Job, failure: Failure): Failure {
  const going = new Set([...explicit.map(({ activation }) => activation), ...victims]);
  const coming = doubted.filter((activation) => activation in planned);
  const gone = doubted.filter((activation) => going.has(activation));
  return {
    ...failure,
    activated: [...new Set([...failure.activated, ...coming])],
    deactivated: [...new Set([...failure.deactivated, ...gone])],
  };
}

/** The session is not there any more: all its services end, and what it was known by is forgotten. */
export function endSession(
  draft: Draft,
  correlationId: string,
  terminateCause: number,
  by: Closing['by'] = 'not-found',
): Draft {
  const { session, nowMs } = draft;
  const { life, ...ended } = end(session, Object.keys(session.services), correlationId, terminateCause);
  const forgotten: Session = { ...ended, identity: {}, claimed: {}, classes: [], clearedGroups: [] };
  if (life === undefined) return { ...draft, session: forgotten };
  // The NAS says that it is not there, but not since when: whatever comes after the latest record may be there again.
  const closed: Closing = { by, at: life.latest, terminateCause, decidedAtMs: nowMs };
  return { ...draft, session: { ...forgotten, life: { ...life, deferred: [], closed } } };
}

/** What the NAS has confirmed by acknowledging a request. */
function learn(session: Session, { request }: Job): Session {
  const { nas, identity, classes } = request;
  const claimed = Object.entries(claimedOf(nas, identity)).filter(([name]) => !(name in session.identity));
  return {
    ...session,
    identity: { ...toldOf(nas, identity), ...session.identity },
    claimed: { ...session.claimed, ...Object.fromEntries(claimed) },
    classes: classes.length > 0 ? classes : session.classes,
  };
}

/** Of a service that was confirmed once: a request that fails changes nothing of its accounting. */
function accountingOf(known: ServiceSession | undefined): Partial<ServiceSession> {
  if (known?.activatedAtMs === undefined) return {};
  const { statistics, correlationId } = known;
  return { statistics, correlationId };
}

function restoring({ retry: _, undo: __, isLost: ___, ...service }: ServiceSession): ServiceSession {
  return { ...service, state: 'restoring' };
}

/** Whether the NAS has confirmed that it had a service. One that is `restoring` may also have been in doubt. */
export function wasThere({ activatedAtMs, isLost }: ServiceSession): boolean {
  return activatedAtMs !== undefined || isLost === true;
}

/** Whether the table knows of the service by this request alone, and the NAS has to have it. */
export function isUnknown({ isKnown, isOptional }: ExplicitDeactivation): boolean {
  return !isKnown && !isOptional;
}

/** Services that the table did not know. The NAS has accounted them, and does so again when they are restored. */
export function strangers(
  session: Session,
  named: readonly ExplicitDeactivation[],
  correlationId: string,
  state: ServiceSession['state'],
): readonly ServiceSession[] {
  return named.map(
    ({ activation, spelling, groups, statistics }, index): ServiceSession => ({
      isStranger: true as const,
      isAccountedByNas: true as const,
      ...(state === 'restoring' && { isLost: true as const }),
      ...NO_TERMS,
      ...(statistics !== undefined && { statistics }),
      activation,
      ...(spelling !== activation && { spelling }),
      groups,
      state,
      number: session.nextServiceNumber + index,
      correlationId,
    }),
  );
}

const NO_TERMS: Omit<ServiceTerms, 'activation' | 'groups'> = {
  statistics: 'off',
  timeoutSeconds: 0,
  volumeMegabytes: 0,
  interimIntervalSeconds: 0,
};

// --- What follows ---------------------------------------------------------------------------------------------

/**
 * Tells what is due of what is `restoring` or `deactivating`; when nothing is, the session is idle. `owed` is answered when
 * everything `deactivating` has been told once.
 */
export function proceed(draft: Draft, correlationId: string, owed?: Owed): Draft {
  const isDue = ({ retry }: ServiceSession) => retry === undefined || retry.atMs <= draft.nowMs;
  const kept = withinCapacity(draft.session, correlationId);
  const session = withoutAmbiguity(undoWherePossible(kept));
  const next = { ...draft, session };
  const services = Object.values(session.services);
  const going = services.filter(({ state }) => state === 'deactivating');
  const returning = services.filter(({ state }) => state === 'restoring');
  const { activate, deactivate } = dialect(session).servicesPerCommand;
  const exclude = going.filter(isDue).map(({ activation }) => activation);
  // Where the NAS refuses two services side by side, the newcomer has to be gone first.
  const isBlocked = (service: ServiceSession) =>
    session.nas.order === 'deactivate-first' && going.some((other) => sharesGroup(other, service));
  const restore = returning
    .filter((one) => isDue(one) && !isBlocked(one))
    .map(({ activation }) => activation);
  if (restore.length > 0 && owed === undefined) {
    return tellToRestore(next, correlationId, chunks(restore, activate));
  }
  if (exclude.length > 0) {
    // Those that are undone under the same name share a command.
    const byName = Map.groupBy(exclude, (one) => JSON.stringify(session.services[one]?.named?.[0] ?? {}));
    const lists = [...byName.values()].flatMap((names) => chunks(names, deactivate));
    return tellToExclude(next, correlationId, lists, owed);
  }
  return owed === undefined ? settle(next, undefined) : proceed(settle(next, owed), correlationId);
}

/** V, what is undone, and what is retried: one command for each of the lists, the first one now. */
export function tellToExclude(
  draft: Draft,
  correlationId: string,
  [underWay, ...remaining]: Lists,
  owed: Owed | undefined,
): Draft {
  if (underWay === undefined) return proceed(owed ? settle(draft, owed) : draft, correlationId);
  const { session } = draft;
  const services = servicesOf(session.services, underWay);
  const named = services[0]?.named?.[0];
  const { draft: told, step } = tell(draft, {
    activate: [],
    deactivate: services,
    staying: staying(session, underWay, { ...identityOf(session, undefined), ...named }),
    named,
    correlationId,
  });
  return under(told, { step: 'exclude', ...step, remaining, ...(owed && { owed }) });
}

/** What is `restoring`: one command for each of the lists, the first one now. */
export function tellToRestore(
  draft: Draft,
  correlationId: string,
  [underWay, ...remaining]: Lists,
  isCleared = false,
): Draft {
  if (underWay === undefined) return proceed(draft, correlationId);
  const { session, nowMs } = draft;
  const services = servicesOf(session.services, underWay);
  // A NAS of this kind may refuse what is there already, which would look like a refusal for good.
  const lost = services.filter(({ isLost }) => isLost);
  if (session.nas.order === 'deactivate-first' && !isCleared && lost.length > 0) {
    const clearing = {
      activate: [],
      deactivate: lost,
      staying: staying(session, underWay),
      correlationId,
    };
    const { draft: told, step } = tell(draft, clearing);
    return under(told, { step: 'restore', ...step, underWay, remaining, isClearing: true });
  }
  const activate = services.map((service) => withRemainingTime(service, nowMs));
  const { draft: told, step } = tell(draft, {
    activate,
    deactivate: [],
    staying: staying(session, underWay),
    correlationId,
  });
  return under(told, { step: 'restore', ...step, remaining });
}

/** These services were told in vain; each has a pause of its own. */
export function failed(
  session: Session,
  activations: readonly string[],
  nowMs: number,
  outcome: CommandOutcome,
  alsoGone = 0,
): Session {
  return withServices(
    session,
    servicesOf(session.services, activations).map((service) => ({
      ...service,
      retry: {
        ...retryAfterFailure(session, service, nowMs),
        sinceMs: service.retry?.sinceMs ?? nowMs,
        outcome,
        ...(alsoGone > 0 && { alsoGone: (service.retry?.alsoGone ?? 0) + alsoGone }),
      },
    })),
  );
}

/** These services have not been told, because the NAS does not answer: they wait as long as after a first failure. */
export function postponed(session: Session, activations: readonly string[], nowMs: number): Session {
  return withServices(
    session,
    servicesOf(session.services, activations).map((service) => {
      const { atMs } = retryAfterFailure(session, { ...service, retry: { attempts: 0, atMs: 0 } }, nowMs);
      return { ...service, retry: { attempts: 0, ...service.retry, atMs } };
    }),
  );
}

/** The next request of a session retries what is stuck. */
function dueNow(session: Session, nowMs: number): Session {
  const stuck = Object.values(session.services).filter(
    ({ state, retry }) => state === 'deactivating' && retry !== undefined && retry.atMs > nowMs,
  );
  return withServices(
    session,
    stuck.map((service) => ({ ...service, retry: { attempts: 0, ...service.retry, atMs: nowMs } })),
  );
}

/**
 * Services to be undone become `deactivating` once nothing is `restoring`, where each of their groups keeps a member that
 * the NAS has confirmed. One that would be the last member stays `unconfirmed`: it may have been there before.
 */
function undoWherePossible(session: Session): Session {
  const services = Object.values(session.services);
  const isDeactivatedFirst = session.nas.order === 'deactivate-first';
  const undone = services.filter(({ undo }) => undo);
  const waits = !isDeactivatedFirst && services.some(({ state }) => state === 'restoring');
  if (undone.length === 0 || waits) return session;
  return withServices(
    session,
    undone.map(({ undo: _, ...service }) => {
      const keepsMember = service.groups.every((group) =>
        services.some(
          (other) =>
            (other.state === 'active' || (isDeactivatedFirst && other.state === 'restoring')) &&
            other.activation !== service.activation &&
            other.groups.includes(group),
        ),
      );
      return { ...service, state: keepsMember ? 'deactivating' : 'unconfirmed' };
    }),
  );
}

/**
 * A bare name that has to go is not told while a service of that name is to stay, for which the NAS may take it: it becomes
 * `unconfirmed`.
 */
function withoutAmbiguity(session: Session): Session {
  const services = Object.values(session.services);
  const staying = services.filter(({ state }) => state !== 'deactivating');
  const ambiguous = services.filter(
    ({ state, activation, isStranger }) =>
      state === 'deactivating' &&
      isStranger &&
      staying.some((other) => other.activation !== activation && nameOf(other.activation) === activation),
  );
  return withServices(
    session,
    ambiguous.map(({ retry: _, terminateCause: __, ...service }) => ({ ...service, state: 'unconfirmed' })),
  );
}

/**
 * With as many services confirmed as the NAS has room for, it has no others of this subscriber. While it has not confirmed so
 * many, no more than that are restored: those that are certainly to be there again.
 */
function withinCapacity(session: Session, correlationId: string): Session {
  const capacity = dialect(session).capacity?.(session.nas.options);
  if (capacity === undefined) return session;
  const services = Object.values(session.services);
  const active = services.filter(({ state }) => state === 'active');
  if (active.length >= capacity) {
    const own = identityOf(session, undefined);
    const isOwnAlone = ({ named = [{}] }: ServiceSession) =>
      named.every((one) => isOwn({ named: [one] }, own));
    const others = services
      .filter((service) => service.state !== 'active' && isOwnAlone(service))
      .map(({ activation }) => activation);
    return others.length === 0 ? session : end(session, others, correlationId);
  }
  const returning = services.filter(({ state }) => state === 'restoring');
  if (active.length + returning.length <= capacity) return session;
  const certain = returning.filter(({ isLost }) => isLost).slice(0, capacity - active.length);
  const doubtful = returning.filter((service) => !certain.includes(service));
  return withServices(
    session,
    doubtful.map(({ retry: _, isLost: __, ...service }) => ({ ...service, state: 'unconfirmed' })),
  );
}

function sharesGroup(one: ServiceTerms, other: ServiceTerms): boolean {
  return one.groups.some((group) => other.groups.includes(group));
}

// --- Small things ---------------------------------------------------------------------------------------------

function under({ session, ...draft }: Draft, transition: Transition): Draft {
  return { ...draft, session: { ...session, transition } };
}

function servicesOf(
  services: Readonly<Record<string, ServiceSession>>,
  activations: readonly string[],
): readonly ServiceSession[] {
  return activations.flatMap((activation) => services[activation] ?? []);
}

/** How the NAS calls what a job deactivates. */
function spelled(session: Session, { explicit }: Job, names: readonly string[]) {
  return names.flatMap((name) => {
    const named = explicit.find(({ activation }) => activation === name) ?? session.services[name];
    return named === undefined ? [] : [named];
  });
}

/**
 * What the session is to keep, but for `about`. What was asked for under another name than the command says is no service of
 * it, nor is what was asked for under a name where the command says none: it may mean another subscriber.
 */
function staying(
  session: Session,
  about: readonly string[],
  own = identityOf(session, undefined),
): readonly TermsAtNas[] {
  return Object.values(session.services).filter(
    (service) =>
      service.state !== 'deactivating' && !about.includes(service.activation) && isOwn(service, own),
  );
}

/** As `staying`, during a job: what it has activated stays, what it has deactivated does not. */
function stayingBeside(session: Session, job: Job, about: readonly string[]): readonly TermsAtNas[] {
  const activated = servicesOf(job.planned, job.confirmed).filter(
    ({ activation }) => !about.includes(activation),
  );
  const names = activated.map(({ activation }) => activation);
  const own = identityOf(session, job.request);
  const kept = staying(session, [...about, ...job.ended, ...names], own);
  return [...kept, ...activated];
}

/** A restored service keeps what is left of its Service-Timeout. */
function withRemainingTime(service: ServiceSession, nowMs: number): ServiceSession {
  if (service.expiresAtMs === undefined) return service;
  return { ...service, timeoutSeconds: Math.max(1, Math.ceil((service.expiresAtMs - nowMs) / 1000)) };
}
