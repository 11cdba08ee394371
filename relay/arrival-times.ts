/**
 * Times of arrival that differ for each request of a subscriber session, so that they tell which of two requests came
 * first. decide needs this when a queue delivers a request again. The wall clock alone gives two requests of one
 * millisecond no order, and after it is set back the wrong one.
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
