// Exchanges that wait for a reply, and when each is to be sent again: RFC 5080 section 2.2.1, whose names these are.
// It knows no socket and no clock; time is handed in.

/** When to send again and when to give up. Zero lifts a limit. */
export interface RetransmissionPolicy {
  /** Initial retransmission time. */
  readonly irtMs: number;
  /** Maximum retransmission time: the wait doubles up to here. */
  readonly mrtMs: number;
  /** Maximum retransmission count: how often it is sent at all. */
  readonly mrc: number;
  /** Maximum retransmission duration, from the first sending on. */
  readonly mrdMs: number;
}

interface Timing {
  readonly policy: RetransmissionPolicy;
  readonly startedAtMs: number;
  readonly sendings: number;
  /** RT: how long the wait was, or is, after the latest sending. */
  readonly waitMs: number;
  readonly deadlineMs: number;
}

export class Pending<Exchange> {
  readonly #timings = new Map<Exchange, Timing>();
  readonly #random: () => number;

  /** `random` gives numbers from 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** An exchange has been sent for the first time; gives its first deadline. */
  start(exchange: Exchange, policy: RetransmissionPolicy, nowMs: number): number {
    return this.#wait(
      exchange,
      { policy, startedAtMs: nowMs, sendings: 1 },
      this.#spread(policy.irtMs),
      nowMs,
    );
  }

  /** An exchange is over. */
  end(exchange: Exchange): void {
    this.#timings.delete(exchange);
  }

  /** What is due at `nowMs`: to be sent again, or failed for good and no longer pending. */
  collect(nowMs: number): { readonly again: readonly Exchange[]; readonly failed: readonly Exchange[] } {
    const again: Exchange[] = [];
    const failed: Exchange[] = [];
    for (const [exchange, timing] of this.#timings) {
      if (timing.deadlineMs > nowMs) continue;
      const { policy, startedAtMs, sendings, waitMs } = timing;
      const isSpent = policy.mrc > 0 && sendings >= policy.mrc;
      const isOver = policy.mrdMs > 0 && nowMs >= startedAtMs + policy.mrdMs;
      if (isSpent || isOver) {
        this.#timings.delete(exchange);
        failed.push(exchange);
      } else {
        const doubled = waitMs + this.#spread(waitMs);
        const nextMs = policy.mrtMs > 0 && doubled > policy.mrtMs ? this.#spread(policy.mrtMs) : doubled;
        this.#wait(exchange, { policy, startedAtMs, sendings: sendings + 1 }, nextMs, nowMs);
        again.push(exchange);
      }
    }
    return { again, failed };
  }

  /** When `collect` has something to do next; infinite when nothing is pending. */
  nextDeadlineMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#timings.values()) nextMs = Math.min(nextMs, deadlineMs);
    return nextMs;
  }

  #wait(
    exchange: Exchange,
    timing: Omit<Timing, 'waitMs' | 'deadlineMs'>,
    waitMs: number,
    nowMs: number,
  ): number {
    const { policy, startedAtMs } = timing;
    const endMs = policy.mrdMs > 0 ? startedAtMs + policy.mrdMs : Number.POSITIVE_INFINITY;
    const deadlineMs = Math.min(nowMs + waitMs, endMs);
    this.#timings.set(exchange, { ...timing, waitMs, deadlineMs });
    return deadlineMs;
  }

  /** RAND: up to a tenth to either side, so that clients which started together do not stay together. */
  #spread(ms: number): number {
    return ms + (this.#random() * 0.2 - 0.1) * ms;
  }
}
