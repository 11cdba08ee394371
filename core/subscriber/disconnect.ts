// A Disconnect-Request (RFC 5176 section 2.1): the session is to end, with its services.
import { TERMINATE_CAUSE } from '../radius/attributes.ts';
import { type Telling, tell, untellable } from './command.ts';
import { ACK, answer, type Draft, settle, withServices } from './draft.ts';
import type { OutcomeEvent, States } from './event.ts';
import { isMember } from './exclusion.ts';
import { SESSION_GONE_CAUSE } from './life.ts';
import { isSessionGone, isSessionMissing, passedOn, type Unknown, unanswered, unsent } from './outcomes.ts';
import type { ServiceRequest, Session } from './session.ts';
import { endSession, proceed } from './steps.ts';

/** RFC 5176 section 3.6 names no other cause in a Disconnect-ACK; RFC 2866 section 5.10. */
const DISCONNECTED_CAUSE = TERMINATE_CAUSE['Admin-Reset'];

/** Tells the NAS; without one (`enforcement: none`) the session ends at once. */
export function startDisconnect(draft: Draft, request: ServiceRequest): Draft {
  if (request.nas.enforcement === 'none') {
    const ended = endSession(draft, request.correlationId, DISCONNECTED_CAUSE, 'disconnect');
    return settle(ended, { request, ...ACK });
  }
  const refusal = untellable(draft.session, tellingOf(request));
  return refusal === undefined ? tellDisconnect(draft, request) : settle(draft, { request, ...refusal });
}

export function tellDisconnect(draft: Draft, request: ServiceRequest): Draft {
  const { draft: told, step } = tell(draft, tellingOf(request));
  const transition = { step: 'disconnect', ...step, remaining: [], request } as const;
  return { ...told, session: { ...told.session, transition } };
}

function tellingOf(request: ServiceRequest): Telling {
  const { correlationId } = request;
  return { activate: [], deactivate: [], staying: [], isDisconnect: true, request, correlationId };
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
  const { request, tellings } = draft.session.transition;
  // It may have ended it when it was told before: there is none, as the client asked.
  if (tellings !== undefined && isSessionMissing(draft, event)) return disconnectConfirmed(draft, event);
  const owed = { request, ...passedOn(event, 'to disconnect') };
  const settled = isSessionGone(draft, event)
    ? endSession(draft, request.correlationId, SESSION_GONE_CAUSE)
    : doubted(draft);
  return proceed(answer(settled, owed), request.correlationId);
}

/** The NAS may have ended the session, and what it had, or not. */
export function disconnectUnanswered(draft: Draft<States['disconnecting']>, event: Unknown): Draft {
  const { request } = draft.session.transition;
  const owed = { request, ...unanswered(event) };
  return proceed(answer({ ...draft, session: inDoubt(draft.session) }, owed), request.correlationId);
}

/** The NAS was not told: nothing has changed. */
export function disconnectUnsent(draft: Draft<States['disconnecting']>, event: OutcomeEvent): Draft {
  const { request } = draft.session.transition;
  return proceed(answer(doubted(draft), { request, ...unsent(event) }), request.correlationId);
}

/** In doubt where the NAS was told before, and as it was where it was not. */
function doubted(draft: Draft<States['disconnecting']>): Draft {
  const { session } = draft;
  return session.transition.tellings === undefined ? draft : { ...draft, session: inDoubt(session) };
}

function inDoubt(session: Session): Session {
  const services = Object.values(session.services)
    .filter(isMember)
    .map(({ retry: _, isLost: __, ...service }) => ({ ...service, state: 'unconfirmed' as const }));
  return withServices(session, services);
}
