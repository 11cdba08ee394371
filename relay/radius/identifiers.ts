// The 256 Identifiers of one socket.

const IDENTIFIERS = 256;

/**
 * Hands out the Identifier that has been free for the longest time, so that a late reply meets a new request as
 * seldom as can be (RFC 5080 section 2.2.2).
 */
export class Identifiers {
  readonly #free = Array.from({ length: IDENTIFIERS }, (_, identifier) => identifier);
  readonly #taken = new Set<number>();

  /** An Identifier for one request; undefined when all are taken. */
  take(): number | undefined {
    const identifier = this.#free.shift();
    if (identifier !== undefined) this.#taken.add(identifier);
    return identifier;
  }

  /** @throws Error when it is not taken: whoever frees it twice would make two requests share it. */
  free(identifier: number): void {
    if (!this.#taken.delete(identifier)) throw new Error(`Identifier ${identifier} is not taken`);
    this.#free.push(identifier);
  }
}
