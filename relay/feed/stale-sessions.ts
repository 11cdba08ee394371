// Tells the cloud which sessions have become stale. A session whose Acct-Stop was lost would else be open for ever.
import type { MonotonicClock } from '../clock.ts';
import { staleMessage } from '../messages.ts';
import type { Inbox } from '../queues/inbox.ts';
import type { Report } from '../telemetry/events.ts';
import type { KnownSessions, StaleSession } from './known-sessions.ts';

/** How often sessions are looked for that have become stale. */
export const SEARCH_EVERY_MS = 60_000;
/** As many as fill the calls to SQS that may be open side by side: records do not wait behind more of them. */
const ON_THEIR_WAY = 80;

export interface StaleSessionsOptions {
  readonly known: KnownSessions;
  /** What the cloud calls this relay. */
  readonly relay: string;
  /** To the feed queue. */
  readonly queue: Inbox;
  readonly clock: MonotonicClock;
  /** Milliseconds since 1970-01-01 UTC by the cloud's clock, as far as it is known. */
  readonly now: () => number;
  /** A correlation id, unique over all relays of the site. */
  readonly newId: () => string;
  readonly report: Report;
}

export class StaleSessions {
  readonly #options: StaleSessionsOptions;
  #isSearching = false;

  constructor(options: StaleSessionsOptions) {
    this.#options = options;
  }

  /** Begins to search every minute. Returns what ends that. */
  start(): () => void {
    const timer = this.#options.clock.setInterval(() => void this.search(), SEARCH_EVERY_MS);
    return () => timer.cancel();
  }

  /** Tells the cloud of each session once. What SQS does not take is left to the next search. */
  async search(): Promise<void> {
    if (this.#isSearching) return;
    this.#isSearching = true;
    const { known, clock } = this.#options;
    for (const part of known.stale(clock.monotonicNow())) {
      if (!(await this.#tell(part))) break;
      await new Promise<void>((resolve) => clock.setImmediate(resolve));
    }
    this.#isSearching = false;
  }

  /** Resolves to whether SQS has taken all of them. */
  async #tell(sessions: readonly StaleSession[]): Promise<boolean> {
    for (let start = 0; start < sessions.length; start += ON_THEIR_WAY) {
      const taken = await Promise.all(
        sessions.slice(start, start + ON_THEIR_WAY).map((one) => this.#send(one)),
      );
      if (taken.includes(false)) return false;
    }
    return true;
  }

  async #send(session: StaleSession): Promise<boolean> {
    const { known, relay, queue, now, newId, report } = this.#options;
    const takeBack = known.tell(session);
    if (takeBack === undefined) return true;
    const correlationId = newId();
    const message = staleMessage(session, { relay, correlationId, receivedAtMs: now() });
    const isSent = (await queue.offer(message)) ?? false;
    if (!isSent) {
      takeBack();
      return false;
    }
    const { nas, acctSessionId, latest } = session;
    report({ kind: 'feed-queued', feed: latest.feed, correlationId, nas, status: 'stale', acctSessionId });
    return true;
  }
}
