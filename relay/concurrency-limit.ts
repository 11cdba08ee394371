export interface GateLimits {
  readonly room: number;
  readonly maxWaiting: number;
}

/** Lets so many in at a time, so that one that takes long cannot take everything; a few more may wait outside. */
export class Gate {
  readonly #room: number;
  readonly #maxWaiting: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ room, maxWaiting }: GateLimits) {
    this.#room = room;
    this.#maxWaiting = maxWaiting;
  }

  /** How many are inside. */
  get size(): number {
    return this.#inside;
  }

  /** Resolves when there is room, first come, first served; undefined when too many wait. Who got in has to `leave`. */
  enter(): Promise<void> | undefined {
    if (this.#inside < this.#room) {
      this.#inside++;
      return Promise.resolve();
    }
    if (this.#waiting.length >= this.#maxWaiting) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next();
  }
}
