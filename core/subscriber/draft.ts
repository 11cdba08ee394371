// A session on its way to the next one, and the small steps out of which the transitions are made.
import type { Identity } from '../identity.ts';
import { repeatKeyOf, stampOf } from '../origin.ts';
import { ERROR_CAUSE, TERMINATE_CAUSE } from '../radius/attributes.ts';
import { withAnswer } from './duplicates.ts';
import type {
  Answer,
  Effect,
  Owed,
  ReplyEffect,
  Retry,
  ServiceRequest,
  ServiceSession,
  Session,
} from './session.ts';

const FIRST_RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 15 * 60_000;

/** A session on its way to the next one, with the effects collected so far. */
export interface Draft<S = Session> {
  readonly session: S;
  readonly effects: readonly Effect[];
  /** When the event is decided, milliseconds since 1970-01-01 UTC. */
  readonly nowMs: number;
  /** What requests said of the subscriber, and the NAS was not told, with the activation of these services. */
  readonly claims?: Claims;
}

/** By canonical activation string. */
export type Claims = Readonly<Record<string, Identity>>;

export const ACK: Answer = { answer: 'ack' };

/** A CoA-NAK, and why in words for operators. */
export type Nak = Answer & { readonly answer: 'nak'; readonly reason: string };

export function nak(cause: keyof typeof ERROR_CAUSE, reason: string): Nak {
  return { answer: 'nak', errorCause: ERROR_CAUSE[cause], reason };
}

/** Answers a request: the answer is kept, and its reply is an effect. */
export function answer(draft: Draft, { request, ...given }: Owed): Draft {
  const { session, effects, nowMs } = draft;
  const { origin, correlationId, sequence } = request;
  const { answer, errorCause, reason } = given;
  const stamp = stampOf(origin);
  const entry = {
    key: repeatKeyOf(origin),
    correlationId,
    ...(sequence !== undefined && { sequence }),
    asked: describeRequest(request),
    answer,
    ...(errorCause !== undefined && { errorCause }),
    ...(reason !== undefined && { reason }),
    ...(stamp !== undefined && { stamp }),
    version: session.version + 1,
    atMs: nowMs,
  };
  return {
    ...draft,
    session: withAnswer(session, entry, nowMs),
    effects: [...effects, reply(request, given, draft.nowMs)],
  };
}

/** Ends the step under way, and answers the request that waits for its end, if there is one. */
export function settle(draft: Draft, owed: Owed | undefined): Draft {
  const { transition: _, ...session } = draft.session;
  const settled = { ...draft, session };
  return owed === undefined ? settled : answer(settled, owed);
}

export function reply(
  { correlationId, origin }: ServiceRequest,
  { answer, errorCause }: Answer,
  atMs: number,
): ReplyEffect {
  return {
    kind: 'reply',
    correlationId,
    origin,
    answer,
    ...(errorCause !== undefined && { errorCause }),
    atMs,
  };
}

/** What a Disconnect-Request asks for, in words. */
export const DISCONNECT = 'disconnect';

/** What a request asks for, in words: `activate gold, deactivate voice`, or `disconnect`. */
export function describeRequest({
  activate,
  deactivate,
  isDisconnect,
}: Pick<ServiceRequest, 'activate' | 'deactivate' | 'isDisconnect'>): string {
  const words = [
    ...(isDisconnect ? [DISCONNECT] : []),
    ...activate.map(({ activation }) => `activate ${activation}`),
    ...deactivate.map(({ spelling }) => `deactivate ${spelling}`),
  ];
  return words.join(', ');
}

/** A session with these services beside or in place of its own. */
export function withServices(session: Session, services: readonly ServiceSession[]): Session {
  if (services.length === 0) return session;
  const entries = services.map((service) => [service.activation, service] as const);
  return {
    ...session,
    services: { ...session.services, ...Object.fromEntries(entries) },
    nextServiceNumber: Math.max(session.nextServiceNumber, ...services.map(({ number }) => number + 1)),
  };
}

/** A planned service once the NAS has confirmed it. Its Service-Timeout starts here. */
export function activated({ expiresAtMs: _, ...service }: ServiceSession, nowMs: number): ServiceSession {
  return {
    ...service,
    activatedAtMs: service.activatedAtMs ?? nowMs,
    ...(service.record !== undefined && { settledAtMs: nowMs }),
    ...(service.timeoutSeconds > 0 && { expiresAtMs: nowMs + service.timeoutSeconds * 1000 }),
  };
}

/** Services that have to go. The cause that marked one first is the one that is accounted. */
export function mark(
  session: Session,
  activations: readonly string[],
  terminateCause: number = TERMINATE_CAUSE['NAS-Request'],
): Session {
  const marked = activations.flatMap((activation): ServiceSession[] => {
    const service = session.services[activation];
    if (service === undefined) return [];
    const { retry, undo: _, named: __, ...rest } = service;
    const kept = service.state === 'deactivating' && retry !== undefined ? { retry } : {};
    return [{ terminateCause, ...rest, ...kept, state: 'deactivating' }];
  });
  return withServices(session, marked);
}

/** Services that are gone. This is the write that Acct-Stops are made from. */
export function end(
  session: Session,
  activations: readonly string[],
  correlationId: string,
  terminateCause?: number,
  atMs?: number,
): Session {
  const services = { ...session.services };
  const ended = { ...session.ended };
  for (const activation of activations) {
    const cause = terminateCause ?? services[activation]?.terminateCause ?? TERMINATE_CAUSE['NAS-Request'];
    delete services[activation];
    ended[activation] = { terminateCause: cause, correlationId, ...(atMs !== undefined && { atMs }) };
  }
  return { ...session, services, ended };
}

/**
 * When the command for a service is retried that has failed: after 15 s, 30 s, 1 min … 15 min. From the second
 * time on up to a fifth earlier, so that sessions that failed together are not told together.
 */
export function retryAfterFailure(
  { acctSessionId }: Session,
  { activation, retry }: ServiceSession,
  nowMs: number,
): Retry {
  const attempts = (retry?.attempts ?? 0) + 1;
  const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LONGEST_RETRY_MS);
  const spread = attempts === 1 ? 0 : spreadOf(`${acctSessionId} ${activation} ${attempts}`) / 5;
  return { attempts, atMs: nowMs + Math.round(pauseMs * (1 - spread)) };
}

/** A number from 0 up to 1 that is the same for the same text (FNV-1a). */
function spreadOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
