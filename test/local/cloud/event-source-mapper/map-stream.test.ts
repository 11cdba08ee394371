import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AttributeValue,
  DeleteItemCommand,
  DynamoDBClient,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Dynoxide, startDynoxide } from '../../../../local/cloud/dynoxide.ts';
import { openCheckpoints } from '../../../../local/cloud/event-source-mapper/checkpoints.ts';
import { mapStream, type StreamMapping } from '../../../../local/cloud/event-source-mapper/map-stream.ts';
import { wait } from '../../../../local/cloud/event-source-mapper/poll-loop.ts';
import { type Fauxqs, startFauxqs } from '../../../../local/cloud/fauxqs.ts';
import { ensureTable } from '../../../../local/cloud/table.ts';
import { createQueue, dynoxide, LOCAL, receive } from '../emulators.ts';
import { type ScriptedShard, startScriptedStream } from './scripted-stream.ts';

type Handler = (records: readonly DynamoDBRecord[]) => unknown;
type Item = Record<string, AttributeValue>;

const onDeath = (reason: string) => expect.fail(reason);
const PATIENCE = { timeout: 10_000 };

/** A new table whose records are known by their partition keys. */
async function createTable(endpoint: string) {
  const TableName = randomUUID();
  const client = new DynamoDBClient({ endpoint, ...LOCAL, maxAttempts: 1 });
  const streams = new DynamoDBStreamsClient({ endpoint, ...LOCAL, maxAttempts: 1 });
  const streamArn = await ensureTable(client, TableName);
  const keyOf = (name: string, sortKey = 'STATE') => ({ pk: { S: name }, sk: { S: sortKey } });
  return {
    streamArn,
    put: (name: string, attributes: Item = {}, sortKey?: string) =>
      client.send(new PutItemCommand({ TableName, Item: { ...keyOf(name, sortKey), ...attributes } })),
    remove: (name: string) => client.send(new DeleteItemCommand({ TableName, Key: keyOf(name) })),
    /** Maps the stream to `handler` until the end of the test; gives what the mapping reports. */
    follow: (handler: Handler, options: Partial<StreamMapping> = {}) => {
      const reports: string[] = [];
      const mapping = mapStream({
        streams,
        streamArn,
        target: { name: 'account', timeoutSeconds: 10, handler: ({ Records }) => handler(Records) },
        checkpoints: openCheckpoints(streamArn),
        report: (problem) => reports.push(problem),
        ...options,
      });
      onTestFinished(() => mapping.stop());
      return { mapping, reports };
    },
  };
}

/** Notes the names of the records of each batch, and what `answer` says to them. */
function recorder(answer: Handler = () => undefined) {
  const batches: string[][] = [];
  const handler: Handler = (records) => {
    batches.push(records.map(nameOf));
    return answer(records);
  };
  return {
    batches,
    handler,
    has: (count: number) => vi.waitUntil(() => batches.flat().length >= count, PATIENCE),
  };
}

const nameOf = ({ dynamodb }: DynamoDBRecord) => dynamodb?.Keys?.['pk']?.S ?? '';

/** Throws when the record is in the batch, as often as `times`. */
function throwingOn(name: string, times = Number.POSITIVE_INFINITY): Handler {
  let left = times;
  return (records) => {
    if (records.some((record) => nameOf(record) === name) && left-- > 0)
      throw new Error(`${name} is poisoned`);
  };
}

