// What the NAS said, or did not say, to the command under way.

import type { NasRefusal } from '../dialects/dialect.ts';
import { ERROR_CAUSE, errorCauseName } from '../radius/attributes.ts';
import { nameOf } from '../services/activation.ts';
import { chunks, commandedAtMs, dialect } from './command.ts';
import { activated, answer, type Draft, end, type Nak, nak, withServices } from './draft.ts';
import { type DueEvent, type OutcomeEvent, outcomeOf, type States } from './event.ts';
import { isStale, SESSION_GONE_CAUSE } from './life.ts';
import type { Job, Owed, Session } from './session.ts';
import {
  completeJob,
  endSession,
  failed,
  failJob,
  postponed,
  proceed,
  tellToActivate,
  tellToDeactivate,
  tellToExclude,
  tellToRestore,
  wasThere,
} from './steps.ts';

export type Unknown = OutcomeEvent | DueEvent;

/** How often a NAK that may mean "not there" has to come before it does. */
const ALSO_GONE_ATTEMPTS = 3;

/** How often a NAS has to refuse to restore a service before another one that it may have is taken for the reason. */
const BLOCKED_ATTEMPTS = 3;

// --- To an activation: A --------------------------------------------------------------------------------------

export function activationConfirmed(draft: Draft<States['activating']>, _: OutcomeEvent): Draft {
  return activationDone(draft, { isAcknowledged: true });
}

function activationDone(draft: Draft<States['activating']>, how: Pick<Job, 'isAcknowledged'>): Draft {
  const { session } = draft;
  const { underWay, along, remaining } = session.transition;
  const before = session.transition.job;
  const job = {
    ...before,
    ...how,
    confirmed: [...before.confirmed, ...underWay],
    ended: [...before.ended, ...along],
  };
  if (remaining.length > 0) return tellToActivate(draft, job, remaining);
  const left = job.explicit.map(({ activation }) => activation).filter((one) => !job.ended.includes(one));
  if (left.length === 0) return completeJob(draft, job);
  return tellToDeactivate(draft, job, chunks(left, dialect(session).servicesPerCommand.deactivate));
}

export function activationRefused(draft: Draft<States['activating']>, event: OutcomeEvent): Draft {
  const { session } = draft;
  const { job, underWay, along, otherwise } = session.transition;
  const { request, confirmed } = job;
  const make = dialect(session);
  const refusal = refusalOf(event);
  // The NAS has refused all of it, perhaps because one of what should go is not there (RFC 5176 section 2.3). Told by itself,
  // A is refused for its own sake only, and E and V are told afterwards.
  const isInDoubt = along.some(
    (name) => session.services[name]?.state === 'unconfirmed' || isDoubted(job, name),
  );
  const isAboutAlong = along.length > 0 && !make.replacesAll;
  if (isAboutAlong && (isInDoubt || make.isGone(refusal) || make.mayBeGone(refusal))) {
    return tellToActivate(draft, job, [underWay], otherwise);
  }
  if (along.length === 0 && make.isThere(refusal)) return activationDone(draft, {});
  const owed = { request, ...passedOn(event, underWay.join(', ')) };
  // What the NAS has acknowledged of the same request shows that the session is there.
  if (!isAboutAlong && !job.isAcknowledged && isSessionGone(draft, event)) {
    const answered = answer(draft, owed);
    return proceed(endSession(answered, request.correlationId, SESSION_GONE_CAUSE), request.correlationId);
  }
  return failJob(draft, job, { owed, activated: confirmed, deactivated: [] });
}

/** The NAS may have done it or not: the client gets 505, and what was there is to be there again. */
export function activationUnanswered(draft: Draft<States['activating']>, event: Unknown): Draft {
  const { job, underWay, along } = draft.session.transition;
  const owed = { request: job.request, ...unanswered(event) };
  return failJob(draft, job, {
    owed,
    activated: [...job.confirmed, ...underWay],
    deactivated: along,
  });
}

/** The NAS was not told of this command: what came before it is as it was, and the client gets the relay's Error-Cause. */
export function activationUnsent(draft: Draft<States['activating']>, event: OutcomeEvent): Draft {
  const { job } = draft.session.transition;
  const owed = { request: job.request, ...unsent(event) };
  return failJob(draft, job, { owed, activated: job.confirmed, deactivated: [] });
}

// --- To a deactivation that the answer depends on: E, or V before A -------------------------------------------

export function deactivationConfirmed(draft: Draft<States['deactivating']>, _: OutcomeEvent): Draft {
  return deactivationDone(draft, { isAcknowledged: true });
}

