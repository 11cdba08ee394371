// `npx interlock forget NAME`: removes what the table has of a subscriber's sessions.
import { DeleteItemCommand, type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import {
  HISTORY_SORT_KEY_PREFIX,
  historyPartitionKey,
  sessionKeyOf,
  sessionPartitionKey,
  TABLE,
} from '../core/cloud/table.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import type { SessionKey } from '../core/messages.ts';
import { printable } from '../core/printable.ts';
import { keyOf } from '../core/subscriber/key.ts';
import { isClosed } from '../core/subscriber/life.ts';
import type { Session } from '../core/subscriber/session.ts';
import { createSessionStore } from '../functions/shared/session-store.ts';
import { findSessions } from './find-sessions.ts';
import type { FoundTable } from './find-table.ts';
import { columns, NONE } from './layout.ts';

export interface ForgetOptions {
  /** A value of an attribute that identifies the subscriber session, or `NAS#Acct-Session-Id`. */
  readonly name: string;
  /** The name under which its NAS stores sessions, or has today. @default any */
  readonly nas?: string | undefined;
  /** Whether to remove it, and not only to print what would be removed. */
  readonly yes: boolean;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  pause(ms: number): Promise<void>;
  print(text: string): void;
  /** Prints what is not a session. */
  note(text: string): void;
}

/** What the table has of a session: its state item, unless that is gone, and its history. */
interface Kept {
  readonly key: SessionKey;
  readonly session: Session | undefined;
  readonly history: readonly HistoryKey[];
}

interface HistoryKey {
  readonly pk: string;
  readonly sk: string;
  readonly cause: string;
}

/** account writes of the removal about a second after it, and later while it is behind. */
const WAIT_MS = 30_000;
const POLL_MS = 500;
/** DynamoDB takes so many in one call. */

/**
 * Prints what the table has of the sessions of that name, and removes it with `yes`. Where a command of one of them is under
 * way, nothing is removed.
 * @returns whether all of it is removed
 * @throws ConfigurationError when the table cannot be read or written
 */
export async function forget({ client, tableName }: FoundTable, options: ForgetOptions): Promise<boolean> {
  const { name, yes, print, note } = options;
  const found = await working(() => allOf(client, tableName, options));
  if (found.length === 0) {
    note(`no session is known by ${printable(name)}`);
    return false;
  }
  for (const line of columns(found.map(rowOf))) print(line);
  const underWay = found.flatMap(({ key, session }) =>
    session === undefined ? [] : underWayIn(session).map((what) => `${nameOf(key)}: ${what}`),
  );
  if (underWay.length > 0) {
    note([...underWay, 'nothing is removed: run it again when this is done'].map(printable).join('\n'));
    return false;
  }
  if (!yes) {
    note('nothing is removed: --yes removes it');
    return false;
  }
  let isDone = true;
  for (const kept of found)
    if (!(await working(() => remove(client, tableName, kept, options)))) isDone = false;
  return isDone;
}

/** @returns whether all of it is removed; what is not is noted */
async function remove(
  client: DynamoDBClient,
  tableName: string,
  { key, session, history }: Kept,
  { now, pause, note }: ForgetOptions,
): Promise<boolean> {
  if (session !== undefined && (await createSessionStore(client, tableName).remove(session)) === 'lost') {
    note(`${printable(nameOf(key))} has changed meanwhile: run it again`);
    return false;
  }
  await removeHistory(client, tableName, history);
  // The removal is a change, too, and account writes its history.
  const untilMs = now() + WAIT_MS;
  let isRemovalWritten = session === undefined;
  while (!isRemovalWritten && now() < untilMs) {
    await pause(POLL_MS);
    const later = await historyOf(client, tableName, key);
    await removeHistory(client, tableName, later);
    isRemovalWritten = later.some(({ cause }) => cause === 'removal');
  }
  if (!isRemovalWritten)
    note(
      `account has not written the removal of ${printable(nameOf(key))} after ${WAIT_MS / 1000} s: run it again for this session`,
    );
  return isRemovalWritten;
}

/** What a person waits for before the session can be removed, in words. */
function underWayIn({ transition, waiting, services }: Session): readonly string[] {
  return [
    ...(transition === undefined ? [] : ['a command is in progress']),
    ...(waiting.length === 0 ? [] : [`${waiting.length} requests wait`]),
    ...Object.values(services).flatMap(({ activation, state, undo }) =>
      state === 'deactivating' || state === 'restoring' || undo
        ? [`${activation} is ${state}, and the NAS is told until it answers`]
        : [],
    ),
  ];
}

async function allOf(
  client: DynamoDBClient,
  tableName: string,
  { name, nas }: ForgetOptions,
): Promise<readonly Kept[]> {
  const found: Kept[] = [];
  for await (const session of findSessions(client, tableName, name)) {
    const key = keyOf(session);
    if (nas !== undefined && key.nas !== nas && session.nas.name !== nas) continue;
    found.push({ key, session, history: await historyOf(client, tableName, key) });
  }
  if (found.length > 0 || !name.includes('#')) return found;
  // History is kept for longer than its session, and is in no index.
  const key = sessionKeyOf(`#${name}`);
  const session = await createSessionStore(client, tableName).read(key);
  const history = await historyOf(client, tableName, key);
  return session === undefined && history.length === 0 ? [] : [{ key, session, history }];
}

async function historyOf(
  client: DynamoDBClient,
  tableName: string,
  { nas, acctSessionId }: SessionKey,
): Promise<readonly HistoryKey[]> {
  const keys: HistoryKey[] = [];
  // 0.1.0 wrote history under the partition key of the session.
  for (const keyed of [historyPartitionKey, sessionPartitionKey]) {
    const pages = paginateQuery(
      { client },
      {
        TableName: tableName,
        KeyConditionExpression: 'pk = :history AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: marshall({
          ':history': keyed(nas, acctSessionId),
          ':prefix': HISTORY_SORT_KEY_PREFIX,
        }),
        ProjectionExpression: 'pk, sk, cause',
        ConsistentRead: true,
      },
    );
    for await (const { Items = [] } of pages)
      keys.push(...Items.map((item) => unmarshall(item) as HistoryKey));
  }
  return keys;
}

async function removeHistory(
  client: DynamoDBClient,
  tableName: string,
  history: readonly HistoryKey[],
): Promise<void> {
  for (const { pk, sk } of history)
    await client.send(
      new DeleteItemCommand({
        TableName: tableName,
        Key: marshall({ [TABLE.partitionKey]: pk, [TABLE.sortKey]: sk }),
      }),
    );
}

function rowOf({ key, session, history }: Kept): readonly string[] {
  const items = `${history.length} history ${history.length === 1 ? 'item' : 'items'}`;
  if (session === undefined) return [key.nas, key.acctSessionId, NONE, NONE, 'removed', items];
  const { identity, claimed, services } = session;
  return [
    key.nas,
    key.acctSessionId,
    String(identity['User-Name'] ?? claimed['User-Name'] ?? NONE),
    Object.keys(services).join(', ') || NONE,
    isClosed(session) ? 'ended' : 'open',
    items,
  ];
}

/** As `list` and this command take it. */
const nameOf = ({ nas, acctSessionId }: SessionKey) => `${nas}#${acctSessionId}`;

async function working<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ConfigurationError([`cannot read or write the table: ${error}`]);
  }
}
