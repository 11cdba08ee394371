// FIFO queues of SQS in memory, on a clock that is moved by hand, behind the part of the SDK's client that the relay
// uses. Rules: "Amazon SQS FIFO queue and message identifiers", "visibility timeout" and "short and long polling" in the
// SQS developer guide. What becomes of a call is decided from outside.
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import type { Clock, Timer } from '../../relay/clock.ts';
import type { OutgoingMessage, QueueMessage, SqsClient } from '../../relay/queues/queue.ts';
import type { ManualClock } from './manual-clock.ts';

/** Five minutes: a message with the same deduplication id is taken and dropped. */
export const DEDUPLICATION_MS = 300_000;
/** Likewise: for so long a receive call can be retried with its attempt id. */
const ATTEMPT_MS = 300_000;

/** A message as it is delivered. Times are those of the queue's clock, in milliseconds since 1970-01-01 UTC. */
export interface Delivered extends QueueMessage {
  readonly sentAtMs: number;
  /** Counts the messages of the queue. */
  readonly sequence: number;
}

interface Stored extends OutgoingMessage {
  readonly id: string;
  readonly sentAtMs: number;
  readonly sequence: number;
  firstDeliveredAtMs?: number;
  receiveCount: number;
  receipt: string;
  /** It is in flight, and its group locked, before this. */
  hiddenUntilMs: number;
  /** Fires when it becomes visible. */
  reveal?: Timer;
}

/** What a receive call with an attempt id has taken. */
interface Attempt {
  readonly atMs: number;
  readonly receipts: readonly string[];
}

interface Poll {
  readonly max: number;
  readonly attemptId: string | undefined;
  readonly visibilityMs: number;
  readonly endsAtMs: number;
  readonly answer: (messages: readonly Delivered[]) => void;
}

export class MemoryQueue {
  readonly #clock: ManualClock;
  readonly #onTaken: (message: OutgoingMessage) => void;
  #messages: readonly Stored[] = [];
  #polls: readonly Poll[] = [];
  /** When each deduplication id was taken. */
  readonly #takenAtMs = new Map<string, number>();
  /** By ReceiveRequestAttemptId. */
  readonly #attempts = new Map<string, Attempt>();
  #names = 0;

  /** `onTaken` hears of each message that is not a duplicate. */
  constructor(clock: ManualClock, onTaken: (message: OutgoingMessage) => void = () => undefined) {
    this.#clock = clock;
    this.#onTaken = onTaken;
  }

  /** How many messages there are, in flight or not. */
  get size(): number {
    return this.#messages.length;
  }

  /** Whether a receive call would return something. */
  get hasVisible(): boolean {
    return this.#visible().length > 0;
  }

  send(message: OutgoingMessage): void {
    const nowMs = this.#clock.now();
    const takenAtMs = this.#takenAtMs.get(message.deduplicationId) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - takenAtMs < DEDUPLICATION_MS) return;
    this.#takenAtMs.set(message.deduplicationId, nowMs);
    const stored = {
      ...message,
      id: `message ${++this.#names}`,
      sequence: this.#names,
      sentAtMs: nowMs,
      receiveCount: 0,
      receipt: '',
      hiddenUntilMs: 0,
    };
    this.#messages = [...this.#messages, stored];
    this.#onTaken(message);
    this.#servePolls();
  }

  /** The next messages, at most `max`, for `visibilityMs`; those of the groups in `except` are left out. */
  receive(max: number, visibilityMs: number, except: readonly string[] = []): readonly Delivered[] {
    return this.#visible(except)
      .slice(0, max)
      .map((message) => {
        message.receiveCount++;
        message.receipt = `${message.id}, delivery ${message.receiveCount}`;
        this.#hide(message, visibilityMs);
        return this.#delivered(message);
      });
  }

  #delivered(message: Stored): Delivered {
    const { id, group, body, receiveCount, receipt, sentAtMs, sequence } = message;
    message.firstDeliveredAtMs ??= this.#clock.now();
    const { firstDeliveredAtMs } = message;
    const times = { sentAtMs, firstDeliveredAtMs, askedAtMs: this.#clock.monotonicNow() };
    return { id, group, body, receiveCount, receipt, sequence, ...times };
  }

