// The history of a session for an operator.
import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { HISTORY_SORT_KEY_PREFIX, sessionPartitionKey } from '../core/cloud/table.ts';
import type { SessionKey } from '../core/messages.ts';
import type { HistoryItem } from '../core/subscriber/history.ts';

const SHOWN = 10;

/** What the latest changes did, newest first; account may be a moment behind. What has expired by `nowMs` is left out,
 * though DynamoDB may keep it for days. */
export async function latestHistory(
  client: DynamoDBClient,
  tableName: string,
  { nas, acctSessionId }: SessionKey,
  nowMs: number,
): Promise<readonly HistoryItem[]> {
  const { Items = [] } = await client.send(
    new QueryCommand({
      TableName: tableName,
      KeyConditionExpression: 'pk = :session AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: marshall({
        ':session': sessionPartitionKey(nas, acctSessionId),
        ':prefix': HISTORY_SORT_KEY_PREFIX,
      }),
      ScanIndexForward: false,
      Limit: SHOWN,
    }),
  );
  // Nobody but account writes these items.
  const items = Items.map((item) => unmarshall(item) as HistoryItem);
  return items.filter(({ expiresAtSeconds }) => expiresAtSeconds * 1000 > nowMs);
}
