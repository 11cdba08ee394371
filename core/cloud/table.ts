// The sessions table, as plain data. The stack creates it on AWS, and the local system on one machine.

/** The table's name on one machine. CloudFormation names a deployed one. */
export const LOCAL_TABLE_NAME = 'interlock';

/** The sort key of the item that is a session. The items of its history have the same partition key. */
export const STATE_SORT_KEY = 'STATE';

/** The partition key of a session's items: `SESSION#bng-1#0001`. */
export function sessionPartitionKey(nas: string, acctSessionId: string): string {
  return `SESSION#${nas}#${acctSessionId}`;
}

/** The reverse of `sessionPartitionKey`. The name of a NAS contains no "#"; an Acct-Session-Id may contain some. */
export function sessionKeyOf(partitionKey: string): { nas: string; acctSessionId: string } {
  const [, nas = '', ...rest] = partitionKey.split('#');
  return { nas, acctSessionId: rest.join('#') };
}

/** The sort keys of a session's history begin with this. */
export const HISTORY_SORT_KEY_PREFIX = 'EVENT#';

/**
 * The sort key of a history item: `EVENT#2026-11-22T12:00:00.000Z#000002`. Items sort by time (`atMs`, milliseconds
 * since 1970-01-01 UTC), and by version where two have the same time. A session that was removed starts again at
 * version 1; the time tells its items from the earlier ones.
 */
export function historySortKey(atMs: number, version: number): string {
  return `${HISTORY_SORT_KEY_PREFIX}${new Date(atMs).toISOString()}#${String(version).padStart(6, '0')}`;
}

/** How long a history item is kept. */
export const HISTORY_RETENTION_DAYS = 30;

/** Keys and indexes. */
export const TABLE = {
  partitionKey: 'pk',
  sortKey: 'sk',
  /** DynamoDB deletes an item within days after this time: seconds since 1970-01-01 UTC. */
  timeToLiveAttribute: 'expiresAtSeconds',
  // The indexes are sparse and hold keys only; the session itself is read from the table.
  /** The sessions that are due at `dueAtMs`, milliseconds since 1970-01-01 UTC. */
  dueIndex: { name: 'due', partitionKey: 'dueBucket', sortKey: 'dueAtMs' },
  /** Find sessions without the name of their NAS. Each index has the name of its partition key. */
  lookUpIndexes: ['userName', 'acctSessionId'],
  /** The one of them that has every session. */
  sessionsIndex: 'acctSessionId',
} as const;

/** The only value of `dueBucket`: the index on `dueAtMs` has one partition. */
export const DUE_BUCKET = 'due';
