// Messages that take longer than their queue hides them. They are hidden again and again until they are done with,
// and those of one message group are worked on one after the other.
import { EventEmitter, once } from 'node:events';
import type { Queue, QueueMessage } from './queue.ts';

/**
 * How the work on a message ended. `done`: it is deleted. `left`: it stays in the queue, which delivers it again or
 * moves it to the dead-letter queue. `abandoned`: it is given back by `finish`.
 */
export type Ending = 'done' | 'left' | 'abandoned';

interface Held {
  readonly sinceMs: number;
  receipt: string;
}

export class HeldMessages {
  readonly #queue: Queue;
  readonly #visibilitySeconds: number;
  readonly #monotonicNow: () => number;
  readonly #onHeldOn: (oldestMs: number) => void;
  /** The oldest first. */
  readonly #held = new Map<string, Held>();
  /** The end of each message group's line, and how the work on the last message in it ended. */
  readonly #lines = new Map<string, Promise<Ending>>();
  readonly #events = new EventEmitter();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    queue: Queue,
    {
      visibilitySeconds,
      monotonicNow,
      onHeldOn = () => undefined,
    }: {
      /** For how long the queue hides a message from others; at half of that it is asked to go on hiding it. */
      readonly visibilitySeconds: number;
      readonly monotonicNow: () => number;
      /** Told for how long the oldest has been held, each time when that has been necessary once more. */
      readonly onHeldOn?: (oldestMs: number) => void;
    },
  ) {
    this.#queue = queue;
    this.#visibilitySeconds = visibilitySeconds;
    this.#monotonicNow = monotonicNow;
    this.#onHeldOn = onHeldOn;
  }

  get size(): number {
    return this.#held.size;
  }

  has(key: string): boolean {
    return this.#held.has(key);
  }

  /** Holds a message and works on it after those before it in its group; not a second time while it is held. */
  take(key: string, { group, receipt }: QueueMessage, work: () => Promise<Ending>): void {
    const known = this.#held.get(key);
    if (known !== undefined) {
      // It slipped out of our hold and came again; only the new receipt will delete it.
      known.receipt = receipt;
      return;
    }
    this.#timer ??= setInterval(() => this.#holdOn(), this.#holdEveryMs);
    const held: Held = { sinceMs: this.#monotonicNow(), receipt };
    this.#held.set(key, held);
    const line = (this.#lines.get(group) ?? Promise.resolve('done')).then(async (before) => {
      // Whoever is behind one that is left stays behind it: the queue delivers them again in their order.
      const ending = before === 'left' ? before : await work();
      if (ending === 'done') await this.#queue.delete(held.receipt);
      if (ending !== 'abandoned') this.#held.delete(key);
      if (this.#lines.get(group) === line) this.#lines.delete(group);
      this.#events.emit('released');
      return ending;
    });
    this.#lines.set(group, line);
  }

  /** Resolves when the work on some message has ended, or `signal` aborts. */
  async released(signal: AbortSignal): Promise<void> {
    await once(this.#events, 'released', { signal }).catch(() => undefined);
  }

  /** Waits until all work has ended, then gives back what was abandoned, for the next relay to find at once. */
  async finish(): Promise<void> {
    await Promise.all(this.#lines.values());
    clearInterval(this.#timer);
    await this.#queue.setVisibility(this.#receipts(), 0);
  }

  #holdOn(): void {
    const [oldest] = this.#held.values();
    if (oldest === undefined) return;
    void this.#queue.setVisibility(this.#receipts(), this.#visibilitySeconds);
    const oldestMs = this.#monotonicNow() - oldest.sinceMs;
    if (oldestMs >= this.#holdEveryMs) this.#onHeldOn(oldestMs);
  }

  get #holdEveryMs(): number {
    return (this.#visibilitySeconds * 1000) / 2;
  }

  #receipts(): string[] {
    return Array.from(this.#held.values(), ({ receipt }) => receipt);
  }
}