function deactivationDone(draft: Draft<States['deactivating']>, how: Pick<Job, 'isAcknowledged'>): Draft {
  const { session } = draft;
  const { underWay, remaining } = session.transition;
  const before = session.transition.job;
  const job = { ...before, ...how, ended: [...before.ended, ...underWay] };
  if (remaining.length > 0) return tellToDeactivate(draft, job, remaining);
  const left = Object.keys(job.planned).filter((one) => !job.confirmed.includes(one));
  if (left.length === 0) return completeJob(draft, job);
  return tellToActivate(draft, job, chunks(left, dialect(session).servicesPerCommand.activate));
}

/** The service is not there, whatever becomes of the request: there is nothing to be waited for or restored. */
function notThere(draft: Draft<States['deactivating']>, name: string): Draft {
  const { session } = draft;
  const { job, remaining, correlationId } = session.transition;
  const isOther = (activation: string) => activation !== name;
  const rest: Job = {
    ...job,
    explicit: job.explicit.filter(({ activation }) => isOther(activation)),
    victims: job.victims.filter(isOther),
  };
  const known = session.services[name] === undefined ? session : end(session, [name], correlationId);
  const transition = { ...session.transition, job: rest, underWay: [], remaining };
  return deactivationDone({ ...draft, session: { ...known, transition } }, {});
}

export function deactivationRefused(draft: Draft<States['deactivating']>, event: OutcomeEvent): Draft {
  const { session } = draft;
  const { job, underWay, remaining, isConfirmed } = session.transition;
  const make = dialect(session);
  const refusal = refusalOf(event);
  const isGone = make.isGone(refusal);
  const [name = '', ...others] = underWay;
  const named = job.explicit.find(({ activation }) => activation === name);
  if (others.length > 0 && (isGone || make.mayBeGone(refusal))) {
    // A NAS refuses the whole command when one of its services is not there (RFC 5176 section 2.3). A command for each
    // by itself shows which one.
    return tellToDeactivate(draft, job, [...underWay.map((one) => [one]), ...remaining]);
  }
  const known = session.services[name];
  // 503 may also mean that the NAS does not know the subscriber by what the request says.
  const isFine = named?.isOptional
    ? isGone || make.mayBeGone(refusal)
    : isGone && isConfirmed && known !== undefined && named?.isKnown !== false;
  // A victim that may have been there goes on to be restored if the request fails, until the NAS refuses that.
  const mayReturn = known?.state === 'restoring' && !wasThere(known) && named === undefined;
  // One that is to be there again is restored if the request fails, as if the NAS had just ended it. So is one that the NAS
  // may have ended when it was told before.
  const isToReturn = isFine && known?.state === 'restoring' && wasThere(known);
  // A bare name means every service of that name, and records may have told of one meanwhile.
  const isAnyLeft = Object.keys(session.services).some((one) => one !== name && nameOf(one) === name);
  const isDoneBefore = isGone && isConfirmed && isDoubted(job, name) && !isAnyLeft;
  if (others.length === 0 && (isToReturn || isDoneBefore)) return deactivationDone(draft, {});
  if (others.length === 0 && isFine && !mayReturn) return notThere(draft, name);
  // Should the NAS have the victim, and no two of its group side by side, it refuses A. Else a command for the victim follows A.
  // So it is for one in doubt where 503 may be about the subscriber.
  const isDoubtful = isGone && (known?.state === 'unconfirmed' || mayReturn);
  if (others.length === 0 && named === undefined && (isDoubtful || make.mayBeGone(refusal))) {
    const transition = { ...session.transition, underWay: [] };
    return deactivationDone({ ...draft, session: { ...session, transition } }, {});
  }
  const owed = {
    request: job.request,
    ...passedOn(event, `to deactivate ${underWay.join(', ')}`),
  };
  return failJob(draft, job, { owed, activated: job.confirmed, deactivated: [] });
}

export function deactivationUnanswered(draft: Draft<States['deactivating']>, event: Unknown): Draft {
  const { job, underWay } = draft.session.transition;
  const owed = { request: job.request, ...unanswered(event) };
  return failJob(draft, job, { owed, activated: job.confirmed, deactivated: underWay });
}

export function deactivationUnsent(draft: Draft<States['deactivating']>, event: OutcomeEvent): Draft {
  const { job } = draft.session.transition;
  const owed = { request: job.request, ...unsent(event) };
  return failJob(draft, job, { owed, activated: job.confirmed, deactivated: [] });
}

// --- To a deactivation that no answer depends on: V, what is undone, what is retried ---------------------------

export function exclusionConfirmed(draft: Draft<States['excluding']>, _: OutcomeEvent): Draft {
  const { session } = draft;
  const { underWay, remaining, correlationId, owed } = session.transition;
  const ended = { ...draft, session: end(session, underWay, correlationId) };
  return tellToExclude(ended, correlationId, remaining, owed);
}

