// A batch of messages of SQS. Those that no delivery succeeds with go to the dead letters within a second, and hold up no other
// message.
import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { MalformedMessage, NotInDeployment } from '../../core/messages.ts';
import { type Fate, processBatch } from './batch.ts';

export interface MessageHandling {
  /** After so many deliveries the queue moves a message to the dead letters. */
  readonly maxReceiveCount: number;
  /** @default a message that cannot be read comes again after the visibility timeout */
  readonly deliverAgain?: DeliverAgain | undefined;
  /** Rejects if the message has to be delivered again. `signal` aborts 1 s before the function's timeout. */
  process(message: SQSRecord, signal: AbortSignal): Promise<void>;
  /** Called with each message that is delivered again. */
  onFailure(message: SQSRecord, error: unknown): void;
}

/** Processes what an invocation brings: message groups side by side, the messages of one in their order. It never rejects. */
export function processMessages(
  { Records: records }: SQSEvent,
  context: Context,
  { maxReceiveCount, deliverAgain, process, onFailure }: MessageHandling,
): Promise<SQSBatchResponse> {
  return processBatch(
    {
      records,
      groupOf: ({ attributes, messageId }) => attributes.MessageGroupId ?? messageId,
      idOf: ({ messageId }) => messageId,
      process,
      fateOf: (message, error, signal) =>
        fateOfMessage(message, error, { maxReceiveCount, deliverAgain }, signal),
      onFailure,
    },
    context.getRemainingTimeInMillis(),
  );
}

/** Has SQS deliver a message again at once. Rejects if SQS does not. */
export type DeliverAgain = (message: SQSRecord, signal: AbortSignal) => Promise<void>;

/** A `DeliverAgain` for the queues beside that with the URL `queueUrl`: those of the same account and Region. */
export function createDeliverAgain(client: SQSClient, queueUrl: string): DeliverAgain {
  const beside = queueUrl.slice(0, queueUrl.lastIndexOf('/') + 1);
  return async ({ eventSourceARN, receiptHandle }, abortSignal) => {
    const command = new ChangeMessageVisibilityCommand({
      QueueUrl: `${beside}${eventSourceARN.slice(eventSourceARN.lastIndexOf(':') + 1)}`,
      ReceiptHandle: receiptHandle,
      VisibilityTimeout: 0,
    });
    await client.send(command, { abortSignal });
  };
}

/**
 * What becomes of a message that failed, of a queue that moves it to the dead letters after `maxReceiveCount` deliveries. One
 * that cannot be read is delivered so often without a pause. On its last delivery a message blocks no other one: those behind it
 * have been delivered as often, and would go to the dead letters with it.
 */
export async function fateOfMessage(
  message: SQSRecord,
  error: unknown,
  {
    maxReceiveCount,
    deliverAgain,
  }: { readonly maxReceiveCount: number; readonly deliverAgain: DeliverAgain | undefined },
  signal: AbortSignal,
): Promise<Fate> {
  if (error instanceof MalformedMessage && !(error instanceof NotInDeployment)) {
    // If SQS does not take this, the message comes again after the visibility timeout.
    await deliverAgain?.(message, signal).catch(() => {});
    return 'passes';
  }
  return Number(message.attributes.ApproximateReceiveCount) >= maxReceiveCount ? 'passes' : 'blocks';
}
