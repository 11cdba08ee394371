// The same request again: a client that repeats itself, or a queue that delivers twice. Neither may act twice.
import {
  isUniqueRequest,
  MAX_EVENT_TIMESTAMP_WINDOW_SECONDS,
  repeatKeyOf,
  type Stamp,
  stampOf,
} from '../origin.ts';
import type { GivenAnswer, ServiceRequest, Session, Transition } from './session.ts';

const MAX_REPLAY_WINDOW_MS = MAX_EVENT_TIMESTAMP_WINDOW_SECONDS * 1000;
/** So far the clock of a relay may be behind that of the cloud, and nothing that was carried out is carried out again. */
const RELAY_BEHIND_MS = 300_000;
/** Packets of one client overtake each other by less than this, or several hosts of it have clocks that differ so much. */
const OVERTAKING_SECONDS = 5;
/** RFC 5080 section 2.2.1: a client goes on to repeat a request for so long at most (MRD). */
const RETRANSMISSION_WINDOW_MS = 30_000;
/** More than one batch of the queue, so that a batch delivered again is recognised as a whole. */
export const ANSWERS_KEPT = 16;
/** The clocks of SQS and of the functions agree within this time. */
const CLOCKS_AGREE_WITHIN_MS = 1_000;

/**
 * The answer that settles `request` without evaluating it, if there is one.
 *
 * Bytes alone do not tell a repeat from a new request: a client without Event-Timestamps sends the very same
 * datagram when it switches a subscriber from A to B and back to A. So such a repeat gets the stored answer only
 * while nothing has changed since or is about to, when evaluating it again would change nothing either. A packet with an
 * Event-Timestamp is the same request for as long as its answer is kept. The relay discards it once it is out of date; but the
 * relay's clock, or the client's, may be wrong, and then it comes later than that.
 *
 * The stored answer leaves no trace in the session, so a repeat that the queue delivers again has to be judged as it
 * was the first time: by when the queue took it, and by its number there.
 */
export function answerGiven(session: Session, request: ServiceRequest): GivenAnswer | undefined {
  const sameForward = session.answered.find(({ correlationId }) => correlationId === request.correlationId);
  if (sameForward !== undefined) return sameForward;
  const latest = session.answered.findLast(({ key }) => key === repeatKeyOf(request.origin));
  if (latest === undefined) return undefined;
  const stillHolds =
    isUniqueRequest(request.origin) || isUnchanged(session, request, latest) || isOvertaken(session, request);
  return stillHolds ? latest : undefined;
}

/**
 * Whether a request is older than what was carried out for its client, by their Event-Timestamps (RFC 5176 section 6.3): it is a
 * replay, or has come so late that others have overtaken it. One that is ahead of the clock raises the bar no further than to
 * the time of its arrival, because another host of the client may have the right time.
 */
export function isOutdated(session: Session, { origin }: ServiceRequest): boolean {
  const stamp = stampOf(origin);
  if (stamp === undefined) return false;
  const known = session.outdatedUntilSeconds?.[stamp.client] ?? Number.NEGATIVE_INFINITY;
  const underWayUntil = underWay(session).flatMap((other) => {
    const begun = stampOf(other.origin);
    return begun?.client === stamp.client ? [outdatedBy(begun, other.queuedAtMs)] : [];
  });
  return stamp.atSeconds <= Math.max(known, ...underWayUntil);
}

/** What is outdated by a request that came at `atMs`, seconds since 1970-01-01 UTC. */
function outdatedBy({ atSeconds }: Stamp, atMs: number): number {
  return Math.min(atSeconds, Math.floor(atMs / 1000)) - OVERTAKING_SECONDS - 1;
}

/**
 * A session with one answer more. Those that it keeps no longer leave the Event-Timestamp of their requests behind: a replay of
 * one is not carried out, though its answer is forgotten. So no number of answers makes the item grow.
 */
export function withAnswer(session: Session, entry: GivenAnswer, nowMs: number): Session {
  const all = [...session.answered, entry];
  const until: Record<string, number> = { ...session.outdatedUntilSeconds };
  const raise = (client: string, seconds: number) => {
    until[client] = Math.max(until[client] ?? seconds, seconds);
  };
  if (entry.stamp !== undefined) raise(entry.stamp.client, outdatedBy(entry.stamp, nowMs));
  for (const { stamp } of all.slice(0, -ANSWERS_KEPT)) {
    // One further ahead is due to a wrong clock of the relay: once that is right, the client must not be locked out.
    if (stamp !== undefined && stamp.atSeconds * 1000 <= nowMs + MAX_REPLAY_WINDOW_MS + RELAY_BEHIND_MS)
      raise(stamp.client, stamp.atSeconds);
  }
  return {
    ...session,
    answered: all.slice(-ANSWERS_KEPT),
    ...(Object.keys(until).length > 0 && { outdatedUntilSeconds: until }),
  };
}

