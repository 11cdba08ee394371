// Writes history to the sessions table: items that never change and that TTL deletes.
import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { HistoryItem } from '../../core/subscriber/history.ts';

/** Writes a history item. Writing the same item again changes nothing. Rejects if DynamoDB did not take it. */
export type WriteHistory = (item: HistoryItem, signal: AbortSignal) => Promise<void>;

/** A `WriteHistory` to the table of that name. */
export function createHistoryWriter(client: DynamoDBClient, tableName: string): WriteHistory {
  return async (item, abortSignal) => {
    await client.send(new PutItemCommand({ TableName: tableName, Item: marshall(item) }), { abortSignal });
  };
}
