// `ratePerSecond` of a client: a bucket of tokens that fills at this rate and holds those of one second.

interface Bucket {
  tokens: number;
  /** Monotonic time, in milliseconds. */
  atMs: number;
}

export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();

  /** Whether a request of `client` is within its rate at the monotonic time `nowMs`; it then counts. */
  allows(client: string, ratePerSecond: number, nowMs: number): boolean {
    const most = Math.max(1, ratePerSecond);
    const { tokens, atMs } = this.#buckets.get(client) ?? { tokens: most, atMs: nowMs };
    const filled = Math.min(most, tokens + ((nowMs - atMs) / 1000) * ratePerSecond);
    const isAllowed = filled >= 1;
    this.#buckets.set(client, { tokens: isAllowed ? filled - 1 : filled, atMs: nowMs });
    return isAllowed;
  }
}