/**
 * Until when a relay may take a request for current that the session has answered; 0 where none had an Event-Timestamp. One that
 * was ahead of the clock is remembered until its time is past, and the window after it.
 */
export function replayableUntilMs({ answered, outdatedUntilSeconds = {} }: Session): number {
  const times = [
    ...answered.flatMap(({ stamp, atMs }) => (stamp === undefined ? [] : [currentUntilMs(stamp, atMs)])),
    ...Object.values(outdatedUntilSeconds).map((seconds) => currentUntilMs({ atSeconds: seconds }, 0)),
  ];
  return Math.max(0, ...times);
}

/** Until when a relay may take a request for current that came at `atMs`, both milliseconds since 1970-01-01 UTC. */
export function currentUntilMs({ atSeconds }: Pick<Stamp, 'atSeconds'>, atMs: number): number {
  return Math.max(atSeconds * 1000, atMs) + MAX_REPLAY_WINDOW_MS + RELAY_BEHIND_MS;
}

/**
 * What is left of a session that is over: the answers to requests with Event-Timestamps, and under which key its item is. `events`
 * are those that may be delivered again.
 */
export function forgotten(session: Session, events: Session['recentEvents']): Session {
  const { nas, storedUnder, acctSessionId, answered, outdatedUntilSeconds, nextServiceNumber } = session;
  const { changedAtMs, version, revision, createdBy } = session;
  return {
    nas,
    ...(storedUnder !== undefined && { storedUnder }),
    acctSessionId,
    ...(createdBy !== undefined && { createdBy }),
    identity: {},
    claimed: {},
    classes: [],
    services: {},
    nextServiceNumber,
    accountedAs: {},
    clearedGroups: [],
    waiting: [],
    ended: session.ended,
    answered: answered.filter(({ stamp }) => stamp !== undefined),
    ...(outdatedUntilSeconds !== undefined && { outdatedUntilSeconds }),
    isForgotten: true,
    changedAtMs,
    recentEvents: events,
    version,
    revision,
  };
}

/** Whether nothing has changed since an answer, or is about to. What the NAS said or did not say holds no longer than clients
 * retransmit (RFC 5080 section 2.2.2): it may have changed without a word. */
function isUnchanged(session: Session, request: ServiceRequest, latest: GivenAnswer): boolean {
  const isFresh =
    session.nas.enforcement === 'none' || request.queuedAtMs - latest.atMs <= RETRANSMISSION_WINDOW_MS;
  return isFresh && latest.version === session.version && underWay(session).length === 0;
}

/**
 * Whether `request` came before the one that created the item. It was refused then without a trace, and its answer was sent
 * before the next message of its group was taken: it is delivered again, and must not be carried out late.
 */
export function precedesSession({ createdBy }: Session, request: ServiceRequest): boolean {
  if (createdBy === undefined) return false;
  const { site, sequence, atMs } = createdBy;
  return precedes(request, { site, sequence, byMs: atMs });
}

/** Whether `request` is the one being carried out, or one of those that wait for it. */
export function isUnderWay(session: Session, request: ServiceRequest): boolean {
  return underWay(session).some(({ origin }) => repeatKeyOf(origin) === repeatKeyOf(request.origin));
}

/** Whether later requests are known here. The inbox keeps their order, so `request` was dealt with before them. */
function isOvertaken(session: Session, request: ServiceRequest): boolean {
  const { site } = session.nas;
  const answered = session.answered.map(({ sequence, atMs }) => ({ site, sequence, byMs: atMs }));
  const others = underWay(session).map(({ nas, sequence, queuedAtMs }) => ({
    site: nas.site,
    sequence,
    byMs: queuedAtMs,
  }));
  return [...answered, ...others].some((other) => precedes(request, other));
}

/** The place of a request in the inbox of a site, and a time at which it was there, by the clock of the cloud. */
interface Place {
  readonly site: string;
  readonly sequence?: string | undefined;
  readonly byMs: number;
}

/**
 * Whether `request` comes before another one in the same inbox. SQS numbers the messages of a group in their order, whichever
 * relay of the site sent them, and a clock has no part in it. Inboxes of two sites have numbers of their own, which are not
 * compared.
 *
 * A queue that is made anew may number its messages anew, so a request that the queue took when the other was known already
 * does not come before it, whatever its number.
 */
function precedes({ nas, sequence, queuedAtMs }: ServiceRequest, other: Place): boolean {
  if (sequence === undefined || other.sequence === undefined || nas.site !== other.site) return false;
  return BigInt(sequence) < BigInt(other.sequence) && queuedAtMs <= other.byMs + CLOCKS_AGREE_WITHIN_MS;
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
