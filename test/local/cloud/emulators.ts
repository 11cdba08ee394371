// What the tests in this room need of the emulators.
import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { findDynoxide } from '../../../local/cloud/dynoxide.ts';
import type { Queue } from '../../../local/cloud/queues.ts';
import { peer } from '../../system/peers/require-peer.ts';

export const LOCAL = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

export const dynoxide = peer('the package @dynoxide for this machine', hasDynoxide());

function hasDynoxide(): boolean {
  try {
    return findDynoxide() !== '';
  } catch {
    return false;
  }
}

/** A new queue. */
export function createFifoQueue(
  sqs: SQSClient,
  attributes: Readonly<Record<string, string>> = {},
): Promise<Queue> {
  return createQueue(sqs, `${randomUUID()}.fifo`, { FifoQueue: 'true', ...attributes });
}

export async function createQueue(
  sqs: SQSClient,
  name: string,
  attributes: Readonly<Record<string, string>> = {},
): Promise<Queue> {
  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
  );
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  return { url: QueueUrl, arn: Attributes?.QueueArn ?? '' };
}

export async function send(sqs: SQSClient, queue: Queue, group: string, body: string): Promise<void> {
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: queue.url,
      MessageBody: body,
      MessageGroupId: group,
      MessageDeduplicationId: randomUUID(),
    }),
  );
}

/** The next message's body, which is waited for. */
export async function receive(sqs: SQSClient, queue: Queue): Promise<string | undefined> {
  const { Messages } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl: queue.url, WaitTimeSeconds: 10 }),
  );
  return Messages?.[0]?.Body;
}

/** How many messages wait or are in somebody's hands. */
export async function messagesIn(sqs: SQSClient, queue: Queue): Promise<number> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ['All'] }),
  );
  return (
    Number(Attributes['ApproximateNumberOfMessages']) +
    Number(Attributes['ApproximateNumberOfMessagesNotVisible'])
  );
}
