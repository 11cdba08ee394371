import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { startFauxqs as startServer } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { mapQueue } from '../../../../local/cloud/event-source-mapper/map-queue.ts';
import type { Mapping } from '../../../../local/cloud/event-source-mapper/poll-loop.ts';
import { type Fauxqs, startFauxqs } from '../../../../local/cloud/fauxqs.ts';
import type { Queue } from '../../../../local/cloud/queues.ts';
import { createFifoQueue, LOCAL, messagesIn, receive, send } from '../emulators.ts';

let fauxqs: Fauxqs;
let sqs: SQSClient;
const mappings: Mapping[] = [];
beforeAll(async () => {
  fauxqs = await startFauxqs();
  sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
});
afterAll(async () => {
  await Promise.all(mappings.map((mapping) => mapping.stop()));
  await fauxqs.stop();
});

type Handler = (records: readonly SQSRecord[]) => unknown;

interface StartOptions {
  readonly sqs?: SQSClient;
  readonly batchSize?: number;
  readonly maximumConcurrency?: number;
  readonly timeoutSeconds?: number;
  /** @default at once */
  readonly failedComeAgain?: 'after the visibility timeout';
}

/** Maps the queue to `handler` until the end of the tests; gives what the mapping reports. */
function start(queue: Queue, handler: Handler, options: StartOptions = {}) {
  const { timeoutSeconds = 10, failedComeAgain, ...rest } = options;
  const reports: string[] = [];
  const mapping = mapQueue({
    sqs,
    queue,
    target: { name: 'decide', timeoutSeconds, handler: ({ Records }) => handler(Records) },
    ...(failedComeAgain === undefined && { retryDelaySeconds: 0 }),
    report: (problem) => reports.push(problem),
    ...rest,
  });
  mappings.push(mapping);
  return { mapping, reports };
}

const bodies = (records: readonly SQSRecord[]) => records.map(({ body }) => body);

/** Names the records whose body is `body`, as often as `times`. */
function failing(body: string, times = Number.POSITIVE_INFINITY) {
  let left = times;
  return (records: readonly SQSRecord[]) => ({
    batchItemFailures: records
      .filter((record) => record.body === body && left-- > 0)
      .map(({ messageId }) => ({ itemIdentifier: messageId })),
  });
}

const isEmpty = (queue: Queue) =>
  vi.waitFor(async () => expect(await messagesIn(sqs, queue)).toBe(0), { timeout: 10_000 });

