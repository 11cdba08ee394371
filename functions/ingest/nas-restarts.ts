// Restarts of NASes in the table: when each was, and which sessions there are to end.
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import {
  nasBucket,
  nasPartitionKey,
  RESTART_RETENTION_DAYS,
  restartSortKey,
  sessionKeyOf,
  sessionPartitionKey,
  TABLE,
} from '../../core/cloud/table.ts';
import type { SessionKey } from '../../core/messages.ts';

/** Which sessions of a NAS, by the name that it has in their keys. */
export interface SessionsPart {
  readonly nas: string;
  readonly bucket: string;
  /** The partition key of the last session before them. @default they are the first ones */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** All functions reject if DynamoDB fails. */
export interface NasRestarts {
  /**
   * When a NAS, which has had these names, or its virtual router has restarted last, as of now; undefined where that is not known.
   */
  latest(
    names: readonly string[],
    virtualRouter: string | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined>;
  /** Keeps when a NAS, or its virtual router, has restarted, unless a later restart is known. */
  remember(nas: string, scope: string | undefined, eventAtMs: number, signal: AbortSignal): Promise<void>;
  /** Sessions in the order of the index; `last` is the partition key of the last one, where others may follow. */
  sessions(
    part: SessionsPart,
    signal: AbortSignal,
  ): Promise<{ readonly keys: readonly SessionKey[]; readonly last?: string }>;
}

interface RestartItem {
  readonly eventAtMs: number;
}

/** The restarts in the table of that name. */
export function createNasRestarts(dynamodb: DynamoDBClient, tableName: string): NasRestarts {
  return {
    async latest(names, virtualRouter, abortSignal) {
      const scopes = virtualRouter === undefined ? [undefined] : [undefined, virtualRouter];
      const Keys = names.flatMap((nas) => scopes.map((scope) => marshall(itemKey(nas, scope))));
      const { Responses, UnprocessedKeys = {} } = await dynamodb.send(
        new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys, ConsistentRead: true } } }),
        { abortSignal },
      );
      if (Object.keys(UnprocessedKeys).length > 0)
        throw new Error('DynamoDB did not read the restarts of a NAS');
      const times = (Responses?.[tableName] ?? []).map((item) => (unmarshall(item) as RestartItem).eventAtMs);
      return times.length === 0 ? undefined : Math.max(...times);
    },

    async remember(nas, scope, eventAtMs, abortSignal) {
      const expiresAtSeconds = Math.floor(eventAtMs / 1000) + RESTART_RETENTION_DAYS * 86_400;
      try {
        await dynamodb.send(
          new PutItemCommand({
            TableName: tableName,
            Item: marshall({ ...itemKey(nas, scope), eventAtMs, expiresAtSeconds }),
            ConditionExpression: 'attribute_not_exists(pk) OR eventAtMs < :eventAtMs',
            ExpressionAttributeValues: marshall({ ':eventAtMs': eventAtMs }),
          }),
          { abortSignal },
        );
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    },

    async sessions({ nas, bucket, after, limit }, abortSignal) {
      const { partitionKey: indexKey, name } = TABLE.nasIndex;
      const value = nasBucket(nas, bucket);
      const { Items = [], LastEvaluatedKey } = await dynamodb.send(
        new QueryCommand({
          TableName: tableName,
          IndexName: name,
          KeyConditionExpression: `${indexKey} = :part AND pk > :after`,
          ExpressionAttributeValues: marshall({
            ':part': value,
            ':after': after ?? sessionPartitionKey(nas, ''),
          }),
          ProjectionExpression: TABLE.partitionKey,
          Limit: limit,
        }),
        { abortSignal },
      );
      const keys = Items.map((item) => String(unmarshall(item)[TABLE.partitionKey]));
      const last = LastEvaluatedKey === undefined ? undefined : keys.at(-1);
      return { keys: keys.map(sessionKeyOf), ...(last !== undefined && { last }) };
    },
  };
}

function itemKey(nas: string, scope: string | undefined) {
  return { pk: nasPartitionKey(nas), sk: restartSortKey(scope) };
}
