// Receive calls to one queue, one after the other. A call whose answer is lost may have taken messages, which SQS then hides
// for the visibility timeout and with them all others of their message groups. So each call has an attempt id, and a call
// that follows one without an answer has the same: SQS gives it the same messages.
import type { Queue, QueueMessage } from './queue.ts';

/** What giving back may take: a relay that stops has 2 s left before it is killed. */
const GIVE_BACK_TIMEOUT_MS = 800;

export class Receiver {
  readonly #queue: Queue;
  readonly #visibilitySeconds: number;
  readonly #name: string;
  #calls = 0;
  /** A call has had no answer. */
  #isOpen = false;

  constructor(
    queue: Queue,
    {
      visibilitySeconds,
      name,
    }: {
      /** How long the queue hides a received message from other receivers. */
      readonly visibilitySeconds: number;
      /** Unique over all receivers of the queue, in whatever process: attempt ids begin with it. At most 100 characters. */
      readonly name: string;
    },
  ) {
    this.#queue = queue;
    this.#visibilitySeconds = visibilitySeconds;
    this.#name = name;
  }

  /** Waits up to `waitSeconds` for messages. Undefined when the call failed or `signal` aborted it. */
  async receive(waitSeconds: number, signal: AbortSignal): Promise<readonly QueueMessage[] | undefined> {
    const { messages, mayRetry } = await this.#queue.receive({
      waitSeconds,
      visibilitySeconds: this.#visibilitySeconds,
      attemptId: this.#attemptId,
      signal,
    });
    this.#isOpen = mayRetry;
    // SQS refuses the id of a call that it has refused, and of one that was answered long ago.
    if (!mayRetry) this.#calls++;
    return messages;
  }

  get #attemptId(): string {
    return `${this.#name}/${this.#calls}`;
  }

  /** Makes visible what the last call may have taken, if it had no answer. To be called when no other call follows. */
  async giveBack(): Promise<void> {
    if (!this.#isOpen) return;
    const { messages = [] } = await this.#queue.receive({
      waitSeconds: 0,
      visibilitySeconds: this.#visibilitySeconds,
      attemptId: this.#attemptId,
      callTimeoutMs: GIVE_BACK_TIMEOUT_MS,
    });
    const receipts = messages.map(({ receipt }) => receipt);
    await this.#queue.setVisibility(receipts, 0, GIVE_BACK_TIMEOUT_MS);
  }
}
