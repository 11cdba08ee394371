// The latest history of a session.
import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { HISTORY_SORT_KEY_PREFIX, historyPartitionKey, sessionPartitionKey } from '../core/cloud/table.ts';
import type { SessionKey } from '../core/messages.ts';
import type { HistoryItem } from '../core/subscriber/history.ts';

const SHOWN = 10;

/**
 * The latest ten history items of a session, newest first. account writes them from the stream, about a second after
 * the change. Items that have expired by `nowMs` are left out: DynamoDB deletes them days later.
 */
export async function latestHistory(
  client: DynamoDBClient,
  tableName: string,
  { nas, acctSessionId }: SessionKey,
  nowMs: number,
): Promise<readonly HistoryItem[]> {
  // 0.1.0 wrote history under the partition key of the session. Those items are there for 30 days after an upgrade.
  const partitions = [historyPartitionKey(nas, acctSessionId), sessionPartitionKey(nas, acctSessionId)];
  const found = await Promise.all(
    partitions.map(async (partition) => {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName: tableName,
          KeyConditionExpression: 'pk = :partition AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: marshall({
            ':partition': partition,
            ':prefix': HISTORY_SORT_KEY_PREFIX,
          }),
          ScanIndexForward: false,
          Limit: SHOWN,
        }),
      );
      // Only account writes these items.
      return Items.map((item) => unmarshall(item) as HistoryItem);
    }),
  );
  return found
    .flat()
    .filter(({ expiresAtSeconds }) => expiresAtSeconds * 1000 > nowMs)
    .toSorted((one, other) => (one.sk < other.sk ? 1 : -1))
    .slice(0, SHOWN);
}
