// A Disconnect-Request (RFC 5176 section 2.1): the session is to end, with its services.
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { tell, untellable } from './command.ts';
import { ACK, answer, type Draft, settle, withServices } from './draft.ts';
import type { OutcomeEvent, States } from './event.ts';
import { isMember } from './exclusion.ts';
import { SESSION_GONE_CAUSE } from './life.ts';
import { isSessionGone, passedOn, type Unknown, unanswered, unsent } from './outcomes.ts';
import type { ServiceRequest } from './session.ts';
import { endSession, proceed } from './steps.ts';

/** RFC 5176 section 3.6 names no other cause in a Disconnect-ACK; RFC 2866 section 5.10. */
const DISCONNECTED_CAUSE = TERMINATE_CAUSE['Admin-Reset'];

/** Tells the NAS; without one (`enforcement: none`) the session ends at once. */
export function startDisconnect(draft: Draft, request: ServiceRequest): Draft {
  const { session } = draft;
  const { correlationId } = request;
  if (request.nas.enforcement === 'none') {
    return settle(endSession(draft, correlationId, DISCONNECTED_CAUSE, 'disconnect'), { request, ...ACK });
  }
  const telling = {
    activate: [],
    deactivate: [],
    staying: [],
    isDisconnect: true,
    request,
    correlationId,
  } as const;
  const refusal = untellable(session, telling);
  if (refusal !== undefined) return settle(draft, { request, ...refusal });
  const { draft: told, step } = tell(draft, telling);
  const transition = { step: 'disconnect', ...step, remaining: [], request } as const;
  return { ...told, session: { ...told.session, transition } };
}

/** The Acct-Stops of the services follow from this write. */
export function disconnectConfirmed(draft: Draft<States['disconnecting']>, _: OutcomeEvent): Draft {
  const { request } = draft.session.transition;
  const ended = endSession(draft, request.correlationId, DISCONNECTED_CAUSE, 'disconnect');
  return proceed(answer(ended, { request, ...ACK }), request.correlationId);
}

/**
 * The Acct-Stop of the session has overtaken the reply to the command, as it may: it says as much as an ACK. What the NAS replies
 * is not waited for.
 */
export function disconnectWitnessed(draft: Draft): Draft {
  const { transition, ...session } = draft.session;
  if (transition?.step !== 'disconnect') return draft;
  return answer({ ...draft, session }, { request: transition.request, ...ACK });
}

/** The session stays as it is, unless the NAS says that it is not there. */
export function disconnectRefused(draft: Draft<States['disconnecting']>, event: OutcomeEvent): Draft {
  const { session } = draft;
  const { request } = session.transition;
  const owed = { request, ...passedOn(event, 'to disconnect') };
  const settled = isSessionGone(draft, event)
    ? endSession(draft, request.correlationId, SESSION_GONE_CAUSE)
    : draft;
  return proceed(answer(settled, owed), request.correlationId);
}

/** The NAS may have ended the session, and what it had, or not. */
export function disconnectUnanswered(draft: Draft<States['disconnecting']>, event: Unknown): Draft {
  const { session } = draft;
  const { request } = session.transition;
  const inDoubt = Object.values(session.services)
    .filter(isMember)
    .map(({ retry: _, isLost: __, ...service }) => ({ ...service, state: 'unconfirmed' as const }));
  const doubted = { ...draft, session: withServices(session, inDoubt) };
  return proceed(answer(doubted, { request, ...unanswered(event) }), request.correlationId);
}

/** The NAS was not told: nothing has changed. */
export function disconnectUnsent(draft: Draft<States['disconnecting']>, event: OutcomeEvent): Draft {
  const { request } = draft.session.transition;
  return proceed(answer(draft, { request, ...unsent(event) }), request.correlationId);
}
