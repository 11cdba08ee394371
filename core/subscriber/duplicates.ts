// The same request again: a client that repeats itself, or a queue that delivers twice. Neither may act twice.
import { isUniqueRequest, repeatKeyOf } from '../origin.ts';
import type { GivenAnswer, ServiceRequest, Session, Transition } from './session.ts';

/** RFC 5176 section 6.3: within this time a packet that carries an Event-Timestamp is the same request. */
export const REPLAY_WINDOW_MS = 300_000;
/** RFC 5080 section 2.2.1: a client goes on to repeat a request for so long at most (MRD). */
export const RETRANSMISSION_WINDOW_MS = 30_000;
/** More than one batch of the queue, so that a batch delivered again is recognised as a whole. */
export const ANSWERS_KEPT = 16;

/**
 * The answer that settles `request` without evaluating it, if there is one.
 *
 * Bytes alone do not tell a repeat from a new request: a client without Event-Timestamps sends the very same
 * datagram when it switches a subscriber from A to B and back to A. So such a repeat gets the stored answer only
 * while nothing has changed since or is about to, when evaluating it again would change nothing either.
 *
 * The stored answer leaves no trace in the session, so a repeat that the queue delivers again has to be judged as it
 * was the first time: by when the relay received it.
 */
export function answerGiven(session: Session, request: ServiceRequest): GivenAnswer | undefined {
  const sameForward = session.answered.find(({ correlationId }) => correlationId === request.correlationId);
  if (sameForward !== undefined) return sameForward;
  const latest = session.answered.findLast(({ key }) => key === repeatKeyOf(request.origin));
  if (latest === undefined) return undefined;
  const stillHolds = isUniqueRequest(request.origin)
    ? request.receivedAtMs - latest.atMs <= REPLAY_WINDOW_MS
    : isUnchanged(session, request, latest) || isOvertaken(session, request);
  return stillHolds ? latest : undefined;
}

/** Whether nothing has changed since an answer, or is about to. What the NAS said or did not say holds no longer than clients
 * retransmit (RFC 5080 section 2.2.2): it may have changed without a word. */
function isUnchanged(session: Session, request: ServiceRequest, latest: GivenAnswer): boolean {
  const isFresh =
    session.nas.enforcement === 'none' || request.receivedAtMs - latest.atMs <= RETRANSMISSION_WINDOW_MS;
  return isFresh && latest.version === session.version && underWay(session).length === 0;
}

/**
 * Whether `request` came before the one that created the item. It was refused then without a trace, and its answer was sent
 * before the next message of its group was taken: it is delivered again, and must not be carried out late.
 *
 * A queue that is made anew may number its messages anew, so a request that the relay took on later does not precede it,
 * whatever its number.
 */
export function precedesSession({ createdBy }: Session, request: ServiceRequest): boolean {
  const { nas, sequence, receivedAtMs } = request;
  if (createdBy === undefined || sequence === undefined || createdBy.site !== nas.site) return false;
  return BigInt(sequence) < BigInt(createdBy.sequence) && receivedAtMs <= createdBy.receivedAtMs;
}

/** Whether `request` is the one being carried out, or one of those that wait for it. */
export function isUnderWay(session: Session, request: ServiceRequest): boolean {
  return underWay(session).some(({ origin }) => repeatKeyOf(origin) === repeatKeyOf(request.origin));
}

/** Whether later requests are known here. The inbox keeps their order, so `request` was dealt with before them. */
function isOvertaken(session: Session, { receivedAtMs }: ServiceRequest): boolean {
  return [...session.answered, ...underWay(session)].some((other) => other.receivedAtMs > receivedAtMs);
}

/** The request that is being carried out, and those that wait for it. */
export function underWay({ transition, waiting }: Session): readonly ServiceRequest[] {
  const current = requestOf(transition);
  return current === undefined ? waiting : [current, ...waiting];
}

function requestOf(transition: Transition | undefined): ServiceRequest | undefined {
  switch (transition?.step) {
    case 'activate':
    case 'deactivate':
      return transition.job.request;
    case 'exclude':
      return transition.owed?.request;
    case 'disconnect':
      return transition.request;
    default:
      return undefined;
  }
}
