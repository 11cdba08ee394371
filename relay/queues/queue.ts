// One SQS queue. The relay calls SQS nowhere else, so this file also knows whether the queue can be reached. A call that
// fails is a value and not an exception: every caller has to handle it.
import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { QueueName } from '../../core/cloud/queues.ts';
import type { MonotonicClock } from '../clock.ts';
import { describeError } from '../telemetry/describe-error.ts';
import type { Report } from '../telemetry/events.ts';

/** SQS takes and returns at most this many messages in a call. */
export const BATCH = 10;

/** A message to send. SQS keeps the order in a group. For 5 min it drops messages with the same deduplication id. */
export interface OutgoingMessage {
  readonly body: string;
  readonly group: string;
  readonly deduplicationId: string;
}

/** A message that was received. */
export interface QueueMessage {
  readonly id: string;
  /** MessageGroupId; the message's own id where the queue has no groups. */
  readonly group: string;
  readonly body: string;
  /** How often SQS has delivered it, this delivery included. */
  readonly receiveCount: number;
  /** The receipt handle, with which it is deleted or hidden for longer. Each delivery has a new one. */
  readonly receipt: string;
  /** When SQS delivered it for the first time, milliseconds since 1970-01-01 UTC by the clock of SQS. */
  readonly firstDeliveredAtMs: number;
  /** Monotonic time at which the call began that has brought it: SQS has delivered it after that. */
  readonly askedAtMs: number;
}

/**
 * The time by the clock of SQS, milliseconds since 1970-01-01 UTC, at the monotonic time `nowMs`; never earlier than it is.
 * For a message in its first delivery.
 */
export function queueTimeMs({ firstDeliveredAtMs, askedAtMs }: QueueMessage, nowMs: number): number {
  return firstDeliveredAtMs + (nowMs - askedAtMs);
}

/** The result of the last call; `unknown` before the first. `atMs` is monotonic time. */
export type QueueHealth =
  | { readonly state: 'unknown' | 'reachable' }
  | { readonly state: 'unreachable'; readonly error: string; readonly atMs: number };

/**
 * The result of a receive call. `messages` is absent when the call failed. `mayRetry`: SQS may have taken messages for it, and
 * gives the same ones to a call with the same attempt id.
 */
export interface Received {
  readonly messages?: readonly QueueMessage[];
  readonly mayRetry: boolean;
}

/** The part of the SDK's client that the relay uses. A client without HTTP has no middleware. */
export type SqsClient = Pick<SQSClient, 'send'> & Partial<Pick<SQSClient, 'middlewareStack'>>;

/** A queue, by its URL. `name` is for events. */
export class Queue {
  readonly name: QueueName;
  readonly #url: string;
  readonly #sqs: SqsClient;
  readonly #clock: MonotonicClock;
  readonly #report: Report;
  readonly #callTimeoutMs: number;
  #health: QueueHealth = { state: 'unknown' };
  #deletions: { readonly receipt: string; readonly done: () => void }[] = [];

  constructor(
    name: QueueName,
    url: string,
    {
      sqs,
      clock,
      report,
      callTimeoutMs = 5_000,
    }: {
      readonly sqs: SqsClient;
      readonly clock: MonotonicClock;
      readonly report: Report;
      /** How long a call may take, with the retries of the SDK; a receive may take its wait in addition. */
      readonly callTimeoutMs?: number;
    },
  ) {
    this.name = name;
    this.#url = url;
    this.#sqs = sqs;
    this.#clock = clock;
    this.#report = report;
    this.#callTimeoutMs = callTimeoutMs;
  }

  get health(): QueueHealth {
    return this.#health;
  }

