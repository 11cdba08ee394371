// Sending to FIFO queues: all of it or an error, never a part in silence.
import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { writeMessage } from '../../core/messages.ts';

const MAX_ENTRIES = 10;

export interface OutgoingMessage {
  readonly body: object;
  /** What keeps its order, and what makes a second sending of the same thing vanish. */
  readonly group: string;
  readonly deduplicationId: string;
}

/**
 * Sends `messages` in order.
 * @throws Error when SQS did not take all of them; what follows a message that was not taken is not sent.
 */
async function sendMessages(
  client: SQSClient,
  queueUrl: string,
  messages: readonly OutgoingMessage[],
  abortSignal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < messages.length; start += MAX_ENTRIES) {
    const Entries = messages.slice(start, start + MAX_ENTRIES).map(entry);
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }), {
      abortSignal,
    });
    const [first] = Failed;
    if (first !== undefined)
      throw new Error(`SQS did not take a message: ${first.Code} ${first.Message ?? ''}`);
  }
}

/** Sends to the queue that `urls` has for a site. `what` names these queues in an error. */
export function createSiteSender(client: SQSClient, urls: Readonly<Record<string, string>>, what: string) {
  return async (site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void> => {
    const queueUrl = urls[site];
    if (queueUrl === undefined) throw new Error(`there is no ${what} of the site ${site}`);
    await sendMessages(client, queueUrl, messages, signal);
  };
}

function entry(
  { body, group, deduplicationId }: OutgoingMessage,
  index: number,
): SendMessageBatchRequestEntry {
  return {
    Id: String(index),
    MessageBody: writeMessage(body),
    MessageGroupId: group,
    MessageDeduplicationId: deduplicationId,
  };
}
