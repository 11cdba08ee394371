// What a promise is made of: a sentence of the README, and a checker that sees what happens to one subscriber and says
// when the sentence is not true. A checker knows the rules, but not how they are kept.
import { isDeepStrictEqual } from 'node:util';
import type { AccountingMessage } from '../../../core/messages.ts';
import type { Order } from '../../../core/nas.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import { isClosed } from '../../../core/subscriber/life.ts';
import type { Answer, Session } from '../../../core/subscriber/session.ts';
import type { Wish } from '../histories/wish.ts';

/** A request that came into the inbox. */
export interface Forward {
  readonly correlationId: string;
  /** When SQS took it. */
  readonly queuedAtMs: number;
  readonly wish: Wish;
  /** The packet, base64: the same for the same bytes. */
  readonly bytes: string;
  /** How many replies to this subscriber's requests had been sent to the outbox by then. */
  readonly repliesBefore: number;
}

/** A reply that came into the outbox. */
export interface Reply extends Answer {
  readonly correlationId: string;
}

/** A write of the session's item. */
export interface Change {
  readonly before: Session | undefined;
  readonly after: Session;
  readonly nowMs: number;
}

/** A request was evaluated anew and has its answer. */
export interface Evaluation extends Change {
  readonly forward: Forward;
  readonly answer: Answer;
}

/** A request is as good as done: what it activates is there, and what that excludes or it takes away has to go. */
export interface CarriedOut extends Change {
  readonly forward: Forward;
}

/** What the NAS said to a command, or that the cloud did not learn it. */
export interface Outcome {
  readonly result: 'ack' | 'nak' | 'unknown';
  readonly errorCause?: number | undefined;
}

/** What several checkers need to know of one subscriber. */
export interface Facts {
  /** Whether the NAS is told and confirms. */
  readonly isEnforced: boolean;
  /** Whether a command replaces all that the session has at the NAS, so that the NAS is not asked of one service. */
  readonly replacesAll: boolean;
  /** Whether the NAS has one service of a session at a time. */
  readonly isOneAtATime: boolean;
  readonly order: Order;
  /** The subscriber's User-Name, where the NAS is told of it and can check it. */
  readonly userName?: string;
  /** What the NAS has now, as it would say itself, by canonical activation string. */
  readonly servicesAtNas: () => readonly string[];
  /** In the order in which they came. */
  readonly forwards: readonly Forward[];
  /** In the order in which they were sent. */
  readonly replies: readonly Reply[];
  /** The latest first. */
  readonly evaluations: readonly { readonly forward: Forward; readonly atMs: number }[];
  readonly carriedOut: ReadonlySet<Forward>;
  /** Those of them that changed what the subscriber has. */
  readonly changing: ReadonlySet<Forward>;
  /** What the requests that were carried out add up to: when each service ends by itself, Infinity for never. */
  readonly implied: ReadonlyMap<string, number>;
  /** What the NAS has from log-in and no request has activated or taken away. */
  readonly fromLogIn: ReadonlySet<string>;
  /** What the requests that were carried out have replaced or deactivated, or what has ended by its timeout. */
  readonly hasToGo: ReadonlySet<string>;
  /** What the NAS has ended by itself. */
  readonly endedByNas: ReadonlySet<string>;
  /** Whether the item has said that the NAS may have a service or not, and nothing has settled that since. */
  isDoubted(activation: string): boolean;
  /** How often in a row commands about a service have failed. */
  readonly failures: ReadonlyMap<string, number>;
  /**
   * Bytes without Event-Timestamp that were answered out of the item and evaluated after that. Such an answer leaves no
   * trace in the item; if the message is delivered again and time or the NAS have changed the item by then, it is a new
   * request.
   */
  readonly reopened: ReadonlySet<string>;
  /**
   * Whether the NAS has ended the session, or ended it and begun another one with its Acct-Session-Id, and the item does not
   * say so yet. Never where the NAS does not account.
   */
  isOverlooked(): boolean;
  /** When the session that the NAS has now began; undefined when it has none. */
  readonly beganAtNasMs: () => number | undefined;
  /** Services, by canonical activation string, that the NAS has now and has sent a record of. */
  readonly accountedAtNas: () => readonly string[];
  /** Whether a record came to ingest when the end of its session need not be remembered any more. */
  isOverdue(): boolean;
  /** Whether the NAS has sent a record of the session that it has now. */
  readonly isAnnounced: () => boolean;
  /** The Acct-Session-Id that a look-up by the User-Name of the subscriber finds, and whether it is that of this session. */
  readonly foundByName: () => string | undefined;
  readonly isFound: () => boolean;
  /** Whether the NAS sends what it accounts. */
  readonly hasFeed: boolean;
  /** Who accounts services. */
  readonly serviceAccounting: 'interlock' | 'nas';
  /** What the NAS has ended without accounting it. */
  readonly endedUnaccounted: ReadonlySet<string>;
  /** Bytes that were answered out of an item that was removed, or without one. */
  readonly forgotten: ReadonlySet<string>;
  /** By correlation id, what was decided 300 s and more before the item was removed: the answer need not have been sent. */
  readonly lapsed: ReadonlySet<string>;
  /** The outcomes of the commands of a request, in order. */
  outcomes(correlationId: string): readonly Outcome[];
  /** The request with this correlation id. */
  forward(correlationId: string): Forward;
}

