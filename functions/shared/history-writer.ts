// History in the sessions table: items beside a session's state, which nobody changes and TTL removes.
import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { HistoryItem } from '../../core/subscriber/history.ts';

/** Writes a history item; the same one once more changes nothing. */
export type WriteHistory = (item: HistoryItem, signal: AbortSignal) => Promise<void>;

export function createHistoryWriter(client: DynamoDBClient, tableName: string): WriteHistory {
  return async (item, abortSignal) => {
    await client.send(new PutItemCommand({ TableName: tableName, Item: marshall(item) }), { abortSignal });
  };
}
