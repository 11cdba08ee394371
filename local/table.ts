// The table of the deployed stack on any DynamoDB endpoint.
import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { TABLE } from '../core/cloud.ts';
import { ConfigurationError } from '../core/config/problems.ts';

const STREAM_VIEW = 'NEW_AND_OLD_IMAGES';

/**
 * Creates the table where it is not there yet, and gives the ARN of its stream.
 * @throws ConfigurationError when there is such a table, but without a stream of both images.
 */
export async function ensureTable(client: DynamoDBClient, tableName: string): Promise<string> {
  const { partitionKey, sortKey, dueIndex } = TABLE;
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
        ],
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
        GlobalSecondaryIndexes: [
          {
            IndexName: dueIndex.name,
            KeySchema: [
              { AttributeName: dueIndex.partitionKey, KeyType: 'HASH' },
              { AttributeName: dueIndex.sortKey, KeyType: 'RANGE' },
            ],
            Projection: { ProjectionType: 'ALL' },
          },
        ],
        StreamSpecification: { StreamEnabled: true, StreamViewType: STREAM_VIEW },
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 60 }, { TableName: tableName });
  const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  const { LatestStreamArn, StreamSpecification } = Table ?? {};
  if (LatestStreamArn === undefined || StreamSpecification?.StreamViewType !== STREAM_VIEW)
    throw new ConfigurationError([
      `the table ${tableName} has no stream with new and old images: enable one or delete the table`,
    ]);
  return LatestStreamArn;
}