/** What a checker can hear of. Where nothing else is said, the facts do not contain the event yet. */
export interface Checker {
  forwarded?(forward: Forward): void;
  evaluated?(evaluation: Evaluation): void;
  carriedOut?(request: CarriedOut): void;
  /** The facts contain everything that follows from the change. */
  written?(change: Change): void;
  /** The session is known to be another one, or to have ended; the facts are those of what the NAS has now. */
  begunAgain?(): void;
  /** The item was removed. */
  removed?(session: Session): void;
  /** The NAS has carried out or refused a request, with which it `lost` services, or the item was written. */
  told?(session: Session | undefined, lost: readonly string[]): void;
  replied?(reply: Reply): void;
  /** A client has a reply to these bytes. */
  heard?(wish: Wish, bytes: string, answer: Answer): void;
  /** The accounting queue has a record. */
  accounted?(record: AccountingMessage): void;
  /** The accounting server has a record with these attributes, base64. */
  delivered?(attributes: string): void;
  historyWritten?(item: HistoryItem): void;
  /** account has worked off the stream. */
  historyComplete?(session: Session | undefined): void;
  /** Nothing is under way, and nothing is left to be done. */
  atRest?(session: Session | undefined): void;
}

/** Says what is wrong, if it is. */
export type Expect = (isKept: boolean, what: string) => void;

export interface Promised {
  /** As the README has it, without its markup. */
  readonly sentence: string;
  readonly checker: (facts: Facts, expect: Expect) => Checker;
}

/** Whether a write ends the session: it is closed, or another one with its Acct-Session-Id is in its place. */
export function endsSession({ before, after }: Pick<Change, 'before' | 'after'>): boolean {
  if (before === undefined || isClosed(before)) return false;
  return isClosed(after) || !isDeepStrictEqual(before.life?.after, after.life?.after);
}

/** Expects two lists to have the same members. */
export function expectSame(
  expect: Expect,
  [what, found]: readonly [string, Iterable<string>],
  [other, expected]: readonly [string, Iterable<string>],
): void {
  const [one, two] = [found, expected].map((list) => [...list].sort().join(' ') || 'nothing');
  expect(one === two, `${what}: ${one}; ${other}: ${two}`);
}

export const brief = ({ answer, errorCause }: Answer) => [answer, errorCause].join(' ').trim();

/** Event-Timestamps that are so far apart, and a second for what a second does not say. */
const OUTDATED_MS = 4_000;

/** Whether a request has an answer, or a repeat of it got one that it would have got, too, or it is too late for one. */
export function hasAnswer(
  { replies, lapsed, forward, forwards }: Pick<Facts, 'replies' | 'lapsed' | 'forward' | 'forwards'>,
  request: Forward,
): boolean {
  const { correlationId, bytes, repliesBefore, wish } = request;
  const { timestampMs = Number.POSITIVE_INFINITY } = wish;
  // One that newer requests have overtaken gets none.
  const isOutdated = forwards
    .slice(0, forwards.indexOf(request))
    .some((other) => (other.wish.timestampMs ?? 0) > timestampMs + OUTDATED_MS);
  return (
    isOutdated ||
    lapsed.has(correlationId) ||
    replies.some(
      (reply, index) =>
        reply.correlationId === correlationId ||
        (index >= repliesBefore && forward(reply.correlationId).bytes === bytes),
    )
  );
}

/** Whether the session says that the client of a request gave up before it could begin. */
export const hasGivenUp = ({ answered }: Session, id: string): boolean =>
  answered.some(
    ({ correlationId, reason = '' }) => correlationId === id && reason.startsWith('the client gave up'),
  );
