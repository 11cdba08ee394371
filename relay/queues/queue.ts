// One SQS queue. All calls are made here, so that what is known of the queue's health is known here too. A call that
// fails is an outcome and not an exception: every caller has to live with it.
import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { QueueName } from '../../core/cloud/queues.ts';
import { describeError } from '../telemetry/describe-error.ts';
import type { Report } from '../telemetry/events.ts';

/** SQS takes and gives at most this many messages in a call. */
export const BATCH = 10;

export interface OutgoingMessage {
  readonly body: string;
  readonly group: string;
  readonly deduplicationId: string;
}

export interface QueueMessage {
  readonly id: string;
  /** MessageGroupId; the message's own id where the queue has no groups. */
  readonly group: string;
  readonly body: string;
  /** How often it was delivered, this time among them. */
  readonly receiveCount: number;
  /** Needed to delete or hold it; a message that comes again has a new one. */
  readonly receipt: string;
}

/** What the last call said. `unknown` until there was one. */
export type QueueHealth =
  | { readonly state: 'unknown' | 'reachable' }
  | { readonly state: 'unreachable'; readonly error: string; readonly atMs: number };

export class Queue {
  readonly name: QueueName;
  readonly #url: string;
  readonly #sqs: SQSClient;
  readonly #now: () => number;
  readonly #report: Report;
  readonly #callTimeoutMs: number;
  #health: QueueHealth = { state: 'unknown' };
  #deletions: { readonly receipt: string; readonly done: () => void }[] = [];

  constructor(
    name: QueueName,
    url: string,
    {
      sqs,
      now,
      report,
      callTimeoutMs = 5_000,
    }: {
      readonly sqs: SQSClient;
      readonly now: () => number;
      readonly report: Report;
      /** How long a call may take, retries of the client among it; to receive, beyond the wait. */
      readonly callTimeoutMs?: number;
    },
  ) {
    this.name = name;
    this.#url = url;
    this.#sqs = sqs;
    this.#now = now;
    this.#report = report;
    this.#callTimeoutMs = callTimeoutMs;
  }

  get health(): QueueHealth {
    return this.#health;
  }

  /** Sends at most ten messages; gives for each whether SQS has it. Those of one group keep their order. */
  async send(messages: readonly OutgoingMessage[]): Promise<readonly boolean[]> {
    const Entries = messages.map(({ body, group, deduplicationId }, index) => ({
      Id: String(index),
      MessageBody: body,
      MessageGroupId: group,
      MessageDeduplicationId: deduplicationId,
    }));
    const result = await this.#call((abortSignal) =>
      this.#sqs.send(new SendMessageBatchCommand({ QueueUrl: this.#url, Entries }), { abortSignal }),
    );
    this.#reportRefused(result?.Failed);
    const sent = new Set(result?.Successful?.map(({ Id }) => Id));
    return Entries.map(({ Id }) => sent.has(Id));
  }

  /**
   * Waits up to `waitSeconds` for messages and takes at most ten of them, for `visibilitySeconds`. Undefined when
   * the call failed or `signal` aborted it.
   */
  async receive({
    waitSeconds,
    visibilitySeconds,
    signal,
  }: {
    readonly waitSeconds: number;
    readonly visibilitySeconds: number;
    readonly signal: AbortSignal;
  }): Promise<readonly QueueMessage[] | undefined> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.#url,
      MaxNumberOfMessages: BATCH,
      WaitTimeSeconds: waitSeconds,
      VisibilityTimeout: visibilitySeconds,
      MessageSystemAttributeNames: ['MessageGroupId', 'ApproximateReceiveCount'],
    });
    const result = await this.#call((abortSignal) => this.#sqs.send(command, { abortSignal }), {
      timeoutMs: waitSeconds * 1000 + this.#callTimeoutMs,
      signal,
    });
    return (
      result &&
      (result.Messages ?? []).map(({ MessageId = '', Body = '', ReceiptHandle = '', Attributes }) => ({
        id: MessageId,
        group: Attributes?.MessageGroupId ?? MessageId,
        body: Body,
        receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
        receipt: ReceiptHandle,
      }))
    );
  }

  /**
   * Deletes a message; settles when SQS has answered. Deletions of one turn of the event loop share a call. One
   * that fails is not tried again: the message comes again, which everybody must be able to bear anyway.
   */
  delete(receipt: string): Promise<void> {
    if (this.#deletions.length === 0) setImmediate(() => this.#deleteAll());
    return new Promise((done) => this.#deletions.push({ receipt, done }));
  }

  /** Makes messages invisible for `seconds` from now; zero gives them back at once. */
  async setVisibility(receipts: readonly string[], seconds: number): Promise<void> {
    await Promise.all(
      batches(receipts).map(async (batch) => {
        const Entries = batch.map((receipt, index) => ({
          Id: String(index),
          ReceiptHandle: receipt,
          VisibilityTimeout: seconds,
        }));
        const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.#url, Entries });
        const result = await this.#call((abortSignal) => this.#sqs.send(command, { abortSignal }));
        this.#reportRefused(result?.Failed);
      }),
    );
  }

  async #deleteAll(): Promise<void> {
    const deletions = this.#deletions;
    this.#deletions = [];
    await Promise.all(
      batches(deletions).map(async (batch) => {
        const Entries = batch.map(({ receipt }, index) => ({ Id: String(index), ReceiptHandle: receipt }));
        const result = await this.#call((abortSignal) =>
          this.#sqs.send(new DeleteMessageBatchCommand({ QueueUrl: this.#url, Entries }), { abortSignal }),
        );
        this.#reportRefused(result?.Failed);
        for (const { done } of batch) done();
      }),
    );
  }

  async #call<Result>(
    call: (abortSignal: AbortSignal) => Promise<Result>,
    {
      timeoutMs = this.#callTimeoutMs,
      signal,
    }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Result | undefined> {
    // Without a limit a connection that died silently would keep its caller for ever.
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const result = await call(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
      if (this.#health.state === 'unreachable') {
        this.#report({ kind: 'queue-recovered', queue: this.name });
      }
      this.#health = { state: 'reachable' };
      return result;
    } catch (cause) {
      if (signal?.aborted) return undefined;
      const error = timeout.aborted ? `no answer within ${timeoutMs / 1000} seconds` : describeError(cause);
      if (this.#health.state !== 'unreachable') {
        this.#report({ kind: 'queue-trouble', queue: this.name, error });
      }
      this.#health = { state: 'unreachable', error, atMs: this.#now() };
      return undefined;
    }
  }

  #reportRefused(failed: readonly BatchResultErrorEntry[] = []): void {
    for (const { Code, Message } of failed) {
      this.#report({ kind: 'queue-entry-refused', queue: this.name, error: `${Code}: ${Message ?? ''}` });
    }
  }
}

function batches<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / BATCH) }, (_, index) =>
    list.slice(index * BATCH, (index + 1) * BATCH),
  );
}