describe.skipIf(dynoxide.skip)(dynoxide.title('a stream mapping'), () => {
  let server: Dynoxide;
  let fauxqs: Fauxqs;
  let sqs: SQSClient;
  beforeAll(async () => {
    server = await startDynoxide({ onDeath });
    fauxqs = await startFauxqs();
    sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
  });
  afterAll(() => Promise.all([server.stop(), fauxqs.stop()]));

  it('shows records to the function as Lambda does, and none of a write that changed nothing', async () => {
    const table = await createTable(server.endpoint);
    const bytes = { b: { B: new Uint8Array([0, 255]) } };
    await table.put('item', bytes);
    await table.put('item', bytes);
    await table.put('item', { n: { N: '7' } });
    await table.remove('item');
    const records: DynamoDBRecord[] = [];
    table.follow((batch) => {
      records.push(...batch);
    });
    await vi.waitUntil(() => records.length === 3, PATIENCE);
    const keys = { pk: { S: 'item' }, sk: { S: 'STATE' } };
    const record = (eventName: string, images: object) => ({
      eventID: expect.any(String),
      eventName,
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      eventSourceARN: table.streamArn,
      awsRegion: expect.any(String),
      dynamodb: {
        ApproximateCreationDateTime: expect.toSatisfy(
          (seconds: number) => Math.abs(seconds - Date.now() / 1000) < 60,
        ),
        Keys: keys,
        SequenceNumber: expect.stringMatching(/^\d+$/),
        SizeBytes: expect.any(Number),
        StreamViewType: 'NEW_AND_OLD_IMAGES',
        ...images,
      },
    });
    const first = { ...keys, b: { B: 'AP8=' } };
    const second = { ...keys, n: { N: '7' } };
    expect(records).toEqual([
      record('INSERT', { NewImage: first }),
      record('MODIFY', { OldImage: first, NewImage: second }),
      record('REMOVE', { OldImage: second }),
    ]);
  });

  it('goes on at the lowest sequence number that the function names', async () => {
    const table = await createTable(server.endpoint);
    for (const name of ['1', '2', '3', '4']) await table.put(name);
    const { batches, handler, has } = recorder((records) => ({
      batchItemFailures: records
        .filter(() => batches.length === 1)
        .map(({ dynamodb }) => ({ itemIdentifier: dynamodb?.SequenceNumber }))
        .slice(2)
        .reverse(),
    }));
    table.follow(handler);
    await has(6);
    expect(batches).toEqual([
      ['1', '2', '3', '4'],
      ['3', '4'],
    ]);
  });

  it('halves a batch around a poisoned record, gives that up to the on-failure queue, and goes on', async () => {
    const deadLetters = await createQueue(sqs, randomUUID());
    const table = await createTable(server.endpoint);
    for (const name of ['1', '2', '3', '4']) await table.put(name);
    const { batches, handler, has } = recorder(throwingOn('3'));
    const { reports } = table.follow(handler, {
      bisectBatchOnError: true,
      maximumRetryAttempts: 2,
      onFailure: { sqs, queueUrl: deadLetters.url },
    });
    await has(12);
    await table.put('5');
    await has(13);
    expect(batches.map((batch) => batch.join(''))).toEqual(['1234', '12', '34', '3', '3', '3', '4', '5']);
    expect(JSON.parse((await receive(sqs, deadLetters)) ?? '')).toEqual({
      requestContext: {
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:account',
        condition: 'RetryAttemptsExhausted',
        approximateInvokeCount: 3,
      },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      version: '1.0',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      DDBStreamBatchInfo: {
        shardId: expect.stringContaining('shardId-'),
        startSequenceNumber: '3',
        endSequenceNumber: '3',
        approximateArrivalOfFirstRecord: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        approximateArrivalOfLastRecord: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        batchSize: 1,
        streamArn: table.streamArn,
      },
    });
    expect(reports).toContain('account failed on 4 stream records: Error: 3 is poisoned');
    expect(reports).toContain('account failed 3 times on 1 stream records: they are given up');
  });

  it('gives up nothing before the on-failure queue has taken it, and repeats nothing else meanwhile', async () => {
    const table = await createTable(server.endpoint);
    await table.put('0');
    const written = Promise.withResolvers<void>();
    const poison = throwingOn('2');
    const { batches, handler, has } = recorder((records) =>
      batches.length === 1 ? written.promise : poison(records),
    );
    const name = randomUUID();
    const { reports } = table.follow(handler, {
      bisectBatchOnError: true,
      maximumRetryAttempts: 0,
      onFailure: { sqs, queueUrl: `${fauxqs.endpoint}/000000000000/${name}` },
    });
    await has(1);
    for (const next of ['1', '2']) await table.put(next);
    written.resolve();
    await has(7);
    const deadLetters = await createQueue(sqs, name);
    expect(JSON.parse((await receive(sqs, deadLetters)) ?? '')).toMatchObject({
      DDBStreamBatchInfo: { batchSize: 1, startSequenceNumber: '3' },
    });
    await table.put('3');
    await vi.waitUntil(() => batches.at(-1)?.[0] === '3', PATIENCE);
    expect(batches.slice(0, 3)).toEqual([['0'], ['1', '2'], ['1']]);
    expect(new Set(batches.slice(3, -1).flat())).toEqual(new Set(['2']));
    expect(reports.at(-1)).toContain('can be polled again');
  });

  it('passes on only what its filter asks for, and takes the rest for settled', async () => {
    const table = await createTable(server.endpoint);
    await table.put('1', {}, 'EVENT#1');
    await table.put('2');
    await table.put('3', {}, 'EVENT#1');
    await table.put('4');
    await table.put('5', {}, 'EVENT#1');
    const { batches, handler } = recorder();
    const written: string[] = [];
    table.follow(handler, {
      filter: { dynamodb: { Keys: { sk: { S: ['STATE'] } } } },
      checkpoints: { read: () => undefined, write: (_, sequenceNumber) => written.push(sequenceNumber) },
    });
    await vi.waitUntil(() => written.at(-1) === '5', PATIENCE);
    expect(batches).toEqual([['2', '4']]);
  });

  it('makes batches of the size that is asked for', async () => {
    const table = await createTable(server.endpoint);
    for (const name of ['1', '2', '3', '4', '5']) await table.put(name);
    const { batches, handler, has } = recorder();
    table.follow(handler, { batchSize: 2 });
    await has(5);
    expect(batches).toEqual([['1', '2'], ['3', '4'], ['5']]);
  });

  it('stops between two attempts, and the next mapping tries again', async () => {
    const table = await createTable(server.endpoint);
    await table.put('1');
    await table.put('2');
    const checkpoints = openCheckpoints(table.streamArn);
    const first = recorder(throwingOn('2'));
    const { mapping } = table.follow(first.handler, { checkpoints, bisectBatchOnError: true });
    await first.has(5);
    await mapping.stop();
    expect(first.batches.slice(0, 4)).toEqual([['1', '2'], ['1'], ['2'], ['2']]);
    const second = recorder();
    table.follow(second.handler, { checkpoints });
    await second.has(1);
    expect(second.batches).toEqual([['2']]);
  });

  it('goes on at its checkpoint after a restart of everything, with nothing lost and nothing twice', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const databaseFile = join(directory, 'dynamodb.db');
    const checkpointFile = join(directory, 'account.json');
    const before = await startDynoxide({ databaseFile, onDeath });
    const table = await createTable(before.endpoint);
    const first = recorder();
    const { mapping } = table.follow(first.handler, {
      checkpoints: openCheckpoints(table.streamArn, checkpointFile),
    });
    await table.put('1');
    await first.has(1);
    await mapping.stop();
    await table.put('2');
    await before.stop();

    const port = Number(new URL(before.endpoint).port);
    const after = await startDynoxide({ databaseFile, port, onDeath });
    onTestFinished(after.stop);
    const second = recorder();
    table.follow(second.handler, { checkpoints: openCheckpoints(table.streamArn, checkpointFile) });
    await second.has(1);
    await table.put('3');
    await second.has(2);
    expect(first.batches).toEqual([['1']]);
    expect(second.batches).toEqual([['2'], ['3']]);
  });

  it('goes on when DynamoDB is back', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const databaseFile = join(directory, 'dynamodb.db');
    const before = await startDynoxide({ databaseFile, onDeath });
    const table = await createTable(before.endpoint);
    const { batches, handler, has } = recorder();
    const { reports } = table.follow(handler);
    await table.put('1');
    await has(1);
    await before.stop();
    await vi.waitUntil(() => reports.length === 1, PATIENCE);

    const port = Number(new URL(before.endpoint).port);
    const after = await startDynoxide({ databaseFile, port, onDeath });
    onTestFinished(after.stop);
    await table.put('2');
    await has(2);
    await vi.waitUntil(() => reports.length === 2, PATIENCE);
    expect(batches).toEqual([['1'], ['2']]);
    expect(reports).toEqual([
      expect.stringContaining('cannot be polled, retrying: '),
      expect.stringContaining('can be polled again'),
    ]);
  });
});

