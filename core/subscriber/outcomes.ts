// What the NAS said, or did not say, to the command under way.
import { ERROR_CAUSE, errorCauseName } from '../radius/attributes.ts';
import { deactivate, dialect, tellToActivate, tellToDeactivate } from './command.ts';
import { ACK, activate, answer, type Draft, end, mark, refuse, withServices } from './draft.ts';
import type { DueEvent, OutcomeEvent, States } from './event.ts';
import type { Activating, Deactivating, Owed } from './session.ts';

// --- To an activation -----------------------------------------------------------------------------------------

export function activationConfirmed(draft: Draft<States['activating']>, _: OutcomeEvent): Draft {
  const { session, nowMs } = draft;
  const { request, planned, victims, underWay, remaining } = session.transition;
  const confirmed = [...session.transition.confirmed, ...underWay];
  if (remaining.length > 0) return tellToActivate(draft, remaining, { request, planned, confirmed, victims });
  const activated = mark(withServices(session, activate(planned, nowMs)), victims);
  return deactivate({ ...draft, session: activated }, victims, {
    correlationId: request.correlationId,
    owed: { request, ...ACK },
  });
}

export function activationRefused(draft: Draft<States['activating']>, { errorCause }: OutcomeEvent): Draft {
  const { request, planned, confirmed, underWay } = draft.session.transition;
  const reason = `the NAS refused ${underWay.join(', ')}`;
  return undo(draft, planned, confirmed, {
    correlationId: request.correlationId,
    owed: { request, answer: 'nak', ...passedOn(errorCause, reason) },
  });
}

/**
 * What the client gets of the Error-Cause of a NAK. RFC 5176 section 3.5 lets a NAS leave it out. One that the RFC does
 * not define becomes 505, and the reason has the number.
 */
function passedOn(errorCause: number | undefined, reason: string): Pick<Owed, 'errorCause' | 'reason'> {
  if (errorCause === undefined) return { reason };
  if (errorCauseName(errorCause) !== undefined) return { errorCause, reason };
  return {
    errorCause: ERROR_CAUSE['Other-Proxy-Processing-Error'],
    reason: `${reason} with the Error-Cause ${errorCause}, which RFC 5176 does not define`,
  };
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

/** The NAS may have activated or not: the client gets 505 now, and the NAS is told to deactivate. */
export function activationUnanswered(
  draft: Draft<States['activating']>,
  event: OutcomeEvent | DueEvent,
): Draft {
  const { request, planned, confirmed, underWay } = draft.session.transition;
  const refusal = refuse('Other-Proxy-Processing-Error', WHY_UNKNOWN[resultOf(event)]);
  const { correlationId } = request;
  return undo(answer(draft, { request, ...refusal }), planned, [...confirmed, ...underWay], {
    correlationId,
  });
}

/** Deactivates what the NAS may have activated, except what the subscriber had before. */
function undo(
  draft: Draft,
  planned: Activating['planned'],
  activations: readonly string[],
  about: Pick<Deactivating, 'correlationId' | 'owed'>,
): Draft {
  const { session } = draft;
  const newcomers = activations.filter((activation) => session.services[activation] === undefined);
  const entries = newcomers.flatMap((activation) => {
    const service = planned[activation];
    return service === undefined ? [] : [[activation, { ...service, state: 'deactivating' }] as const];
  });
  const marked = withServices(session, Object.fromEntries(entries));
  return deactivate({ ...draft, session: marked }, newcomers, about);
}

// --- To a deactivation ----------------------------------------------------------------------------------------

export function deactivationConfirmed(draft: Draft<States['deactivating']>, _: OutcomeEvent): Draft {
  const { session } = draft;
  const { underWay, remaining, correlationId } = session.transition;
  return tellToDeactivate(
    { ...draft, session: end(session, underWay, correlationId) },
    remaining,
    aboutOf(session),
  );
}

export function deactivationRefused(draft: Draft<States['deactivating']>, event: OutcomeEvent): Draft {
  const { session } = draft;
  const { underWay, remaining } = session.transition;
  const gone = event.errorCause !== undefined && dialect(session).alreadyGone.includes(event.errorCause);
  if (gone && underWay.length === 1) return deactivationConfirmed(draft, event);
  if (!gone) return tellToDeactivate(draft, remaining, { ...aboutOf(session), failed: true });
  // A NAS refuses the whole command when one of its services is not there (RFC 5176 section 2.3). A command for each by
  // itself shows which one.
  const singly = underWay.map((activation) => [activation]);
  return tellToDeactivate(draft, [...singly, ...remaining], aboutOf(session));
}

export function deactivationUnanswered(
  draft: Draft<States['deactivating']>,
  _: OutcomeEvent | DueEvent,
): Draft {
  return tellToDeactivate(draft, [], { ...aboutOf(draft.session), failed: true });
}

function aboutOf({ transition: { correlationId, owed, failed } }: States['deactivating']) {
  return { correlationId, ...(owed && { owed }), ...(failed && { failed }) };
}
