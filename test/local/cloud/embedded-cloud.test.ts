import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { QUEUES, queueName } from '../../../core/cloud/queues.ts';
import { TABLE } from '../../../core/cloud/table.ts';
import { startDynoxide } from '../../../local/cloud/dynoxide.ts';
import { type EmbeddedCloud, startEmbeddedCloud } from '../../../local/cloud/embedded-cloud.ts';
import { dynoxide, LOCAL, receive, send } from './emulators.ts';

const onDeath = (reason: string) => expect.fail(reason);

describe.skipIf(dynoxide.skip)(dynoxide.title('the embedded cloud'), () => {
  let cloud: EmbeddedCloud;
  beforeAll(async () => {
    cloud = await startEmbeddedCloud({ sites: ['east', 'west'], onDeath });
  });
  afterAll(() => cloud.stop());

  it('has the table with its stream and its sparse indexes', async () => {
    const { Table } = await new DynamoDBClient(cloud.dynamodb).send(
      new DescribeTableCommand({ TableName: cloud.tableName }),
    );
    expect(Table).toMatchObject({
      TableName: 'interlock',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'dueBucket', KeyType: 'HASH' },
            { AttributeName: 'dueAtMs', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
        ...['nas', ...Object.values(TABLE.lookUpIndexes)].map((IndexName) => ({
          IndexName,
          KeySchema: [{ KeyType: 'HASH' }, { AttributeName: 'pk', KeyType: 'RANGE' }],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        })),
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      LatestStreamArn: cloud.streamArn,
    });
  });

  it.each(['inbox', 'outcomes', 'outbox', 'accounting'] as const)('has the %s of a site', async (role) => {
    const { fifo, visibilityTimeoutSeconds, maxReceiveCount, retentionSeconds } = QUEUES[role];
    const queue = cloud.queues['east']?.[role];
    const { Attributes } = await new SQSClient(cloud.sqs).send(
      new GetQueueAttributesCommand({ QueueUrl: queue?.url, AttributeNames: ['All'] }),
    );
    const account = 'arn:aws:sqs:us-east-1:000000000000';
    const deadLetterTargetArn = `${account}:${queueName('east', role, 'dead-letters')}`;
    expect(queue?.deadLetters.arn).toBe(deadLetterTargetArn);
    expect(Attributes).toMatchObject({
      QueueArn: `${account}:${queueName('east', role)}`,
      VisibilityTimeout: String(visibilityTimeoutSeconds),
      MessageRetentionPeriod: String(retentionSeconds ?? 14 * 24 * 60 * 60),
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }),
    });
    expect(Attributes?.FifoQueue).toBe(fifo ? 'true' : undefined);
  });

  it('gives each site queues of its own', () => {
    expect(Object.keys(cloud.queues)).toEqual(['east', 'west']);
    expect(cloud.queues['west']?.inbox.arn).toBe('arn:aws:sqs:us-east-1:000000000000:west-inbox.fifo');
  });

  it('has expired items deleted, as far as its DynamoDB does that', async () => {
    const { TimeToLiveDescription } = await new DynamoDBClient(cloud.dynamodb).send(
      new DescribeTimeToLiveCommand({ TableName: cloud.tableName }),
    );
    expect(TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expiresAtSeconds' });
  });

  it('is there for this machine alone', async () => {
    const health = (host: string) => fetch(`http://${host}:${new URL(cloud.sqs.endpoint).port}/health`);
    expect((await health('127.0.0.1')).status).toBe(200);
    await expect(health('127.0.0.2')).rejects.toThrow('fetch failed');
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('an embedded cloud with a data directory'), () => {
  it('has its items, its messages and its stream again after a restart', async () => {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(dataDirectory, { recursive: true }));
    const Key = { pk: { S: 'one' }, sk: { S: 'STATE' } };

    const before = await startEmbeddedCloud({ sites: ['east'], dataDirectory, onDeath });
    await new DynamoDBClient(before.dynamodb).send(new PutItemCommand({ TableName: 'interlock', Item: Key }));
    await send(new SQSClient(before.sqs), inboxOf(before), 'group', 'kept');
    await before.stop();

    const after = await startEmbeddedCloud({ sites: ['east'], dataDirectory, onDeath });
    onTestFinished(after.stop);
    const { Item } = await new DynamoDBClient(after.dynamodb).send(
      new GetItemCommand({ TableName: 'interlock', Key }),
    );
    expect(Item).toEqual(Key);
    expect(await receive(new SQSClient(after.sqs), inboxOf(after))).toBe('kept');
    expect(after.streamArn).toBe(before.streamArn);
    expect(inboxOf(after).url).toBe(`${after.sqs.endpoint}/000000000000/east-inbox.fifo`);
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('an embedded cloud with a DynamoDB of the user'), () => {
  it('makes its table there and leaves it running', async () => {
    const own = await startDynoxide({ onDeath });
    onTestFinished(own.stop);
    const cloud = await startEmbeddedCloud({ sites: ['east'], dynamodbEndpoint: own.endpoint, onDeath });
    expect(cloud.dynamodb.endpoint).toBe(own.endpoint);
    await cloud.stop();
    const { TableNames } = await new DynamoDBClient({ endpoint: own.endpoint, ...LOCAL }).send(
      new ListTablesCommand(),
    );
    expect(TableNames).toEqual(['interlock']);
  });

  it('refuses a table without a stream of both images, and stops what it has started', async () => {
    const own = await startDynoxide({ onDeath });
    onTestFinished(own.stop);
    const table = { TableName: 'interlock', BillingMode: 'PAY_PER_REQUEST' } as const;
    const AttributeDefinitions = [{ AttributeName: 'pk', AttributeType: 'S' } as const];
    const KeySchema = [{ AttributeName: 'pk', KeyType: 'HASH' } as const];
    await new DynamoDBClient({ endpoint: own.endpoint, ...LOCAL }).send(
      new CreateTableCommand({ ...table, AttributeDefinitions, KeySchema }),
    );
    const servers = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    const before = servers();
    await expect(
      startEmbeddedCloud({ sites: ['east'], dynamodbEndpoint: own.endpoint, onDeath }),
    ).rejects.toThrow('the table interlock has no stream with new and old images');
    await vi.waitFor(() => expect(servers()).toBe(before));
  });

  it('refuses a table with the index of 0.1.0, in which sweep would find nothing', async () => {
    const own = await startDynoxide({ onDeath });
    onTestFinished(own.stop);
    const key = (name: string, KeyType: 'HASH' | 'RANGE') => ({ AttributeName: name, KeyType });
    const text = (name: string) => ({ AttributeName: name, AttributeType: 'S' }) as const;
    await new DynamoDBClient({ endpoint: own.endpoint, ...LOCAL }).send(
      new CreateTableCommand({
        TableName: 'interlock',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          ...['pk', 'sk', 'dueBucket'].map(text),
          { AttributeName: 'dueAt', AttributeType: 'N' },
        ],
        KeySchema: [key('pk', 'HASH'), key('sk', 'RANGE')],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'due',
            KeySchema: [key('dueBucket', 'HASH'), key('dueAt', 'RANGE')],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      }),
    );
    await expect(
      startEmbeddedCloud({ sites: ['east'], dynamodbEndpoint: own.endpoint, onDeath }),
    ).rejects.toThrow('the table interlock has no index due on dueBucket and dueAtMs');
  });
});

function inboxOf(cloud: EmbeddedCloud) {
  const inbox = cloud.queues['east']?.inbox;
  if (inbox === undefined) throw new Error('the site east has no inbox');
  return inbox;
}
