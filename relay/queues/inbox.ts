// The way up: messages, in batches, into the site's inbox.fifo.
import { BATCH, type OutgoingMessage, type Queue } from './queue.ts';

interface Waiting {
  readonly message: OutgoingMessage;
  readonly settle: (isSent: boolean) => void;
}

/**
 * Collects the messages of one turn of the event loop, because a call costs the same for one message and for ten.
 * Several calls are under way at a time, but never two with messages of one group: they could overtake each other.
 */
export class Inbox {
  readonly #queue: Queue;
  readonly #maxCalls: number;
  readonly #maxWaiting: number;
  #waiting: Waiting[] = [];
  #calls = 0;
  readonly #groupsUnderWay = new Set<string>();
  #isFlushScheduled = false;

  constructor(queue: Queue, { maxCalls = 8, maxWaiting = 1000 } = {}) {
    this.#queue = queue;
    this.#maxCalls = maxCalls;
    this.#maxWaiting = maxWaiting;
  }

  /** How many messages wait for a call. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Takes a message for the next call and tells whether SQS has it; undefined when too many wait already. */
  offer(message: OutgoingMessage): Promise<boolean> | undefined {
    if (this.#waiting.length >= this.#maxWaiting) return undefined;
    if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      setImmediate(() => {
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

  /** The longest waiting messages whose groups have no call under way. */
  #takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    const rest: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const fits = batch.length < BATCH && !this.#groupsUnderWay.has(waiting.message.group);
      (fits ? batch : rest).push(waiting);
    }
    if (batch.length > 0) this.#waiting = rest;
    return batch;
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    this.#calls++;
    for (const { message } of batch) this.#groupsUnderWay.add(message.group);
    const sent = await this.#queue.send(batch.map(({ message }) => message));
    for (const { message } of batch) this.#groupsUnderWay.delete(message.group);
    this.#calls--;
    batch.forEach(({ settle }, index) => {
      settle(sent[index] === true);
    });
    this.#flush();
  }
}
