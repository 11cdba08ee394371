// Finds the session that a request without Acct-Session-Id means, through the indexes of the table.
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { requestPartitionKey, sessionKeyOf, sessionPartitionKey, TABLE } from '../../core/cloud/table.ts';
import {
  type BarrierOf,
  choose,
  type Found,
  type LookUpKey,
  lookUpKeys,
  MAX_CANDIDATES,
  type StandingOf,
  tooMany,
} from '../../core/look-up.ts';
import type { SessionKey } from '../../core/messages.ts';
import type { Sought } from '../../core/requests/identification.ts';
import type { Refusal } from '../../core/requests/reading.ts';
import { keyOf } from '../../core/subscriber/key.ts';
import type { SessionStore } from './session-store.ts';

/** Look-ups in the table. All functions reject if DynamoDB fails. */
export interface SessionLookUp {
  /**
   * The session that has all that is sought, stored under one of `nasNames`. Refused where there is none, or where there are
   * several; with a barrier where `barrierOf` has one for each that is found. The indexes are eventually consistent; the
   * sessions that they name are read as of now. `queuedAtMs` is when the
   * queue took the request, milliseconds since 1970-01-01 UTC.
   */
  find(
    sought: Sought,
    queuedAtMs: number,
    signal: AbortSignal,
    barrierOf?: BarrierOf,
  ): Promise<Found<SessionKey>>;
  /** Keeps the refusal of a request for an hour, so that the request is refused again should it be delivered again. */
  remember(correlationId: string, refusal: Refusal, signal: AbortSignal): Promise<void>;
  /**
   * The session that a request was found to mean first, `session` if this is the first time. A replay of it means that one for ever,
   * and never the next session of its subscriber. `key` names the request; it is kept until `untilMs`, milliseconds since
   * 1970-01-01 UTC.
   */
  bind(key: string, session: SessionKey, untilMs: number, signal: AbortSignal): Promise<SessionKey>;
  /** The session that `bind` has written down for a request; undefined if there is none. */
  boundTo(key: string, signal: AbortSignal): Promise<SessionKey | undefined>;
  /** The refusal that was kept; undefined if there is none. */
  recall(correlationId: string, signal: AbortSignal): Promise<Refusal | undefined>;
}

export interface SessionLookUpOptions {
  readonly dynamodb: DynamoDBClient;
  readonly tableName: string;
  readonly store: Pick<SessionStore, 'read'>;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  /** Resolves after so many milliseconds; rejects when `signal` aborts. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  /** @default every session is open */
  readonly standingOf?: StandingOf;
}

/** So late an index may have what was written. A client often asks when it has just heard of a session. */
const INDEX_LAG_MS = 250;
/** An index is asked for so many names of NASes one by one. For more it is asked once, for all NASes of all sites. */
const MAX_QUERIES = 4;
/** A queue delivers a message for the last time long before. */
const REFUSALS_KEPT_SECONDS = 3_600;

