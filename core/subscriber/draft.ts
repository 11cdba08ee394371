// A session on its way to the next one, and the small changes out of which the transitions are made.

import { repeatKeyOf } from '../origin.ts';
import { ERROR_CAUSE, TERMINATE_CAUSE } from '../radius/attributes.ts';
import { ANSWERS_KEPT } from './duplicates.ts';
import type { Activating, Answer, Effect, Owed, ReplyEffect, ServiceRequest, Session } from './session.ts';

const FIRST_RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 15 * 60_000;

/** A session on its way to the next one, with the effects collected so far. */
export interface Draft<S = Session> {
  readonly session: S;
  readonly effects: readonly Effect[];
  /** When the event is decided, milliseconds since 1970-01-01 UTC. */
  readonly nowMs: number;
}

export const ACK: Answer = { answer: 'ack' };

export type Refusal = Answer & { readonly reason: string };

export function refuse(cause: keyof typeof ERROR_CAUSE, reason: string): Refusal {
  return { answer: 'nak', errorCause: ERROR_CAUSE[cause], reason };
}

/** Answers a request: the answer is kept, and its reply is an effect. */
export function answer(draft: Draft, { request, ...given }: Owed): Draft {
  const { session, effects, nowMs } = draft;
  const { origin, correlationId, receivedAtMs } = request;
  const { answer, errorCause, reason } = given;
  const entry = {
    key: repeatKeyOf(origin),
    correlationId,
    receivedAtMs,
    asked: describeRequest(request),
    answer,
    ...(errorCause !== undefined && { errorCause }),
    ...(reason !== undefined && { reason }),
    version: session.version + 1,
    atMs: nowMs,
  };
  return {
    ...draft,
    session: { ...session, answered: [...session.answered, entry].slice(-ANSWERS_KEPT) },
    effects: [...effects, reply(request, given)],
  };
}

/** Ends the transition under way, and answers the request that it was for, where one waits for that. */
export function settle(draft: Draft, owed: Owed | undefined): Draft {
  const { transition: _, ...session } = draft.session;
  const settled = { ...draft, session };
  return owed === undefined ? settled : answer(settled, owed);
}

export function reply(
  { correlationId, origin }: ServiceRequest,
  { answer, errorCause }: Answer,
): ReplyEffect {
  return {
    kind: 'reply',
    correlationId,
    origin,
    answer,
    ...(errorCause !== undefined && { errorCause }),
  };
}

/** What a request asks for, in words: `activate gold, deactivate voice`. */
export function describeRequest({
  activate,
  deactivate,
}: Pick<ServiceRequest, 'activate' | 'deactivate'>): string {
  const words = [
    ...activate.map(({ activation }) => `activate ${activation}`),
    ...deactivate.map((activation) => `deactivate ${activation}`),
  ];
  return words.join(', ');
}

export function withServices(session: Session, services: Session['services']): Session {
  return { ...session, services: { ...session.services, ...services } };
}

/** Planned services as they are once the NAS has confirmed them. Their Service-Timeout starts here. */
export function activate(planned: Activating['planned'], nowMs: number): Session['services'] {
  return Object.fromEntries(
    Object.entries(planned).map(([activation, { expiresAtMs: _, ...service }]) => [
      activation,
      {
        ...service,
        activatedAtMs: service.activatedAtMs ?? nowMs,
        ...(service.timeoutSeconds > 0 && { expiresAtMs: nowMs + service.timeoutSeconds * 1000 }),
      },
    ]),
  );
}

/** Services that have to go. The cause that marked one first is the one that is accounted. */
export function mark(
  session: Session,
  activations: readonly string[],
  terminateCause: number = TERMINATE_CAUSE['NAS-Request'],
): Session {
  const marked = activations.flatMap((activation) => {
    const service = session.services[activation];
    return service === undefined
      ? []
      : [[activation, { terminateCause, ...service, state: 'deactivating' }] as const];
  });
  return withServices(session, Object.fromEntries(marked));
}

/** Services that are gone. This is the change that Acct-Stops are made from. */
export function end(session: Session, activations: readonly string[], correlationId: string): Session {
  const services = { ...session.services };
  const ended = { ...session.ended };
  for (const activation of activations) {
    const terminateCause = services[activation]?.terminateCause ?? TERMINATE_CAUSE['NAS-Request'];
    delete services[activation];
    ended[activation] = { terminateCause, correlationId };
  }
  return { ...session, services, ended };
}

/** When to try again what the NAS has not deactivated: after 15 s, 30 s, 1 min … 15 min. */
export function retryLater({ retry }: Session, nowMs: number): Pick<Session, 'retry'> {
  const attempts = (retry?.attempts ?? 0) + 1;
  const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LONGEST_RETRY_MS);
  return { retry: { attempts, atMs: nowMs + pauseMs } };
}

/** Nothing `deactivating`, nothing to be tried again. */
export function withoutIdleRetry(session: Session): Session {
  const stuck = Object.values(session.services).some(({ state }) => state === 'deactivating');
  if (stuck || session.retry === undefined) return session;
  const { retry: _, ...rest } = session;
  return rest;
}