  /**
   * As `receive`, but waits up to `waitMs` when there is nothing. For five minutes a call with the attempt id of an earlier one
   * gets what that has taken, with the same receipts and hidden anew, unless a message of it was deleted or its visibility
   * changed.
   */
  poll(max: number, visibilityMs: number, waitMs: number, answer: Poll['answer'], attemptId?: string): void {
    const again = this.#again(attemptId, visibilityMs);
    if (again !== undefined) {
      answer(again);
      return;
    }
    const messages = this.#attempt(attemptId, this.receive(max, visibilityMs));
    if (messages.length > 0 || waitMs === 0) {
      answer(messages);
      return;
    }
    const poll = { max, visibilityMs, attemptId, endsAtMs: this.#clock.now() + waitMs, answer };
    this.#polls = [...this.#polls, poll];
    // Time does not stop for an answer without a message: the caller would only ask again.
    this.#clock.setIdleTimeout(() => {
      if (this.#end(poll)) answer([]);
    }, waitMs);
  }

  /** Whether the receipt was that of a message in flight. */
  delete(receipt: string): boolean {
    const message = this.#inFlight(receipt);
    if (message === undefined) return false;
    message.reveal?.cancel();
    this.#messages = this.#messages.filter((one) => one !== message);
    this.#servePolls();
    return true;
  }

  /** Hides a message for `visibilityMs` from now. Whether the receipt was that of a message in flight. */
  setVisibility(receipt: string, visibilityMs: number): boolean {
    const message = this.#inFlight(receipt);
    if (message === undefined) return false;
    for (const [attemptId, { receipts }] of this.#attempts)
      if (receipts.includes(receipt)) this.#attempts.delete(attemptId);
    this.#hide(message, visibilityMs);
    this.#servePolls();
    return true;
  }

  #inFlight(receipt: string): Stored | undefined {
    return this.#messages.find(
      (message) => message.receipt === receipt && message.hiddenUntilMs > this.#clock.now(),
    );
  }

  #attempt(attemptId: string | undefined, messages: readonly Delivered[]): readonly Delivered[] {
    const receipts = messages.map(({ receipt }) => receipt);
    if (attemptId !== undefined && receipts.length > 0)
      this.#attempts.set(attemptId, { atMs: this.#clock.now(), receipts });
    return messages;
  }

  #again(attemptId: string | undefined, visibilityMs: number): readonly Delivered[] | undefined {
    const attempt = attemptId === undefined ? undefined : this.#attempts.get(attemptId);
    if (attempt === undefined || this.#clock.now() - attempt.atMs >= ATTEMPT_MS) return undefined;
    const messages = attempt.receipts.map((receipt) => this.#inFlight(receipt));
    if (!messages.every((message) => message !== undefined)) return undefined;
    return messages.map((message) => {
      this.#hide(message, visibilityMs);
      return this.#delivered(message);
    });
  }

  #hide(message: Stored, visibilityMs: number): void {
    message.reveal?.cancel();
    message.hiddenUntilMs = this.#clock.now() + visibilityMs;
    message.reveal = this.#clock.setTimeout(() => this.#servePolls(), visibilityMs);
  }

  /** A group with a message in flight gives no other. */
  #visible(except: readonly string[] = []): readonly Stored[] {
    const nowMs = this.#clock.now();
    const locked = new Set(except);
    for (const { group, hiddenUntilMs } of this.#messages) if (hiddenUntilMs > nowMs) locked.add(group);
    return this.#messages.filter(({ group }) => !locked.has(group));
  }

  #servePolls(): void {
    for (const poll of this.#polls) {
      if (poll.endsAtMs <= this.#clock.now()) continue;
      const messages = this.#attempt(poll.attemptId, this.receive(poll.max, poll.visibilityMs));
      if (messages.length === 0) return;
      this.#end(poll);
      poll.answer(messages);
    }
  }

  #end(poll: Poll): boolean {
    const isOpen = this.#polls.includes(poll);
    this.#polls = this.#polls.filter((one) => one !== poll);
    return isOpen;
  }
}

/**
 * What becomes of a call. `late`: SQS gets it after a while. `failed`: SQS does not get it. `answer-lost`: SQS does what
 * it says, and the caller gets an error. `refused`: SQS refuses its first entry. `hung`: SQS does what it says, and never
 * answers.
 */
export type CallFate = 'served' | 'late' | 'failed' | 'answer-lost' | 'refused' | 'hung';

export interface MemorySqsOptions {
  readonly clock: ManualClock;
  /** By URL. */
  readonly queues: Readonly<Record<string, MemoryQueue>>;
  /** Asked for each call that sends, deletes or hides, and for each answer with messages. */
  readonly fateOf?: (action: string) => CallFate;
}

