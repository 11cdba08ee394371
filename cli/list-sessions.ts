// Pages of the sessions of a NAS, or of all sessions, in the order of an index.
import {
  type AttributeValue,
  type DynamoDBClient,
  QueryCommand,
  ScanCommand,
  type ScanCommandOutput,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import {
  ALL_BUCKETS,
  bucketOf,
  nasBucket,
  STATE_SORT_KEY,
  sessionKeyOf,
  sessionPartitionKey,
  TABLE,
} from '../core/cloud/table.ts';
import type { SessionKey } from '../core/messages.ts';
import type { Session } from '../core/subscriber/session.ts';
import { createSessionStore } from '../functions/shared/session-store.ts';

export interface Selection {
  /** The name under which the sessions of a NAS are stored. @default every NAS */
  readonly nas?: string | undefined;
  /** Sessions after this one in the order of the list. @default from the first one on */
  readonly after?: SessionKey | undefined;
  isWanted(session: Session): boolean;
  /** Sessions to give, and sessions to read for that, at most. */
  readonly limits: { readonly given: number; readonly read: number };
}

export interface SessionPage {
  readonly sessions: readonly Session[];
  /** How many were read. */
  readonly read: number;
  /** The last one that was read, where there are more after it. */
  readonly last?: SessionKey;
}

/** Keys are read in pages of so many, and so many sessions at a time. */
const PAGE = 25;

/** The next sessions that are wanted. The indexes are eventually consistent; each session is read as of now. */
export async function listSessions(
  client: DynamoDBClient,
  tableName: string,
  selection: Selection,
): Promise<SessionPage> {
  const { isWanted, limits } = selection;
  const store = createSessionStore(client, tableName);
  const sessions: Session[] = [];
  let read = 0;
  let last: SessionKey | undefined;
  for await (const keys of keyPages(client, tableName, selection)) {
    const page = await Promise.all(keys.map(async (key) => ({ key, session: await store.read(key) })));
    for (const { key, session } of page) {
      if (sessions.length >= limits.given || read >= limits.read)
        return { sessions, read, ...(last && { last }) };
      read++;
      last = key;
      if (session !== undefined && !session.isForgotten && isWanted(session)) sessions.push(session);
    }
  }
  return { sessions, read };
}

/** Of a NAS: part by part of its index. Of all: in the order of the index that has every session. */
async function* keyPages(
  client: DynamoDBClient,
  tableName: string,
  { nas, after }: Selection,
): AsyncGenerator<readonly SessionKey[]> {
  const common = { TableName: tableName, ProjectionExpression: TABLE.partitionKey, Limit: PAGE };
  if (nas === undefined) {
    const startKey = after && { ...tableKey(after), [TABLE.sessionsIndex]: after.acctSessionId };
    yield* pages(startKey, (ExclusiveStartKey) =>
      client.send(new ScanCommand({ ...common, IndexName: TABLE.sessionsIndex, ExclusiveStartKey })),
    );
    return;
  }
  const { name, partitionKey } = TABLE.nasIndex;
  const first = after === undefined ? 0 : ALL_BUCKETS.indexOf(bucketOf(after.acctSessionId));
  for (const [index, bucket] of ALL_BUCKETS.slice(first).entries()) {
    const part = nasBucket(nas, bucket);
    const startKey = index === 0 && after ? { ...tableKey(after), [partitionKey]: part } : undefined;
    yield* pages(startKey, (ExclusiveStartKey) =>
      client.send(
        new QueryCommand({
          ...common,
          IndexName: name,
          KeyConditionExpression: `${partitionKey} = :part`,
          ExpressionAttributeValues: marshall({ ':part': part }),
          ExclusiveStartKey,
        }),
      ),
    );
  }
}

type Image = Record<string, AttributeValue>;

async function* pages(
  startKey: Readonly<Record<string, string>> | undefined,
  next: (startKey: Image | undefined) => Promise<Pick<ScanCommandOutput, 'Items' | 'LastEvaluatedKey'>>,
): AsyncGenerator<readonly SessionKey[]> {
  let from = startKey && marshall(startKey);
  do {
    const { Items = [], LastEvaluatedKey } = await next(from);
    yield Items.map((item) => sessionKeyOf(String(unmarshall(item)[TABLE.partitionKey])));
    from = LastEvaluatedKey;
  } while (from !== undefined);
}

function tableKey({ nas, acctSessionId }: SessionKey) {
  return {
    [TABLE.partitionKey]: sessionPartitionKey(nas, acctSessionId),
    [TABLE.sortKey]: STATE_SORT_KEY,
  };
}
