// Requests that the relay has taken on and not forwarded yet, in one line for each client. The clients take turns, so that one that
// sends much waits for itself alone.

/** What waits. */
interface Waiting {
  readonly client: string;
  /** Monotonic time from which on it is not to be forwarded any more, in milliseconds. */
  readonly untilMs: number;
}

export class WaitingRoom<Item extends Waiting> {
  readonly #capacity: number;
  /** The client whose turn is next comes first. No line is empty. */
  readonly #lines = new Map<string, Item[]>();
  #size = 0;

  /** Holds `capacity` items at most. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  /** How many wait, by client. */
  get sizes(): readonly (readonly [client: string, waiting: number])[] {
    return Array.from(this.#lines, ([client, line]) => [client, line.length]);
  }

  /**
   * Lets an item in, and returns one for which there is no room then, if there is one: the item itself where its client has a
   * fair share already, or else the latest of the client that has most. One client alone has all the room.
   */
  enter(item: Item): Item | undefined {
    const line = this.#lines.get(item.client) ?? [];
    if (this.#size < this.#capacity) {
      this.#lines.set(item.client, line);
      line.push(item);
      this.#size++;
      return undefined;
    }
    const clients = this.#lines.size + (line.length === 0 ? 1 : 0);
    if (line.length >= this.#capacity / clients) return item;
    const [longest, most] = [...this.#lines].reduce((a, b) => (b[1].length > a[1].length ? b : a));
    const pushedOut = most.pop();
    if (most.length === 0) this.#lines.delete(longest);
    this.#lines.set(item.client, line);
    line.push(item);
    return pushedOut;
  }

  /** Takes the next item out, that of the client whose turn it is; undefined where none waits. */
  next(): Item | undefined {
    for (const [client, line] of this.#lines) {
      const item = line.shift();
      this.#lines.delete(client);
      if (line.length > 0) this.#lines.set(client, line);
      if (item !== undefined) this.#size--;
      return item;
    }
    return undefined;
  }

  /** Takes out what is not to be forwarded at `nowMs` any more. Each client has one patience, so its line is in order. */
  expire(nowMs: number): readonly Item[] {
    const expired: Item[] = [];
    for (const [client, line] of this.#lines) {
      const count = line.findIndex(({ untilMs }) => untilMs > nowMs);
      expired.push(...line.splice(0, count < 0 ? line.length : count));
      if (line.length === 0) this.#lines.delete(client);
    }
    this.#size -= expired.length;
    return expired;
  }
}