  /** Sends at most ten messages. Returns for each whether SQS has it. Those of one group keep their order. */
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
   * Waits up to `waitSeconds` for messages and returns at most ten of them. SQS hides them from other receivers for
   * `visibilitySeconds`. For five minutes it gives a second call with the same `attemptId` the same messages, unless one of
   * them was deleted or its visibility changed.
   */
  async receive({
    waitSeconds,
    visibilitySeconds,
    attemptId,
    signal,
    callTimeoutMs = this.#callTimeoutMs,
  }: {
    readonly waitSeconds: number;
    readonly visibilitySeconds: number;
    readonly attemptId: string;
    readonly signal?: AbortSignal;
    /** What the call may take beyond its wait. */
    readonly callTimeoutMs?: number;
  }): Promise<Received> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.#url,
      MaxNumberOfMessages: BATCH,
      WaitTimeSeconds: waitSeconds,
      VisibilityTimeout: visibilitySeconds,
      ReceiveRequestAttemptId: attemptId,
      MessageSystemAttributeNames: [
        'MessageGroupId',
        'ApproximateReceiveCount',
        'ApproximateFirstReceiveTimestamp',
      ],
    });
    const askedAtMs = this.#clock.monotonicNow();
    let isRefused = false;
    const result = await this.#call(
      (abortSignal) =>
        this.#sqs.send(command, { abortSignal }).catch((error) => {
          isRefused = isRefusal(error);
          throw error;
        }),
      { timeoutMs: waitSeconds * 1000 + callTimeoutMs, ...(signal && { signal }) },
    );
    if (result === undefined) return { mayRetry: !isRefused };
    const messages = (result.Messages ?? []).map(
      ({ MessageId = '', Body = '', ReceiptHandle = '', Attributes }) => ({
        id: MessageId,
        group: Attributes?.MessageGroupId ?? MessageId,
        body: Body,
        receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
        receipt: ReceiptHandle,
        firstDeliveredAtMs: Number(Attributes?.ApproximateFirstReceiveTimestamp ?? Number.POSITIVE_INFINITY),
        askedAtMs,
      }),
    );
    return { messages, mayRetry: false };
  }

  /**
   * Deletes a message. Resolves when SQS has answered. Deletions of one turn of the event loop share a call. One
   * that fails is not retried: SQS delivers the message again, which every consumer has to handle anyway.
   */
  delete(receipt: string): Promise<void> {
    if (this.#deletions.length === 0) this.#clock.setImmediate(() => void this.#deleteAll());
    return new Promise((done) => this.#deletions.push({ receipt, done }));
  }

  /**
   * Hides messages from other receivers for `seconds` from now; zero makes them visible at once. Returns the receipts of
   * those that SQS has hidden.
   */
  async setVisibility(
    receipts: readonly string[],
    seconds: number,
    timeoutMs = this.#callTimeoutMs,
  ): Promise<readonly string[]> {
    const hidden = await Promise.all(
      batches(receipts).map(async (batch) => {
        const Entries = batch.map((receipt, index) => ({
          Id: String(index),
          ReceiptHandle: receipt,
          VisibilityTimeout: seconds,
        }));
        const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.#url, Entries });
        const result = await this.#call((abortSignal) => this.#sqs.send(command, { abortSignal }), {
          timeoutMs,
        });
        this.#reportRefused(result?.Failed);
        const taken = new Set(result?.Successful?.map(({ Id }) => Id));
        return batch.filter((_, index) => taken.has(String(index)));
      }),
    );
    return hidden.flat();
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
    // Without a limit, a connection that was lost without a reset would block its caller for ever.
    const timeout = this.#clock.abortAfter(timeoutMs);
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
      this.#health = { state: 'unreachable', error, atMs: this.#clock.monotonicNow() };
      return undefined;
    }
  }

  #reportRefused(failed: readonly BatchResultErrorEntry[] = []): void {
    for (const { Code, Message } of failed) {
      this.#report({ kind: 'queue-entry-refused', queue: this.name, error: `${Code}: ${Message ?? ''}` });
    }
  }
}

/** Whether SQS has answered that it does not take the call, so that it has given no message for it. */
function isRefusal(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: unknown } } | null)?.$metadata?.httpStatusCode;
  return typeof status === 'number' && status >= 400 && status < 500;
}

function batches<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / BATCH) }, (_, index) =>
    list.slice(index * BATCH, (index + 1) * BATCH),
  );
}
