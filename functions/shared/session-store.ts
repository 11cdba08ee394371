// Reads and writes the sessions table. A session is one item. It is written as a whole, on the condition that it has
// not been written since it was read.
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import {
  bucketOf,
  INDEX_ATTRIBUTES,
  nasBucket,
  STATE_SORT_KEY,
  sessionPartitionKey,
  TABLE,
} from '../../core/cloud/table.ts';
import { indexedKeys } from '../../core/look-up.ts';
import type { SessionKey } from '../../core/messages.ts';
import { keyOf } from '../../core/subscriber/key.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { dueAtMs } from '../../core/subscriber/transition.ts';
import { SHAPE, upgrade } from '../../core/subscriber/upgrade.ts';

/** An item as DynamoDB represents it. */
export type Image = Record<string, AttributeValue>;

const SESSION_IS_NEW = 'attribute_not_exists(pk)';
/** An item of 0.1.0 has no revision. Its version, which each write incremented, was the lock. */
const SESSION_IS_AS_READ = 'revision = :revision OR (attribute_not_exists(revision) AND version = :revision)';

/** What an item has for the table and its indexes beside `pk`; 0.1.0 wrote `dueAt` where `dueAtMs` is now. */
const NOT_OF_THE_SESSION: ReadonlySet<string> = new Set([TABLE.sortKey, 'dueAt', ...INDEX_ATTRIBUTES]);

/** The sessions of a table. Both functions reject if DynamoDB fails. */
export interface SessionStore {
  /**
   * The session as of now; undefined if there is none.
   * @throws UnreadableItem when a later release wrote the item, or it is no session.
   */
  read(key: SessionKey, signal?: AbortSignal): Promise<Session | undefined>;
  /**
   * Writes a session as the successor of its `revision`; 0 for a new one. `lost`: another writer has written that
   * session since, so read it and decide again.
   */
  write(session: Session, signal?: AbortSignal): Promise<'written' | 'lost'>;
  /** Removes a session of that `revision`. `lost`: another writer has written it since, and it stays. */
  remove(session: Session, signal?: AbortSignal): Promise<'removed' | 'lost'>;
}

/** The sessions in the table of that name. */
export function createSessionStore(client: DynamoDBClient, tableName: string): SessionStore {
  return {
    async read(key, abortSignal) {
      const Key = marshall(itemKey(key));
      const { Item } = await client.send(
        new GetItemCommand({ TableName: tableName, Key, ConsistentRead: true }),
        abortSignal && { abortSignal },
      );
      return Item && sessionFromImage(Item);
    },

    async write(session, abortSignal) {
      const condition =
        session.revision === 0
          ? { ConditionExpression: SESSION_IS_NEW }
          : {
              ConditionExpression: SESSION_IS_AS_READ,
              ExpressionAttributeValues: marshall({ ':revision': session.revision }),
            };
      try {
        await client.send(
          new PutItemCommand({ TableName: tableName, Item: imageOf(session), ...condition }),
          abortSignal && { abortSignal },
        );
        return 'written';
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return 'lost';
        throw error;
      }
    },

    async remove(session, abortSignal) {
      try {
        await client.send(
          new DeleteItemCommand({
            TableName: tableName,
            Key: marshall(itemKey(keyOf(session))),
            ConditionExpression: SESSION_IS_AS_READ,
            ExpressionAttributeValues: marshall({ ':revision': session.revision }),
          }),
          abortSignal && { abortSignal },
        );
        return 'removed';
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return 'lost';
        throw error;
      }
    },
  };
}

function itemKey({ nas, acctSessionId }: SessionKey) {
  return { pk: sessionPartitionKey(nas, acctSessionId), sk: STATE_SORT_KEY };
}

/** The item of a session. Its revision is one more than that of the session, which was read. */
function imageOf(session: Session): Image {
  const dueMs = dueAtMs(session);
  const key = keyOf(session);
  const bucket = bucketOf(key.acctSessionId);
  const lookUps = indexedKeys(session).map(({ attribute, key }) => [TABLE.lookUpIndexes[attribute], key]);
  const item = {
    ...itemKey(key),
    shape: SHAPE,
    ...session,
    revision: session.revision + 1,
    ...Object.fromEntries(lookUps),
    nasBucket: nasBucket(key.nas, bucket),
    ...(dueMs !== undefined && { dueBucket: bucket, dueAtMs: dueMs }),
  };
  return marshall(item, { removeUndefinedValues: true });
}

/**
 * The session in an item of the table or of its stream, also in one that an earlier release wrote.
 * @throws UnreadableItem when a later release wrote the item, or it is no session.
 */
export function sessionFromImage(image: Image): Session {
  const { pk, ...item } = unmarshall(image);
  const session = Object.entries(item).filter(([name]) => !NOT_OF_THE_SESSION.has(name));
  return upgrade(Object.fromEntries(session), String(pk));
}