const LATE_MS = 40;
/** After so long the relay has given up a call that hangs. */
const HUNG_MS = 10_000;

/** A client of SQS for one process, which hears nothing when it is dead: its answers come through `processClock`. */
export function memorySqsClient(
  { clock, queues, fateOf = () => 'served' }: MemorySqsOptions,
  processClock: Pick<Clock, 'setImmediate'>,
): SqsClient {
  const send = (command: object, { abortSignal }: { readonly abortSignal?: AbortSignal } = {}) =>
    new Promise<object>((resolve, reject) => {
      const abort = () => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
      abortSignal?.addEventListener('abort', abort);
      const answer = (output: () => object, fate: CallFate) => {
        const settle = () => {
          abortSignal?.removeEventListener('abort', abort);
          if (fate === 'failed' || fate === 'answer-lost') reject(new Error(`the call has ${fate}`));
          else resolve(output());
        };
        if (fate === 'hung') clock.setTimeout(() => undefined, HUNG_MS);
        else processClock.setImmediate(settle);
      };

      if (command instanceof ReceiveMessageCommand) {
        const {
          QueueUrl,
          MaxNumberOfMessages = 1,
          VisibilityTimeout = 0,
          WaitTimeSeconds = 0,
          ReceiveRequestAttemptId,
        } = command.input;
        queueOf(QueueUrl).poll(
          MaxNumberOfMessages,
          VisibilityTimeout * 1000,
          WaitTimeSeconds * 1000,
          (messages) => {
            const fate = messages.length > 0 ? fateOf('ReceiveMessage') : 'served';
            answer(() => ({ Messages: messages.map(received) }), fate);
          },
          ReceiveRequestAttemptId,
        );
        return;
      }
      const perform = batchOf(command);
      const fate = fateOf(command.constructor.name.replace(/BatchCommand$/, ''));
      const serve = () => {
        const output = fate === 'failed' ? {} : perform(fate === 'refused');
        answer(() => output, fate);
      };
      if (fate === 'late') clock.setTimeout(serve, LATE_MS);
      else serve();
    });
  return { send } as SqsClient;

  function queueOf(url: string | undefined): MemoryQueue {
    const queue = queues[url ?? ''];
    if (queue === undefined) throw new Error(`there is no queue ${url}`);
    return queue;
  }

  /** What a call does to its entries. */
  function batchOf(command: object): (refusesFirst: boolean) => object {
    if (command instanceof SendMessageBatchCommand) {
      const queue = queueOf(command.input.QueueUrl);
      return batch(
        command.input.Entries,
        ({ MessageBody = '', MessageGroupId = '', MessageDeduplicationId = '' }) => {
          queue.send({ body: MessageBody, group: MessageGroupId, deduplicationId: MessageDeduplicationId });
          return true;
        },
      );
    }
    if (command instanceof DeleteMessageBatchCommand) {
      const queue = queueOf(command.input.QueueUrl);
      return batch(command.input.Entries, ({ ReceiptHandle = '' }) => queue.delete(ReceiptHandle));
    }
    if (command instanceof ChangeMessageVisibilityBatchCommand) {
      const queue = queueOf(command.input.QueueUrl);
      return batch(command.input.Entries, ({ ReceiptHandle = '', VisibilityTimeout = 0 }) =>
        queue.setVisibility(ReceiptHandle, VisibilityTimeout * 1000),
      );
    }
    throw new Error(`there is no ${command.constructor.name} here`);
  }
}

const batch =
  <Entry extends { readonly Id: string | undefined }>(
    entries: readonly Entry[] = [],
    perform: (entry: Entry) => boolean,
  ) =>
  (refusesFirst: boolean): object => {
    const results = entries.map((entry, index) => ({
      Id: entry.Id,
      isTaken: !(refusesFirst && index === 0) && perform(entry),
    }));
    return {
      Successful: results.filter(({ isTaken }) => isTaken).map(({ Id }) => ({ Id })),
      Failed: results.filter(({ isTaken }) => !isTaken).map(({ Id }) => ({ Id, Code: 'InternalError' })),
    };
  };

const received = ({ id, group, body, receiveCount, receipt, firstDeliveredAtMs }: Delivered) => ({
  MessageId: id,
  Body: body,
  ReceiptHandle: receipt,
  Attributes: {
    MessageGroupId: group,
    ApproximateReceiveCount: String(receiveCount),
    ApproximateFirstReceiveTimestamp: String(firstDeliveredAtMs),
  },
});
