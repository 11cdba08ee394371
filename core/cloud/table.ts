// What the table looks like, as plain data: the stack creates it like this on AWS and the local system on one machine,
// and the functions rely on it.

/** What the table is called on one machine; a deployed one has a name of its own. */
export const LOCAL_TABLE_NAME = 'interlock';

/** The sort key of a session's state; other items of the same session have other ones. */
export const STATE_SORT_KEY = 'STATE';

export function sessionPartitionKey(nas: string, acctSessionId: string): string {
  return `SESSION#${nas}#${acctSessionId}`;
}

/** The reverse of `sessionPartitionKey`: a NAS's name has no "#", an Acct-Session-Id may. */
export function sessionKeyOf(partitionKey: string): { nas: string; acctSessionId: string } {
  const [, nas = '', ...rest] = partitionKey.split('#');
  return { nas, acctSessionId: rest.join('#') };
}

/** The sort keys of a session's history begin with this. */
export const HISTORY_SORT_KEY_PREFIX = 'EVENT#';

/** `EVENT#2026-11-22T12:00:00.000Z#000002`: by time, and by version where two changes have the same. A session that
 * was removed begins again at version 1; the time keeps its two lives apart. */
export function historySortKey(atMs: number, version: number): string {
  return `${HISTORY_SORT_KEY_PREFIX}${new Date(atMs).toISOString()}#${String(version).padStart(6, '0')}`;
}

/** How long the history of a session is kept. */
export const HISTORY_RETENTION_DAYS = 30;

export const TABLE = {
  partitionKey: 'pk',
  sortKey: 'sk',
  /** From when on DynamoDB deletes an item that has it, within days: seconds since 1970-01-01 UTC. */
  timeToLiveAttribute: 'expiresAtSeconds',
  // The indexes are sparse and hold keys alone: who finds a session there reads it from the table.
  /** The sessions that have to be looked at again at `dueAtMs`, milliseconds since 1970-01-01 UTC. */
  dueIndex: { name: 'due', partitionKey: 'dueBucket', sortKey: 'dueAtMs' },
  /** Find sessions without knowing their NAS. Each index has the name of the attribute that it is by. */
  lookUpIndexes: ['userName', 'acctSessionId'],
} as const;

/** The one partition of the index on `dueAtMs`. */
export const DUE_BUCKET = 'due';
