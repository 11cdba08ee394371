// The table of the deployed stack, on any DynamoDB endpoint.
import { isDeepStrictEqual } from 'node:util';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  type KeySchemaElement,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { INDEXES, type IndexShape, TABLE } from '../../core/cloud/table.ts';
import { ConfigurationError } from '../../core/config/problems.ts';

const STREAM_VIEW = 'NEW_AND_OLD_IMAGES';

/**
 * Creates the table if it is missing, and gives the ARN of its stream. Time to live is enabled; the embedded DynamoDB
 * deletes nothing all the same.
 * @throws ConfigurationError when the table exists without a stream of both images, or without the indexes of this release.
 */
export async function ensureTable(client: DynamoDBClient, tableName: string): Promise<string> {
  const { partitionKey, sortKey } = TABLE;
  const keys = new Map<string, 'S' | 'N'>([
    [partitionKey, 'S'],
    [sortKey, 'S'],
    ...INDEXES.flatMap((index) => [
      [index.partitionKey, 'S'] as const,
      [index.sortKey.name, index.sortKey.type] as const,
    ]),
  ]);
  try {
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [...keys].map(([AttributeName, AttributeType]) => ({
          AttributeName,
          AttributeType,
        })),
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
        GlobalSecondaryIndexes: INDEXES.map(keysOnlyIndex),
        StreamSpecification: { StreamEnabled: true, StreamViewType: STREAM_VIEW },
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 60 }, { TableName: tableName });
  const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  const { LatestStreamArn, StreamSpecification, GlobalSecondaryIndexes = [] } = Table ?? {};
  if (LatestStreamArn === undefined || StreamSpecification?.StreamViewType !== STREAM_VIEW)
    throw new ConfigurationError([
      `the table ${tableName} has no stream with new and old images: enable one or delete the table`,
    ]);
  // The keys of an index cannot be changed in place, and a session that was written without them is in no index.
  const missing = INDEXES.find(
    (index) =>
      !GlobalSecondaryIndexes.some(({ IndexName, KeySchema }) =>
        isDeepStrictEqual([IndexName, KeySchema], [index.name, keySchema(index)]),
      ),
  );
  if (missing !== undefined)
    throw new ConfigurationError([
      `the table ${tableName} has no index ${missing.name} on ${missing.partitionKey} and ${missing.sortKey.name}: another release made it, delete it`,
    ]);
  await enableTimeToLive(client, tableName);
  return LatestStreamArn;
}

async function enableTimeToLive(client: DynamoDBClient, tableName: string): Promise<void> {
  const { TimeToLiveDescription } = await client.send(
    new DescribeTimeToLiveCommand({ TableName: tableName }),
  );
  // Enabling it twice is an error.
  if (TimeToLiveDescription?.AttributeName === TABLE.timeToLiveAttribute) return;
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: tableName,
      TimeToLiveSpecification: { Enabled: true, AttributeName: TABLE.timeToLiveAttribute },
    }),
  );
}

function keysOnlyIndex(index: IndexShape): GlobalSecondaryIndex {
  return {
    IndexName: index.name,
    KeySchema: keySchema(index),
    Projection: { ProjectionType: 'KEYS_ONLY' },
  };
}

function keySchema({ partitionKey, sortKey }: IndexShape): KeySchemaElement[] {
  return [
    { AttributeName: partitionKey, KeyType: 'HASH' },
    { AttributeName: sortKey.name, KeyType: 'RANGE' },
  ];
}