export function exclusionRefused(draft: Draft<States['excluding']>, event: OutcomeEvent): Draft {
  const { session, nowMs } = draft;
  const { underWay, remaining, correlationId, owed } = session.transition;
  const make = dialect(session);
  const refusal = refusalOf(event);
  const isGone = make.isGone(refusal);
  const mayBeGone = make.mayBeGone(refusal);
  // The NAS has refused all of it, perhaps because of one (RFC 5176 section 2.3), which is not to delay the others.
  if (underWay.length > 1) {
    const singly = underWay.map((activation) => [activation]);
    return tellToExclude(draft, correlationId, [...singly, ...remaining], owed);
  }
  if (isGone) return exclusionNotThere(draft, event);
  const failing = failed(session, underWay, nowMs, outcomeOf(event), mayBeGone ? 1 : 0);
  const [only] = underWay;
  const attempts = only === undefined ? 0 : (failing.services[only]?.retry?.alsoGone ?? 0);
  if (attempts >= ALSO_GONE_ATTEMPTS) return exclusionNotThere(draft, event);
  return tellToExclude({ ...draft, session: failing }, correlationId, remaining, owed);
}

/** One that is not there under one name may be there under another one that the NAS was told. */
function exclusionNotThere(draft: Draft<States['excluding']>, event: OutcomeEvent): Draft {
  const { session } = draft;
  const { underWay, remaining, correlationId, owed } = session.transition;
  const service = session.services[underWay[0] ?? ''];
  const [, ...named] = service?.named ?? [];
  if (service === undefined || named.length === 0) return exclusionConfirmed(draft, event);
  const { retry: _, ...rest } = service;
  const next = { ...draft, session: withServices(session, [{ ...rest, named }]) };
  return tellToExclude(next, correlationId, [underWay, ...remaining], owed);
}

/** The rest is not told now: a NAS that does not answer, or that the relay cannot tell, is not to be asked more. */
export function exclusionUnanswered(draft: Draft<States['excluding']>, event: Unknown): Draft {
  const { session, nowMs } = draft;
  const { underWay, remaining, correlationId, owed } = session.transition;
  const failing = postponed(failed(session, underWay, nowMs, outcomeOf(event)), remaining.flat(), nowMs);
  return tellToExclude({ ...draft, session: failing }, correlationId, [], owed);
}

// --- To an activation that restores ----------------------------------------------------------------------------

export function restorationConfirmed(draft: Draft<States['restoring']>, _: OutcomeEvent): Draft {
  const { session, nowMs } = draft;
  const { underWay, remaining, correlationId, isClearing } = session.transition;
  if (isClearing) return tellToRestore(draft, correlationId, [underWay, ...remaining], true);
  const active = underWay.flatMap((activation) => {
    const { retry: _, isLost: __, named: ___, ...service } = session.services[activation] ?? {};
    if (!isService(service)) return [];
    // One that was in doubt is confirmed for the first time: its service session begins here.
    const confirmed = service.activatedAtMs === undefined ? activated(service, nowMs) : service;
    const settled = service.record === undefined ? {} : { settledAtMs: nowMs };
    return [{ ...confirmed, ...settled, state: 'active' as const }];
  });
  return tellToRestore({ ...draft, session: withServices(session, active) }, correlationId, remaining);
}

/** A NAK is an answer: there is nothing more to be found out, and nothing is undone after it. */
export function restorationRefused(draft: Draft<States['restoring']>, event: OutcomeEvent): Draft {
  const { session, nowMs } = draft;
  const { underWay, remaining, correlationId, isClearing } = session.transition;
  if (isClearing || dialect(session).isThere(refusalOf(event))) return restorationConfirmed(draft, event);
  if (isSessionGone(draft, event)) {
    return proceed(endSession(draft, correlationId, SESSION_GONE_CAUSE), correlationId);
  }
  if (underWay.length > 1) {
    return tellToRestore(draft, correlationId, [...underWay.map((one) => [one]), ...remaining]);
  }
  if (underWay.some((activation) => wouldBeLast(session, activation) && !isBlocked(session, activation))) {
    const failing = failed(session, underWay, nowMs, outcomeOf(event));
    return tellToRestore({ ...draft, session: failing }, correlationId, remaining);
  }
  const settled = Object.values(session.services).flatMap((service) => {
    const { retry: _, isLost: __, undo, ...rest } = service;
    if (underWay.includes(service.activation)) return [{ ...rest, state: 'unconfirmed' as const }];
    return undo ? [rest] : [];
  });
  return tellToRestore({ ...draft, session: withServices(session, settled) }, correlationId, remaining);
}

export function restorationUnanswered(draft: Draft<States['restoring']>, event: Unknown): Draft {
  const { session, nowMs } = draft;
  const { underWay, remaining, correlationId } = session.transition;
  const failing = postponed(failed(session, underWay, nowMs, outcomeOf(event)), remaining.flat(), nowMs);
  return proceed({ ...draft, session: failing }, correlationId);
}