/** Look-ups in the table of that name. */
export function createSessionLookUp(options: SessionLookUpOptions): SessionLookUp {
  const { dynamodb, tableName: TableName, store, now, pause, standingOf } = options;

  async function look(
    { nasNames, ...sought }: Sought,
    signal: AbortSignal,
    barrierOf: BarrierOf | undefined,
  ): Promise<Found<SessionKey>> {
    for (const by of lookUpKeys(sought)) {
      const keys = await candidates(by, nasNames, signal);
      if (keys === undefined) continue;
      const sessions = await Promise.all(keys.map((key) => store.read(key, signal)));
      const chosen = choose(
        sessions.filter((session) => session !== undefined),
        sought,
        standingOf,
        barrierOf,
      );
      return chosen.ok ? { ok: true, value: keyOf(chosen.value) } : chosen;
    }
    return tooMany(sought);
  }

  /** The sessions that an index names; undefined where it names more than are read. */
  async function candidates(
    by: LookUpKey,
    nasNames: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly SessionKey[] | undefined> {
    if (nasNames.length > MAX_QUERIES) {
      const keys = await query(by, undefined, signal);
      return keys.length > MAX_CANDIDATES ? undefined : keys.filter(({ nas }) => nasNames.includes(nas));
    }
    const keys = await Promise.all(nasNames.map((nas) => query(by, nas, signal)));
    const found = keys.flat();
    return found.length > MAX_CANDIDATES ? undefined : found;
  }

  /** What an index names of a NAS, or of all: at most one more than are read. */
  async function query(
    { attribute, key }: LookUpKey,
    nas: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<readonly SessionKey[]> {
    const index = TABLE.lookUpIndexes[attribute];
    const { partitionKey } = TABLE;
    const ofNas = nas === undefined ? '' : ` AND begins_with(${partitionKey}, :nas)`;
    const { Items = [] } = await dynamodb.send(
      new QueryCommand({
        TableName,
        IndexName: index,
        KeyConditionExpression: `${index} = :key${ofNas}`,
        ExpressionAttributeValues: marshall({
          ':key': key,
          ...(nas !== undefined && { ':nas': sessionPartitionKey(nas, '') }),
        }),
        ProjectionExpression: partitionKey,
        Limit: MAX_CANDIDATES + 1,
      }),
      { abortSignal },
    );
    return Items.map((item) => sessionKeyOf(String(unmarshall(item)[partitionKey])));
  }

  async function boundTo(key: string, abortSignal: AbortSignal): Promise<SessionKey | undefined> {
    const Key = marshall(bindingKey(key));
    const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }), {
      abortSignal,
    });
    if (Item === undefined) return undefined;
    const { nas, session } = unmarshall(Item);
    return { nas: String(nas), acctSessionId: String(session) };
  }

  return {
    async find(sought, queuedAtMs, signal, barrierOf) {
      const first = await look(sought, signal, barrierOf);
      // What was written before the queue took a request that has waited is in the index.
      const waitMs = Math.min(INDEX_LAG_MS, queuedAtMs + INDEX_LAG_MS - now());
      if (first.ok || first.refusal.errorCause !== 'Session-Context-Not-Found' || waitMs <= 0) return first;
      await pause(waitMs, signal);
      return look(sought, signal, barrierOf);
    },

    async remember(correlationId, { errorCause, reason }, abortSignal) {
      const expiresAtSeconds = Math.ceil(now() / 1000) + REFUSALS_KEPT_SECONDS;
      const item = {
        ...refusalKey(correlationId),
        errorCause,
        reason,
        [TABLE.timeToLiveAttribute]: expiresAtSeconds,
      };
      await dynamodb.send(new PutItemCommand({ TableName, Item: marshall(item) }), { abortSignal });
    },

    async bind(key, { nas, acctSessionId }, untilMs, abortSignal) {
      const item = {
        ...bindingKey(key),
        nas,
        session: acctSessionId,
        [TABLE.timeToLiveAttribute]: Math.ceil(untilMs / 1000),
      };
      try {
        const ConditionExpression = `attribute_not_exists(${TABLE.partitionKey})`;
        await dynamodb.send(new PutItemCommand({ TableName, Item: marshall(item), ConditionExpression }), {
          abortSignal,
        });
        return { nas, acctSessionId };
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
      return (await boundTo(key, abortSignal)) ?? { nas, acctSessionId };
    },

    boundTo,

    async recall(correlationId, abortSignal) {
      const Key = marshall(refusalKey(correlationId));
      const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }), {
        abortSignal,
      });
      if (Item === undefined) return undefined;
      const { errorCause, reason } = unmarshall(Item) as Refusal;
      return { errorCause, reason };
    },
  };
}

function bindingKey(key: string) {
  return { [TABLE.partitionKey]: requestPartitionKey(key), [TABLE.sortKey]: 'SESSION' };
}

function refusalKey(correlationId: string) {
  return { [TABLE.partitionKey]: requestPartitionKey(correlationId), [TABLE.sortKey]: 'REFUSAL' };
}
