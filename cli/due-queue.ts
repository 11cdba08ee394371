// Sends to the due queue, as operators do: it is found by its name, which is the same wherever Interlock runs.
import { GetQueueUrlCommand, SendMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { DUE_QUEUE_NAME } from '../core/cloud/queues.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { type ResyncMessage, writeMessage } from '../core/messages.ts';

/** Rejects with a ConfigurationError if the queue is not there, or does not take the message. */
export type SendToDueQueue = (message: ResyncMessage) => Promise<void>;

export function createDueSender(config: SQSClientConfig): SendToDueQueue {
  // Without this, a client sends to the host in the URL of a queue: an emulator may have had another port.
  const client = new SQSClient({ ...config, useQueueUrlAsEndpoint: false });
  return async (message) => {
    try {
      const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: DUE_QUEUE_NAME }));
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: writeMessage(message) }));
    } catch (error) {
      throw new ConfigurationError([`cannot send to the queue ${DUE_QUEUE_NAME}: ${error}`]);
    }
  };
}
