// The event source mapping from an SQS queue, FIFO or not, to a function with ReportBatchItemFailures.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSMessageAttribute, SQSRecord } from 'aws-lambda';
import { invokeBatch, type LambdaFunction } from './lambda-function.ts';
import { type Mapping, type Surroundings, startPollLoop } from './poll-loop.ts';

export interface QueueMapping extends Surroundings {
  readonly sqs: SQSClient;
  readonly queue: { readonly url: string; readonly arn: string };
  readonly target: LambdaFunction<SQSRecord>;
  /** Messages in a batch, at most 10. @default 10 */
  readonly batchSize?: number;
  /** Invocations at a time. SQS holds back a group while one of its messages is in flight. @default 10 */
  readonly maximumConcurrency?: number;
  /** How long until a failed message is delivered again. @default the queue's visibility timeout */
  readonly retryDelaySeconds?: number;
}

/** Short, since stop() waits for the poll: an aborted poll could hide messages for a visibility timeout. */
const LONG_POLL_SECONDS = 1;

/** Starts to poll the queue and to invoke the function. */
export function mapQueue(mapping: QueueMapping): Mapping {
  const { sqs, queue, target, batchSize = 10, maximumConcurrency = 10, retryDelaySeconds, report } = mapping;
  const QueueUrl = queue.url;
  const name = queue.arn.slice(queue.arn.lastIndexOf(':') + 1);

  const remove = async (records: readonly SQSRecord[]) => {
    if (records.length === 0) return;
    const { Failed: [first] = [] } = await sqs.send(
      new DeleteMessageBatchCommand({ QueueUrl, Entries: records.map(entry) }),
    );
    if (first !== undefined) throw new Error(`${first.Code} ${first.Message ?? ''}`);
  };
  const retryLater = async (records: readonly SQSRecord[]) => {
    if (records.length === 0 || retryDelaySeconds === undefined) return;
    const Entries = records.map((record, index) => ({
      ...entry(record, index),
      VisibilityTimeout: retryDelaySeconds,
    }));
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  };
  const deliver = async (records: readonly SQSRecord[]) => {
    const { done, failed, error } = await invokeBatch(target, records, messageId);
    if (error !== undefined)
      report(`${target.name} failed on ${records.length} messages of ${name}: ${error}`);
    try {
      await Promise.all([remove(done), retryLater(failed)]);
    } catch (problem) {
      report(
        `${name} cannot be updated for ${records.length} messages, which may be delivered again: ${problem}`,
      );
    }
  };

  const running = new Set<Promise<void>>();
  const polling = startPollLoop(name, mapping, async (stopping) => {
    if (running.size >= maximumConcurrency) await Promise.race(running);
    if (stopping.aborted) return 'end';
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: batchSize,
        WaitTimeSeconds: LONG_POLL_SECONDS,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    if (Messages.length === 0) return 'again';
    const batch = deliver(Messages.map((message) => sqsRecord(message, queue.arn)));
    running.add(batch);
    batch.finally(() => running.delete(batch));
    return 'again';
  });
  return {
    stop: async () => {
      await polling.stop();
      await Promise.all(running);
    },
  };
}

/** A received message as Lambda passes it to the function. */
export function sqsRecord(message: Message, queueArn: string): SQSRecord {
  const { MessageId = '', ReceiptHandle = '', Body = '', MD5OfBody = '', MD5OfMessageAttributes } = message;
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: { ...message.Attributes } as SQSRecord['attributes'],
    messageAttributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [name, messageAttribute(value)]),
    ),
    md5OfBody: MD5OfBody,
    ...(MD5OfMessageAttributes !== undefined && { md5OfMessageAttributes: MD5OfMessageAttributes }),
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: queueArn.split(':')[3] ?? '',
  };
}

function messageAttribute({
  DataType = '',
  StringValue,
  BinaryValue,
}: MessageAttributeValue): SQSMessageAttribute {
  return {
    ...(StringValue !== undefined && { stringValue: StringValue }),
    ...(BinaryValue !== undefined && { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
    stringListValues: [],
    binaryListValues: [],
    dataType: DataType,
  };
}

function messageId(record: SQSRecord): string {
  return record.messageId;
}

function entry({ receiptHandle }: SQSRecord, index: number) {
  return { Id: String(index), ReceiptHandle: receiptHandle };
}