describe('a stream mapping of a stream with several shards', () => {
  it('reads a child after its parent, and finds shards that are born later', async () => {
    const parent: ScriptedShard = { id: 'shardId-1', records: ['1'], closed: false };
    const child: ScriptedShard = { id: 'shardId-2', parent: parent.id, records: ['3'], closed: false };
    const shards = [child, parent];
    const { endpoint, stop } = await startScriptedStream(shards);
    onTestFinished(stop);
    const { batches, handler, has } = recorder();
    const mapping = mapStream({
      streams: new DynamoDBStreamsClient({ endpoint, ...LOCAL }),
      streamArn: 'stream',
      target: { name: 'account', timeoutSeconds: 10, handler: ({ Records }) => handler(Records) },
      checkpoints: openCheckpoints('stream'),
      report: (problem) => expect.fail(problem),
      delay: (_, stopping) => wait(5, stopping),
    });
    onTestFinished(() => mapping.stop());
    await has(1);
    parent.records.push('2');
    await has(2);
    parent.closed = true;
    await has(3);
    child.closed = true;
    shards.push({ id: 'shardId-3', parent: child.id, records: ['4'], closed: false });
    await has(4);
    expect(batches.flat()).toEqual(['1', '2', '3', '4']);
  });

  it('has what is done with trimmed every 1,000 records, never above its checkpoint', async () => {
    const numbers = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
    const shard: ScriptedShard = { id: 'shardId-1', records: numbers(1, 999), closed: false };
    const { endpoint, stop } = await startScriptedStream([shard]);
    onTestFinished(stop);
    const { handler, has } = recorder();
    const checkpoints = openCheckpoints('stream');
    const trimmed: (readonly [string, string, string | undefined])[] = [];
    const mapping = mapStream({
      streams: new DynamoDBStreamsClient({ endpoint, ...LOCAL }),
      streamArn: 'stream',
      target: { name: 'account', timeoutSeconds: 10, handler: ({ Records }) => handler(Records) },
      checkpoints,
      trim: (shardId, number) => trimmed.push([shardId, number, checkpoints.read(shardId)]),
      report: (problem) => expect.fail(problem),
      delay: (_, stopping) => wait(5, stopping),
    });
    onTestFinished(() => mapping.stop());
    await has(999);
    shard.records.push(...numbers(1_000, 1_500));
    await has(1_500);
    await vi.waitUntil(() => trimmed.length > 0, PATIENCE);
    expect(trimmed).toEqual([['shardId-1', '1500', '1500']]);
  });

  it('refuses a filter that it does not understand before it polls', () => {
    const mapping = () =>
      mapStream({
        streams: new DynamoDBStreamsClient(LOCAL),
        streamArn: 'stream',
        target: { name: 'account', timeoutSeconds: 10, handler: () => undefined },
        checkpoints: openCheckpoints('stream'),
        report: (problem) => expect.fail(problem),
        filter: { eventName: [{ prefix: 'INS' }] },
      });
    expect(mapping).toThrow('the filter on eventName must list strings');
  });
});