describe('a queue mapping', () => {
  it('shows a message to the function as Lambda does', async () => {
    const queue = await createFifoQueue(sqs);
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: queue.url,
        MessageBody: '{"kind":"request"}',
        MessageGroupId: 'a group',
        MessageDeduplicationId: 'an id',
        MessageAttributes: {
          text: { DataType: 'String', StringValue: 'word' },
          bytes: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255]) },
        },
      }),
    );
    const [record] = await new Promise<readonly SQSRecord[]>((resolve) => start(queue, resolve));
    expect(record).toEqual({
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      receiptHandle: expect.stringMatching(/./),
      body: '{"kind":"request"}',
      attributes: {
        ApproximateReceiveCount: '1',
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        SenderId: expect.any(String),
        MessageGroupId: 'a group',
        MessageDeduplicationId: 'an id',
        SequenceNumber: expect.stringMatching(/^\d{20}$/),
      },
      messageAttributes: {
        text: { dataType: 'String', stringValue: 'word', stringListValues: [], binaryListValues: [] },
        bytes: { dataType: 'Binary', binaryValue: 'AP8=', stringListValues: [], binaryListValues: [] },
      },
      md5OfBody: expect.stringMatching(/^[0-9a-f]{32}$/),
      md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventSource: 'aws:sqs',
      eventSourceARN: queue.arn,
      awsRegion: 'us-east-1',
    });
  });

  it('keeps the messages that the function names and deletes the others', async () => {
    const queue = await createFifoQueue(sqs);
    for (const name of ['one', 'two', 'three']) await send(sqs, queue, name, name);
    const batches: string[][] = [];
    const fail = failing('two', 1);
    start(queue, (records) => {
      batches.push(bodies(records));
      return fail(records);
    });
    await isEmpty(queue);
    expect(batches.flat().toSorted()).toEqual(['one', 'three', 'two', 'two']);
  });

  it('keeps all messages of a batch when the function throws', async () => {
    const queue = await createFifoQueue(sqs);
    for (const name of ['one', 'two']) await send(sqs, queue, name, name);
    const counts: string[] = [];
    const { reports } = start(queue, (records) => {
      counts.push(...records.map(({ body, attributes }) => `${body} ${attributes.ApproximateReceiveCount}`));
      if (records.some(({ attributes }) => attributes.ApproximateReceiveCount === '1'))
        throw new Error('broken');
    });
    await isEmpty(queue);
    expect(counts.toSorted()).toEqual(['one 1', 'one 2', 'two 1', 'two 2']);
    expect(reports[0]).toMatch(/^decide failed on \d messages of [0-9a-f-]+\.fifo: Error: broken$/);
  });

  it('keeps all messages of a batch when the function does not come back in time', async () => {
    const queue = await createFifoQueue(sqs);
    await send(sqs, queue, 'group', 'slow');
    let invocations = 0;
    const { reports } = start(queue, () => (++invocations === 1 ? new Promise(() => {}) : undefined), {
      timeoutSeconds: 0.02,
    });
    await isEmpty(queue);
    expect(invocations).toBe(2);
    expect(reports[0]).toContain('timed out after 0.02 seconds');
  });

  it('leaves a failed message to the visibility timeout unless it is told otherwise', async () => {
    const queue = await createFifoQueue(sqs, { VisibilityTimeout: '1' });
    await send(sqs, queue, 'group', 'message');
    const counts: string[] = [];
    const fail = failing('message', 1);
    const handler: Handler = (records) => {
      counts.push(...records.map(({ attributes }) => attributes.ApproximateReceiveCount));
      return fail(records);
    };
    start(queue, handler, { failedComeAgain: 'after the visibility timeout' });
    await isEmpty(queue);
    expect(counts).toEqual(['1', '2']);
  });

  it('keeps the order of a group around a message that fails', async () => {
    const queue = await createFifoQueue(sqs);
    for (const body of ['1', '2', '3', '4', '5']) await send(sqs, queue, 'group', body);
    const seen: string[] = [];
    const fail = failing('2', 2);
    start(queue, (records) => {
      seen.push(...bodies(records));
      return fail(records);
    });
    await isEmpty(queue);
    expect(seen).toEqual(['1', '2', '2', '2', '3', '4', '5']);
  });

  it('leaves a poisoned message to the dead-letter queue, and only its own group waits for that', async () => {
    const deadLetters = await createFifoQueue(sqs);
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount: 3 });
    const queue = await createFifoQueue(sqs, { RedrivePolicy });
    const seen: string[] = [];
    const other = Promise.withResolvers<void>();
    await send(sqs, queue, 'poisoned', 'poison');
    await send(sqs, queue, 'poisoned', 'after it');
    start(queue, async (records) => {
      seen.push(...bodies(records));
      if (bodies(records).includes('of another group')) other.resolve();
      // Fails for the third time when the other group has got through.
      if (seen.filter((body) => body === 'poison').length === 3) await other.promise;
      return failing('poison')(records);
    });
    await vi.waitUntil(() => seen.length === 3, { timeout: 10_000 });
    await send(sqs, queue, 'healthy', 'of another group');
    expect(await receive(sqs, deadLetters)).toBe('poison');
    await isEmpty(queue);
    expect(seen).toEqual(['poison', 'poison', 'poison', 'of another group', 'after it']);
  });

  it('invokes the function for several groups side by side, as often as it may', async () => {
    const queue = await createFifoQueue(sqs);
    const release = Promise.withResolvers<void>();
    let inside = 0;
    let most = 0;
    start(
      queue,
      async () => {
        most = Math.max(most, ++inside);
        await release.promise;
        inside -= 1;
      },
      { batchSize: 1, maximumConcurrency: 2 },
    );
    for (const group of ['one', 'two', 'three', 'four']) await send(sqs, queue, group, group);
    await vi.waitUntil(() => inside === 2, { timeout: 10_000 });
    release.resolve();
    await isEmpty(queue);
    expect(most).toBe(2);
  });

  it('finishes what is in hand before it stops', async () => {
    const queue = await createFifoQueue(sqs);
    await send(sqs, queue, 'group', 'message');
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { mapping } = start(queue, () => {
      started.resolve();
      return release.promise;
    });
    await started.promise;
    const stopped = mapping.stop();
    expect(await messagesIn(sqs, queue)).toBe(1);
    release.resolve();
    await stopped;
    expect(await messagesIn(sqs, queue)).toBe(0);
  });

  it('reports that SQS does not take what became of a batch', async () => {
    const server = await startServer({ port: 0, logger: false });
    const endpoint = `http://127.0.0.1:${server.port}`;
    const client = new SQSClient({ endpoint, ...LOCAL, useQueueUrlAsEndpoint: false, maxAttempts: 1 });
    const queue = await createFifoQueue(client);
    await send(client, queue, 'group', 'message');
    const { reports } = start(queue, () => server.stop(), { sqs: client });
    const report = expect.stringContaining(
      'cannot be updated for 1 messages, which may be delivered again: ',
    );
    await vi.waitFor(() => expect(reports).toContainEqual(report), { timeout: 10_000 });
  });

  it('goes on when SQS is back', async () => {
    const first = await startServer({ port: 0, logger: false });
    const endpoint = `http://127.0.0.1:${first.port}`;
    const client = new SQSClient({ endpoint, ...LOCAL, useQueueUrlAsEndpoint: false, maxAttempts: 1 });
    const queue = await createFifoQueue(client);
    await first.stop();

    const seen: string[] = [];
    const { reports } = start(queue, (records) => seen.push(...bodies(records)) && undefined, {
      sqs: client,
    });
    await vi.waitUntil(() => reports.length === 1, { timeout: 10_000 });
    const second = await startServer({ port: first.port, logger: false });
    onTestFinished(() => second.stop());
    second.createQueue(nameOf(queue));
    await send(client, queue, 'group', 'message');
    await vi.waitUntil(() => seen.length === 1, { timeout: 10_000 });
    expect(reports).toEqual([
      expect.stringContaining(`${nameOf(queue)} cannot be polled, retrying: `),
      `${nameOf(queue)} can be polled again`,
    ]);
  });
});

function nameOf({ arn }: Queue): string {
  return arn.slice(arn.lastIndexOf(':') + 1);
}
