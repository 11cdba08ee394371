// Messages of the tap that wait for SQS. In the mode proxy, the accounting server answers the NAS, which then does not
// repeat: what SQS does not take at once has to wait here.
import type { Clock } from '../clock.ts';
import { backOff } from '../queues/back-off.ts';
import type { Inbox } from '../queues/inbox.ts';
import type { OutgoingMessage } from '../queues/queue.ts';

/** Three quarters of an hour of log-ons and log-offs of 100,000 subscribers with two of each a day; about 20 MB. */
const CAPACITY = 20_000;
/** As many as fill the calls that may be open side by side. */
const MAX_OFFERED = 80;

interface Waiting {
  readonly message: OutgoingMessage;
  readonly settle: (isSent: boolean) => void;
}

/** A bounded buffer that sends its messages until SQS has them, the oldest first. */
export class TapBuffer {
  readonly #queue: Inbox;
  readonly #clock: Clock;
  readonly #capacity: number;
  #waiting: Waiting[] = [];
  #offered = 0;
  #failures = 0;
  #isPaused = false;
  readonly #abandon = new AbortController();
  #drained: (() => void) | undefined;

  constructor(
    queue: Inbox,
    { clock, capacity = CAPACITY }: { readonly clock: Clock; readonly capacity?: number },
  ) {
    this.#queue = queue;
    this.#clock = clock;
    this.#capacity = capacity;
  }

  /** How many messages SQS does not have yet. */
  get size(): number {
    return this.#waiting.length + this.#offered;
  }

  /** Takes a message. Resolves to whether SQS has it, false only after `drain`; undefined when the buffer is full. */
  offer(message: OutgoingMessage): Promise<boolean> | undefined {
    if (this.size >= this.#capacity) return undefined;
    return new Promise((settle) => {
      this.#waiting.push({ message, settle });
      this.#pump();
    });
  }

  /** Resolves when SQS has all messages, or `abandon` aborts. */
  async drain(abandon: AbortSignal): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
      abandon.addEventListener('abort', () => resolve());
      if (abandon.aborted || this.size === 0) resolve();
    });
    await drained;
    this.#abandon.abort();
    for (const { settle } of this.#waiting.splice(0)) settle(false);
  }

  #pump(): void {
    while (!this.#isPaused && this.#offered < MAX_OFFERED) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#offered++;
      void this.#send(next);
    }
  }

  async #send(waiting: Waiting): Promise<void> {
    const isSent = await (this.#queue.offer(waiting.message) ?? false);
    this.#offered--;
    if (isSent) {
      this.#failures = 0;
      waiting.settle(true);
    } else {
      this.#waiting.unshift(waiting);
      void this.#pause();
    }
    if (this.size === 0) this.#drained?.();
    this.#pump();
  }

  /** All that was offered fails together; one pause is for all of it. */
  async #pause(): Promise<void> {
    if (this.#isPaused) return;
    this.#isPaused = true;
    await backOff(this.#clock, ++this.#failures, this.#abandon.signal);
    if (this.#abandon.signal.aborted) return;
    this.#isPaused = false;
    this.#pump();
  }
}
