// Sends messages to FIFO queues: all of them, or an error.
import {
  type BatchResultErrorEntry,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { DynamoDBRecord } from 'aws-lambda';
import { writeMessage } from '../../core/messages.ts';

/** SQS takes at most 10 messages in a batch. */
const MAX_ENTRIES = 10;

/** A message for a FIFO queue. */
export interface OutgoingMessage {
  readonly body: object;
  /** The message group, whose order SQS keeps. */
  readonly group: string;
  /** SQS drops a second message with the same identifier for 5 minutes. */
  readonly deduplicationId: string;
}

/**
 * Sends `messages` in order, in batches.
 * @throws Error when SQS did not take all of them. The batches after that are not sent.
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
    if (first !== undefined) throw notTakenError(first);
  }
}

/** The error for a message that SQS did not take. */
export function notTakenError({ Code, Message = '' }: BatchResultErrorEntry): Error {
  return new Error(`SQS did not take a message: ${Code} ${Message}`);
}

/** The site has no queue of that kind. Only a deployment makes one. */
export class NoQueue extends Error {
  override readonly name = 'NoQueue';
}

/**
 * A function that sends to the queue of a site. `urls` has the queue's URL by site; `what` names these queues in an
 * error. The function rejects if the site has no queue, or if SQS did not take all messages.
 */
export function createSiteSender(client: SQSClient, urls: Readonly<Record<string, string>>, what: string) {
  return async (site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void> => {
    const queueUrl = urls[site];
    if (queueUrl === undefined) throw new NoQueue(`there is no ${what} of the site ${site}`);
    await sendMessages(client, queueUrl, messages, signal);
  };
}

/** Puts a record of the stream into a queue, with the reason. Rejects if SQS did not take it. */
export type SetAside = (record: DynamoDBRecord, reason: string, signal: AbortSignal) => Promise<void>;

/** A `SetAside` to the queue with that URL. Its message is an event with which account can be invoked later. */
export function createSetAside(client: SQSClient, queueUrl: string): SetAside {
  return async (record, reason, abortSignal) => {
    const MessageBody = writeMessage({ kind: 'set-aside', reason, Records: [record] });
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }), { abortSignal });
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
