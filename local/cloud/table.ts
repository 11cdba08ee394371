// The table of the deployed stack, on any DynamoDB endpoint.
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { TABLE } from '../../core/cloud/table.ts';
import { ConfigurationError } from '../../core/config/problems.ts';

const STREAM_VIEW = 'NEW_AND_OLD_IMAGES';

/**
 * Creates the table if it is missing, and gives the ARN of its stream. Time to live is enabled; the embedded DynamoDB
 * deletes nothing all the same.
 * @throws ConfigurationError when the table exists without a stream of both images, or with the keys of 0.1.0.
 */
export async function ensureTable(client: DynamoDBClient, tableName: string): Promise<string> {
  const { partitionKey, sortKey, dueIndex, lookUpIndexes } = TABLE;
  try {
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: partitionKey, AttributeType: 'S' },
          { AttributeName: sortKey, AttributeType: 'S' },
          { AttributeName: dueIndex.partitionKey, AttributeType: 'S' },
          { AttributeName: dueIndex.sortKey, AttributeType: 'N' },
          ...lookUpIndexes.map((name) => ({ AttributeName: name, AttributeType: 'S' }) as const),
        ],
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
        GlobalSecondaryIndexes: [
          keysOnlyIndex(dueIndex.name, dueIndex.partitionKey, dueIndex.sortKey),
          ...lookUpIndexes.map((name) => keysOnlyIndex(name, name)),
        ],
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
  const due = GlobalSecondaryIndexes.find(({ IndexName }) => IndexName === dueIndex.name);
  // A key cannot be changed in place, and sweep would find nothing in the index of 0.1.0.
  if (!due?.KeySchema?.some(({ AttributeName }) => AttributeName === dueIndex.sortKey))
    throw new ConfigurationError([
      `the table ${tableName} has no index ${dueIndex.name} on ${dueIndex.sortKey}: another release made it, delete it`,
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

function keysOnlyIndex(name: string, partitionKey: string, sortKey?: string): GlobalSecondaryIndex {
  const range = { AttributeName: sortKey, KeyType: 'RANGE' } as const;
  return {
    IndexName: name,
    KeySchema: [{ AttributeName: partitionKey, KeyType: 'HASH' }, ...(sortKey === undefined ? [] : [range])],
    Projection: { ProjectionType: 'KEYS_ONLY' },
  };
}
