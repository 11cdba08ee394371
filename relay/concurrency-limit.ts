// How many operations may run at a time.

/** The limits of a ConcurrencyLimit. */
export interface ConcurrencyLimits {
  /** How many may run at a time. */
  readonly maxConcurrent: number;
  /** How many more may wait for one of them to end. */
  readonly maxWaiting: number;
}

/** A counting semaphore with a bounded queue, so that one slow peer cannot take all capacity. */
export class ConcurrencyLimit {
  readonly #limits: ConcurrencyLimits;
  #active = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limits: ConcurrencyLimits) {
    this.#limits = limits;
  }

  /** How many have acquired and not released. */
  get active(): number {
    return this.#active;
  }

  /**
   * Resolves when the caller may run, in the order of the calls; undefined when too many wait already. The caller has
   * to `release` afterwards.
   */
  acquire(): Promise<void> | undefined {
    if (this.#active < this.#limits.maxConcurrent) {
      this.#active++;
      return Promise.resolve();
    }
    if (this.#waiting.length >= this.#limits.maxWaiting) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets the next one run. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#active--;
    else next();
  }
}
