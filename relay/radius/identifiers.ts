// The 256 Identifiers of one channel (RFC 2865 section 3).

const IDENTIFIERS = 256;

/**
 * Hands out the Identifier that has been free for the longest time, so that a late reply rarely meets a new request
 * (RFC 5080 section 2.2.2).
 */
export class Identifiers {
  readonly #free = Array.from({ length: IDENTIFIERS }, (_, identifier) => identifier);
  readonly #taken = new Set<number>();

  /** An Identifier for one request, 0 to 255; undefined when all are taken. */
  take(): number | undefined {
    const identifier = this.#free.shift();
    if (identifier !== undefined) this.#taken.add(identifier);
    return identifier;
  }

  /** @throws Error when it is not taken: freed twice, it would be given to two requests. */
  free(identifier: number): void {
    if (!this.#taken.delete(identifier)) throw new Error(`Identifier ${identifier} is not taken`);
    this.#free.push(identifier);
  }
}
