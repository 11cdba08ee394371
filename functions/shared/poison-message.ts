// Messages that no delivery succeeds with. They go to the dead letters within a second, and hold up no other message.
import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { MalformedMessage, NotInDeployment } from '../../core/messages.ts';
import type { Fate } from './batch.ts';

/** Has SQS deliver a message again at once. Rejects if SQS does not. */
export type DeliverAgain = (message: SQSRecord, signal: AbortSignal) => Promise<void>;

/** A `DeliverAgain` for the queues with these URLs. */
export function createDeliverAgain(client: SQSClient, queueUrls: readonly string[]): DeliverAgain {
  const urls = new Map(queueUrls.map((url) => [url.slice(url.lastIndexOf('/') + 1), url]));
  return async ({ eventSourceARN, receiptHandle }, abortSignal) => {
    const QueueUrl = urls.get(eventSourceARN.slice(eventSourceARN.lastIndexOf(':') + 1));
    const command = new ChangeMessageVisibilityCommand({
      QueueUrl,
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
