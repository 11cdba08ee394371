/**
 * Times of arrival that are unique for each subscriber session, so that they tell which of two requests came first.
 * decide needs that when a queue delivers a request again. Without it, two requests of one millisecond have no order,
 * and after a step of the wall clock they have the wrong one.
 */
export class ArrivalTimes {
  /** By message group, of arrivals that `nowMs` has not passed yet. */
  readonly #latestMs = new Map<string, number>();
  #maxMs = Number.NEGATIVE_INFINITY;

  /**
   * The time of an arrival in `group`: the wall time `nowMs`, or one millisecond after the arrival before it in the same
   * group where that is later.
   */
  next(group: string, nowMs: number): number {
    if (nowMs > this.#maxMs) this.#latestMs.clear();
    const timeMs = Math.max(nowMs, (this.#latestMs.get(group) ?? Number.NEGATIVE_INFINITY) + 1);
    this.#latestMs.set(group, timeMs);
    this.#maxMs = Math.max(timeMs, this.#maxMs);
    return timeMs;
  }
}
