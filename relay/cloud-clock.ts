// The clock of the cloud as the relay sees it, and by how much the relay's own differs from it.
import { CLOCK_SKEW_LIMIT_MS } from '../core/cloud/metrics.ts';
import type { Clock } from './clock.ts';
import type { Report } from './telemetry/events.ts';

/** A response of the cloud: the time in its Date header (RFC 9110 section 6.6.1), and when the exchange began and ended. */
export interface Dated {
  /** Milliseconds since 1970-01-01 UTC, in whole seconds: the server cuts off the rest. */
  readonly dateMs: number;
  /** Monotonic times. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

/** What the relay's wall clock is ahead of the cloud's; negative when it is behind. The truth is within `uncertaintyMs`. */
export interface ClockSkew {
  readonly skewMs: number;
  readonly uncertaintyMs: number;
}

/** A Date header has no finer resolution. */
const DATE_RESOLUTION_MS = 1_000;

/**
 * Learns the cloud's time from the Date headers of its responses. The server wrote the header between the start and the end
 * of the exchange, so each one gives two bounds: the quicker the exchange, the closer they are. All responses together give
 * closer bounds than any of them, because their seconds begin at different moments.
 *
 * The bounds are of the difference between the cloud's time and monotonic time, so that a step of the relay's wall clock
 * changes the skew at once and the bounds not at all.
 */
export class CloudClock {
  readonly #clock: Pick<Clock, 'now' | 'monotonicNow'>;
  readonly #report: Report;
  /** Bounds of the cloud's time minus monotonic time, in milliseconds. */
  #bounds: { readonly leastMs: number; readonly mostMs: number } | undefined;
  #isSkewed = false;
  /** What `now` has returned last. */
  #shownMs = Number.NEGATIVE_INFINITY;

  constructor({
    clock,
    report,
  }: { readonly clock: Pick<Clock, 'now' | 'monotonicNow'>; readonly report: Report }) {
    this.#clock = clock;
    this.#report = report;
  }

  /** Takes a response into account. A skew that passes 5 s is reported, and its end. */
  observe({ dateMs, sentAtMs, receivedAtMs }: Dated): void {
    const bounds = { leastMs: dateMs - receivedAtMs, mostMs: dateMs + DATE_RESOLUTION_MS - sentAtMs };
    const { leastMs, mostMs } = this.#bounds ?? bounds;
    const closer = { leastMs: Math.max(leastMs, bounds.leastMs), mostMs: Math.min(mostMs, bounds.mostMs) };
    // Where they contradict what was known, one of the clocks has changed: a host was suspended, or its clock drifts.
    this.#bounds = closer.leastMs <= closer.mostMs ? closer : bounds;
    this.#check();
  }

  /** The skew now; undefined before the first response. */
  get skew(): ClockSkew | undefined {
    if (this.#bounds === undefined) return undefined;
    const { leastMs, mostMs } = this.#bounds;
    const aheadOfMonotonicMs = this.#clock.now() - this.#clock.monotonicNow();
    return { skewMs: aheadOfMonotonicMs - (leastMs + mostMs) / 2, uncertaintyMs: (mostMs - leastMs) / 2 };
  }

  /**
   * The time by the cloud's clock, milliseconds since 1970-01-01 UTC, an integer: that of the relay's clock as long as it may be
   * right, else the nearest that may be. It stands still, and is not set back, when the bounds come closer.
   */
  readonly now = (): number => {
    const { leastMs = Number.NEGATIVE_INFINITY, mostMs = Number.POSITIVE_INFINITY } = this.#bounds ?? {};
    const monotonicMs = this.#clock.monotonicNow();
    const latestMs = Math.max(this.#clock.now(), monotonicMs + leastMs);
    const nowMs = Math.round(Math.min(latestMs, monotonicMs + mostMs));
    const backMs = this.#shownMs - nowMs;
    if (backMs <= 0 || backMs > CLOCK_SKEW_LIMIT_MS) this.#shownMs = nowMs;
    return this.#shownMs;
  };

  /** A time by the cloud's clock that is past for certain, in milliseconds since 1970-01-01 UTC. */
  get pastMs(): number {
    const { leastMs = Number.NEGATIVE_INFINITY } = this.#bounds ?? {};
    return this.#clock.monotonicNow() + leastMs;
  }

  #check(): void {
    const { skew } = this;
    if (skew === undefined) return;
    const distanceMs = Math.abs(skew.skewMs) + (this.#isSkewed ? skew.uncertaintyMs : -skew.uncertaintyMs);
    if (distanceMs >= CLOCK_SKEW_LIMIT_MS === this.#isSkewed) return;
    this.#isSkewed = !this.#isSkewed;
    const [skewMs, uncertaintyMs] = [Math.round(skew.skewMs), Math.round(skew.uncertaintyMs)];
    this.#report({ kind: this.#isSkewed ? 'clock-skewed' : 'clock-in-step', skewMs, uncertaintyMs });
  }
}
