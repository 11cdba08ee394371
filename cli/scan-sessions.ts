// Reads every session of the table: for a check, not for daily work.
import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { STATE_SORT_KEY, sessionKeyOf, TABLE } from '../core/cloud/table.ts';
import type { SessionKey } from '../core/messages.ts';
import type { Session } from '../core/subscriber/session.ts';
import { UnreadableItem } from '../core/subscriber/upgrade.ts';
import { sessionFromImage } from '../functions/shared/session-store.ts';

/** A session by its key; `problem` where its item cannot be read. */
export type Scanned = { readonly key: SessionKey } & (
  | { readonly session: Session; readonly problem?: undefined }
  | { readonly session?: undefined; readonly problem: string }
);

/** All sessions but those that are over, each as it was within the last second or so. It reads the history, too: DynamoDB reads before it filters. */
export async function* scanSessions(client: DynamoDBClient, tableName: string): AsyncGenerator<Scanned> {
  const pages = paginateScan(
    { client },
    {
      TableName: tableName,
      FilterExpression: '#sk = :state',
      ExpressionAttributeNames: { '#sk': TABLE.sortKey },
      ExpressionAttributeValues: marshall({ ':state': STATE_SORT_KEY }),
    },
  );
  for await (const { Items = [] } of pages) {
    for (const item of Items) {
      const key = sessionKeyOf(String(unmarshall(item)[TABLE.partitionKey]));
      try {
        const session = sessionFromImage(item);
        if (!session.isForgotten) yield { key, session };
      } catch (error) {
        if (!(error instanceof UnreadableItem)) throw error;
        yield { key, problem: error.message };
      }
    }
  }
}