/** With `order: deactivate-first` a service that is certainly gone has to come back, where its group has no other member. */
function wouldBeLast({ nas, services }: Session, activation: string): boolean {
  const service = services[activation];
  return (
    nas.order === 'deactivate-first' &&
    service?.isLost === true &&
    service.groups.some((group) =>
      Object.values(services).every(
        (other) =>
          other.activation === activation || other.state !== 'active' || !other.groups.includes(group),
      ),
    )
  );
}

/**
 * Whether the NAS has refused to restore a service several times in a row, and another one that it may have would explain
 * that. That one is then what its group has.
 */
function isBlocked({ services }: Session, activation: string): boolean {
  const service = services[activation];
  return (
    service !== undefined &&
    (service.retry?.attempts ?? 0) + 1 >= BLOCKED_ATTEMPTS &&
    service.groups.every((group) =>
      Object.values(services).some(
        (other) =>
          other.activation !== activation && other.state !== 'deactivating' && other.groups.includes(group),
      ),
    )
  );
}

function isService(service: object): service is Session['services'][string] {
  return 'activation' in service;
}

/** Whether the NAS was told of a service before, and no relay has reported what it said. */
function isDoubted({ doubted }: Job, activation: string): boolean {
  return doubted?.includes(activation) === true;
}

// --- What an outcome means -------------------------------------------------------------------------------------

/**
 * Whether the NAS says that the subscriber session is not there: 503 to an activation or a Disconnect-Request, which named it by
 * nothing but what the NAS had confirmed, where it had confirmed a service of it or has sent no record for long. To a
 * deactivation 503 says that the service is not there.
 */
export function isSessionGone(draft: Draft, event: OutcomeEvent): boolean {
  const { session, nowMs } = draft;
  return (
    isSessionMissing(draft, event) &&
    // One that is lost the NAS had, and has acknowledged its deactivation.
    (isStale(session, nowMs) ||
      Object.values(session.services).some(
        ({ activatedAtMs, isLost }) => activatedAtMs !== undefined || isLost,
      ))
  );
}

/** Likewise, whether or not the NAS ever had it. */
export function isSessionMissing({ session }: Draft, { errorCause }: OutcomeEvent): boolean {
  const { transition } = session;
  // Its accounting has told of it since.
  const isHeard =
    transition !== undefined && (session.life?.latest.atMs ?? 0) > commandedAtMs(session.nas, transition);
  return (
    errorCause === ERROR_CAUSE['Session-Context-Not-Found'] && transition?.isConfirmed === true && !isHeard
  );
}

function refusalOf({ errorCause, text }: OutcomeEvent): NasRefusal {
  return { errorCause, text };
}

/**
 * What the client gets of a NAK of the NAS. RFC 5176 section 3.5 lets a NAS leave the Error-Cause out. One that the RFC does
 * not define becomes 505, and the reason has the number.
 */
export function passedOn({ errorCause, text }: OutcomeEvent, what: string): Omit<Owed, 'request'> {
  const refused = `the NAS refused ${what}`;
  const reason = text === undefined ? refused : `${refused}: ${text}`;
  if (errorCause === undefined) return { answer: 'nak', reason };
  if (errorCauseName(errorCause) !== undefined) return { answer: 'nak', errorCause, reason };
  return {
    answer: 'nak',
    errorCause: ERROR_CAUSE['Other-Proxy-Processing-Error'],
    reason: `${reason} (Error-Cause ${errorCause}, which RFC 5176 does not define)`,
  };
}

const WHY_UNKNOWN = {
  timeout: 'the NAS did not answer',
  unreachable: 'the NAS cannot be reached',
  interrupted: 'the relay was interrupted while it waited for the NAS',
  deadline: 'the relay did not report in time',
} as const;

export function unanswered(event: Unknown): Nak {
  const { result } = outcomeOf(event);
  const isKnown = result === 'ack' || result === 'nak' || result === 'unsent';
  return nak('Other-Proxy-Processing-Error', WHY_UNKNOWN[isKnown ? 'deadline' : result]);
}

const WHY_UNSENT: Readonly<Record<string, string>> = {
  expired: 'the relay got the command too late',
  'unknown-nas': "the relay's site file does not have the NAS",
  'no-packet': 'the command does not fit into a packet',
  'nas-overloaded': 'too many commands to the NAS are in progress',
};

/** What the client gets of a command that the relay did not send. */
export function unsent({ errorCause, unsent: why }: OutcomeEvent): Omit<Owed, 'request'> {
  const reason = `the NAS was not told${why === undefined ? '' : `: ${WHY_UNSENT[why] ?? why}`}`;
  return { answer: 'nak', errorCause: errorCause ?? ERROR_CAUSE['Other-Proxy-Processing-Error'], reason };
}
