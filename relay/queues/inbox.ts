// From the relay to the cloud: messages, in batches, into the site's inbox.fifo.
import type { MonotonicClock } from '../clock.ts';
import { BATCH, type OutgoingMessage, type Queue } from './queue.ts';

interface Waiting {
  readonly message: OutgoingMessage;
  readonly settle: (isSent: boolean) => void;
}

/**
 * Collects the messages of one turn of the event loop, because a call to SQS costs the same for one message and for
 * ten. Several calls may be open at a time, but never two with messages of one message group: the second could
 * overtake the first.
 */
export class Inbox {
  readonly #queue: Queue;
  readonly #clock: MonotonicClock;
  readonly #maxCalls: number;
  readonly #maxWaiting: number;
  #waiting: Waiting[] = [];
  #calls = 0;
  readonly #openGroups = new Set<string>();
  #isFlushScheduled = false;

  /** Has at most `maxCalls` calls open, and at most `maxWaiting` messages that wait for one. */
  constructor(
    queue: Queue,
    {
      clock,
      maxCalls = 8,
      maxWaiting = 1000,
    }: { readonly clock: MonotonicClock; readonly maxCalls?: number; readonly maxWaiting?: number },
  ) {
    this.#queue = queue;
    this.#clock = clock;
    this.#maxCalls = maxCalls;
    this.#maxWaiting = maxWaiting;
  }

  /** How many messages wait for a call. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Takes a message for the next call. Resolves to whether SQS has it; undefined when too many wait already. */
  offer(message: OutgoingMessage): Promise<boolean> | undefined {
    if (this.#waiting.length >= this.#maxWaiting) return undefined;
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      this.#clock.setImmediate(() => {
        this.#isFlushScheduled = false;
        this.#flush();
      });
    }
    return new Promise((settle) => this.#waiting.push({ message, settle }));
  }

  #flush(): void {
    while (this.#calls < this.#maxCalls) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      void this.#send(batch);
    }
  }

  /** The messages that have waited longest and whose groups have no open call. */
  #takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    const others: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const fits = batch.length < BATCH && !this.#openGroups.has(waiting.message.group);
      (fits ? batch : others).push(waiting);
    }
    if (batch.length > 0) this.#waiting = others;
    return batch;
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    this.#calls++;
    for (const { message } of batch) this.#openGroups.add(message.group);
    const sent = await this.#queue.send(batch.map(({ message }) => message));
    for (const { message } of batch) this.#openGroups.delete(message.group);
    this.#calls--;
    batch.forEach(({ settle }, index) => {
      settle(sent[index] === true);
    });
    this.#flush();
  }
}
