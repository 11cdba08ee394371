// Finds subscriber sessions by a name, without their NAS: an operator seldom knows it.
import { type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { sessionKeyOf, TABLE } from '../core/cloud/table.ts';
import type { Session } from '../core/subscriber/session.ts';
import { createSessionStore } from '../functions/shared/session-store.ts';

/**
 * The sessions whose User-Name or Acct-Session-Id is `name`, each read consistently. The indexes are eventually
 * consistent: a session that was created within the last second or so may be missing.
 */
export async function* findSessions(
  client: DynamoDBClient,
  tableName: string,
  name: string,
): AsyncGenerator<Session> {
  const { read } = createSessionStore(client, tableName);
  for (const key of await findKeys(client, tableName, name)) {
    const session = await read(sessionKeyOf(key));
    if (session !== undefined) yield session;
  }
}

/** Sorted partition keys. Each is there once, even where both names of a session are equal. */
async function findKeys(client: DynamoDBClient, tableName: string, name: string): Promise<readonly string[]> {
  const keys = new Set<string>();
  for (const index of TABLE.lookUpIndexes) {
    const pages = paginateQuery(
      { client },
      {
        TableName: tableName,
        IndexName: index,
        KeyConditionExpression: `${index} = :name`,
        ExpressionAttributeValues: marshall({ ':name': name }),
      },
    );
    for await (const { Items = [] } of pages)
      for (const item of Items) keys.add(item[TABLE.partitionKey]?.S ?? '');
  }
  return [...keys].sort();
}
