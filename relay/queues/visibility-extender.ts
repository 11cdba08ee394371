// Messages whose work may take longer than the visibility timeout of their queue. They are hidden from other receivers
// until the work has ended, and the messages of one message group are worked on one after the other.
//
// A message is held for as long as SQS hides it for certain: from when the call began that brought it or renewed its
// timeout. When that is over, because SQS could not be reached or this process stood still, another relay may have it, and
// what has an effect outside is not to be done any more. The work asks before each step.
import { EventEmitter, once } from 'node:events';
import type { MonotonicClock, Timer } from '../clock.ts';
import type { Queue, QueueMessage } from './queue.ts';

/**
 * How the work on a message ended. `done`: the message is deleted. `left`: it stays in the queue, which delivers it
 * again or moves it to the dead-letter queue. `abandoned`: `finish` makes it visible again.
 */
export type Ending = 'done' | 'left' | 'abandoned';

interface Held {
  readonly sinceMs: number;
  receipt: string;
  /** Until when no other receiver gets it, in monotonic time. */
  hiddenUntilMs: number;
}

/** Whether no other receiver can have the message yet. */
export type IsHeld = () => boolean;

/** Holds received messages of one queue while they are worked on. */
export class VisibilityExtender {
  readonly #queue: Queue;
  readonly #visibilitySeconds: number;
  readonly #clock: MonotonicClock;
  readonly #onExtended: (oldestMs: number) => void;
  /** The oldest first. */
  readonly #held = new Map<string, Held>();
  /** For each message group, how the work on its last message ends. */
  readonly #lastOfGroup = new Map<string, Promise<Ending>>();
  readonly #events = new EventEmitter();
  #timer: Timer | undefined;

  constructor(
    queue: Queue,
    {
      visibilitySeconds,
      clock,
      onExtended = () => undefined,
    }: {
      /** How long the queue hides a message. The timeout is renewed each time when a third of it is over. */
      readonly visibilitySeconds: number;
      readonly clock: MonotonicClock;
      /** Called at each renewal with how long the oldest message has been held, if that is a third of the timeout or more. */
      readonly onExtended?: (oldestMs: number) => void;
    },
  ) {
    this.#queue = queue;
    this.#visibilitySeconds = visibilitySeconds;
    this.#clock = clock;
    this.#onExtended = onExtended;
  }

  /** How many messages are held: worked on, or waiting for one before them in their group. */
  get size(): number {
    return this.#held.size;
  }

  /** Whether the message that was taken as `key` is held. */
  has(key: string): boolean {
    return this.#held.has(key);
  }

  /**
   * Holds a message and does `work` when the messages before it in its group are done. A message that is held already
   * is not worked on a second time.
   */
  take(
    key: string,
    { group, receipt, askedAtMs }: QueueMessage,
    work: (isHeld: IsHeld) => Promise<Ending>,
  ): void {
    const hiddenUntilMs = askedAtMs + this.#visibilitySeconds * 1000;
    const known = this.#held.get(key);
    if (known !== undefined) {
      // Its visibility timeout ran out and SQS has delivered it again. Only the latest receipt can delete it.
      known.receipt = receipt;
      known.hiddenUntilMs = hiddenUntilMs;
      return;
    }
    this.#timer ??= this.#clock.setInterval(() => void this.#extend(), this.#extendEveryMs);
    const held: Held = { sinceMs: this.#clock.monotonicNow(), receipt, hiddenUntilMs };
    const isHeld = () => this.#clock.monotonicNow() < held.hiddenUntilMs;
    this.#held.set(key, held);
    const ended = (this.#lastOfGroup.get(group) ?? Promise.resolve('done')).then(async (before) => {
      // What follows a message that was left stays behind it: the queue delivers them again in their order.
      const ending = before === 'left' ? before : await work(isHeld);
      if (ending === 'done') await this.#queue.delete(held.receipt);
      if (ending !== 'abandoned') this.#held.delete(key);
      if (this.#held.size === 0) this.#stopExtending();
      if (this.#lastOfGroup.get(group) === ended) this.#lastOfGroup.delete(group);
      this.#events.emit('released');
      return ending;
    });
    this.#lastOfGroup.set(group, ended);
  }

  /** Resolves when the work on any message has ended, or `signal` aborts. */
  async released(signal: AbortSignal): Promise<void> {
    await once(this.#events, 'released', { signal }).catch(() => undefined);
  }

  /** Waits until all work has ended, then reveals what was abandoned, so that the next relay receives it at once. */
  async finish(): Promise<void> {
    await Promise.all(this.#lastOfGroup.values());
    this.#stopExtending();
    await this.#queue.setVisibility(this.#receipts(), 0);
  }

  async #extend(): Promise<void> {
    const [oldest] = this.#held.values();
    if (oldest === undefined) return;
    const askedAtMs = this.#clock.monotonicNow();
    const oldestMs = askedAtMs - oldest.sinceMs;
    if (oldestMs >= this.#extendEveryMs) this.#onExtended(oldestMs);
    const hidden = new Set(await this.#queue.setVisibility(this.#receipts(), this.#visibilitySeconds));
    const hiddenUntilMs = askedAtMs + this.#visibilitySeconds * 1000;
    for (const held of this.#held.values()) {
      if (hidden.has(held.receipt)) held.hiddenUntilMs = Math.max(held.hiddenUntilMs, hiddenUntilMs);
    }
  }

  #stopExtending(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  get #extendEveryMs(): number {
    return (this.#visibilitySeconds * 1000) / 3;
  }

  #receipts(): string[] {
    return Array.from(this.#held.values(), ({ receipt }) => receipt);
  }
}
