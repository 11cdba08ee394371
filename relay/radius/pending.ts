// Exchanges without a reply, and when each is retransmitted: RFC 5080 section 2.2.1, which gives the names. No socket and
// no clock: time is an argument, monotonic and in milliseconds.

/** When to retransmit and when to give up. Zero means no limit. */
export interface RetransmissionPolicy {
  /** IRT, initial retransmission time. */
  readonly irtMs: number;
  /** MRT, maximum retransmission time: the wait doubles up to this. */
  readonly mrtMs: number;
  /** MRC, maximum retransmission count: how many transmissions there are, the first included. */
  readonly mrc: number;
  /** MRD, maximum retransmission duration, from the first transmission. */
  readonly mrdMs: number;
}

interface Timing {
  readonly policy: RetransmissionPolicy;
  readonly startedAtMs: number;
  readonly transmissions: number;
  /** RT, retransmission time: the wait after the latest transmission. */
  readonly waitMs: number;
  readonly deadlineMs: number;
}

/** The pending exchanges of a client. */
export class Pending<Exchange> {
  readonly #timings = new Map<Exchange, Timing>();
  readonly #random: () => number;

  /** `random` returns numbers from 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Adds an exchange that is transmitted for the first time. Returns its first deadline. */
  start(exchange: Exchange, policy: RetransmissionPolicy, nowMs: number): number {
    return this.#wait(
      exchange,
      { policy, startedAtMs: nowMs, transmissions: 1 },
      this.#spread(policy.irtMs),
      nowMs,
    );
  }

  /** Removes an exchange that has ended. */
  end(exchange: Exchange): void {
    this.#timings.delete(exchange);
  }

  /** The exchanges to retransmit at `nowMs`, and those that have failed and are no longer pending. */
  collect(nowMs: number): { readonly due: readonly Exchange[]; readonly failed: readonly Exchange[] } {
    const due: Exchange[] = [];
    const failed: Exchange[] = [];
    for (const [exchange, timing] of this.#timings) {
      if (timing.deadlineMs > nowMs) continue;
      const { policy, startedAtMs, transmissions, waitMs } = timing;
      const isSpent = policy.mrc > 0 && transmissions >= policy.mrc;
      const isOver = policy.mrdMs > 0 && nowMs >= startedAtMs + policy.mrdMs;
      if (isSpent || isOver) {
        this.#timings.delete(exchange);
        failed.push(exchange);
      } else {
        const doubled = waitMs + this.#spread(waitMs);
        const nextMs = policy.mrtMs > 0 && doubled > policy.mrtMs ? this.#spread(policy.mrtMs) : doubled;
        this.#wait(exchange, { policy, startedAtMs, transmissions: transmissions + 1 }, nextMs, nowMs);
        due.push(exchange);
      }
    }
    return { due, failed };
  }

  /** When `collect` has something to do next; Infinity when nothing is pending. */
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

  /** RAND: up to 10 % to either side, so that clients which start together do not retransmit together. */
  #spread(ms: number): number {
    return ms + (this.#random() * 0.2 - 0.1) * ms;
  }
}
