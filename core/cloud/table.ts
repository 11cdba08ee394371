// The sessions table, as plain data. The stack creates it on AWS, and the local system on one machine.

/** The table's name on one machine. CloudFormation names a deployed one. */
export const LOCAL_TABLE_NAME = 'interlock';

/** The sort key of the item that is a session. */
export const STATE_SORT_KEY = 'STATE';

/**
 * What the partition keys of the table begin with, by what an item is. A policy admits a function by it, so no kind shares a
 * partition with another.
 */
export const KEY_PREFIXES = {
  session: 'SESSION#',
  history: 'HISTORY#',
  nas: 'NAS#',
  request: 'REQUEST#',
} as const;

/** What an item is. */
export type ItemKind = keyof typeof KEY_PREFIXES;

/** The partition key of a session: `SESSION#bng-1#0001`. */
export function sessionPartitionKey(nas: string, acctSessionId: string): string {
  return `${KEY_PREFIXES.session}${nas}#${acctSessionId}`;
}

/** The partition key of its history: `HISTORY#bng-1#0001`. 0.1.0 wrote history under the partition key of the session. */
export function historyPartitionKey(nas: string, acctSessionId: string): string {
  return `${KEY_PREFIXES.history}${nas}#${acctSessionId}`;
}

/** The reverse of `sessionPartitionKey`. The name of a NAS contains no "#"; an Acct-Session-Id may contain some. */
export function sessionKeyOf(partitionKey: string): { nas: string; acctSessionId: string } {
  const [, nas = '', ...rest] = partitionKey.split('#');
  return { nas, acctSessionId: rest.join('#') };
}

/** The sort keys of history begin with this. */
export const HISTORY_SORT_KEY_PREFIX = 'EVENT#';

/**
 * The sort key of a history item: `EVENT#2026-11-22T12:00:00.000Z#000002`. Items sort by time (`atMs`, milliseconds
 * since 1970-01-01 UTC), and by version where two have the same time. A session that was removed starts again at
 * version 1; the time tells its items from the earlier ones.
 */
export function historySortKey(atMs: number, version: number): string {
  return `${HISTORY_SORT_KEY_PREFIX}${new Date(atMs).toISOString()}#${String(version).padStart(6, '0')}`;
}

/** The partition key of what is known of a NAS besides its sessions, by its name today: `NAS#bng-1`. */
export function nasPartitionKey(nas: string): string {
  return `${KEY_PREFIXES.nas}${nas}`;
}

/** The partition key of what is kept of a request itself: `REQUEST#` and its correlation id, or the key of its repeats. */
export function requestPartitionKey(id: string): string {
  return `${KEY_PREFIXES.request}${id}`;
}

/** The sort key of the latest Accounting-On or -Off of a virtual router of a NAS, or of the whole NAS. */
export function restartSortKey(scope: string | undefined): string {
  return `RESTART#${scope ?? ''}`;
}

/** How long a restart is remembered: records of earlier events are no longer under way then. */
export const RESTART_RETENTION_DAYS = 30;

/** How long a history item is kept. */
export const HISTORY_RETENTION_DAYS = 30;

/** Parts of an index whose items would else share one partition: DynamoDB takes 1000 writes a second into each. */
export const BUCKETS = 16;

/** The parts that a session of that Acct-Session-Id is in: `00` to `15`. */
export function bucketOf(acctSessionId: string): string {
  // FNV-1a, which spreads numbers that count up.
  let hash = 0x811c9dc5;
  for (const octet of Buffer.from(acctSessionId)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return bucketName(hash % BUCKETS);
}

/** The names of all parts. */
export const ALL_BUCKETS: readonly string[] = Array.from({ length: BUCKETS }, (_, index) =>
  bucketName(index),
);

function bucketName(index: number): string {
  return String(index).padStart(2, '0');
}

/** The partition key of the sessions of a NAS in `TABLE.nasIndex`, by the name that the NAS has in their keys: `bng-1#07`. */
export function nasBucket(nas: string, bucket: string): string {
  return `${nas}#${bucket}`;
}

/** Keys and indexes. */
export const TABLE = {
  partitionKey: 'pk',
  sortKey: 'sk',
  /** DynamoDB deletes an item within days after this time: seconds since 1970-01-01 UTC. */
  timeToLiveAttribute: 'expiresAtSeconds',
  // The indexes are sparse and hold keys only; the session itself is read from the table.
  /** The sessions that are due at `dueAtMs`, milliseconds since 1970-01-01 UTC; `dueBucket` is that of `bucketOf`. */
  dueIndex: { name: 'due', partitionKey: 'dueBucket', sortKey: 'dueAtMs' },
  /** The sessions of a NAS; `nasBucket` is that of the function `nasBucket`. */
  nasIndex: { name: 'nas', partitionKey: 'nasBucket' },
  /**
   * The sessions that have a value of an identification attribute. Each index has the name of its partition key, which is the
   * text of `lookUpKey`. Its sort key is the table's partition key, so that a query can be for one NAS.
   */
  lookUpIndexes: {
    'Acct-Session-Id': 'acctSessionId',
    'User-Name': 'userName',
    'Calling-Station-Id': 'callingStationId',
    'Framed-IP-Address': 'framedIpAddress',
    'Framed-IPv6-Address': 'framedIpv6Address',
    'Framed-IPv6-Prefix': 'framedIpv6Prefix',
    'Delegated-IPv6-Prefix': 'delegatedIpv6Prefix',
    'Chargeable-User-Identity': 'chargeableUserIdentity',
    'Acct-Multi-Session-Id': 'acctMultiSessionId',
    'NAS-Port-Id': 'nasPortId',
  },
  /** The one of them that has every session. */
  sessionsIndex: 'acctSessionId',
} as const;

/** An identification attribute that has an index. */
export type IndexedAttribute = keyof typeof TABLE.lookUpIndexes;

/** The keys of an index. */
export interface IndexShape {
  readonly name: string;
  /** A string. */
  readonly partitionKey: string;
  readonly sortKey: { readonly name: string; readonly type: 'S' | 'N' };
}

const { dueIndex, nasIndex, lookUpIndexes, partitionKey } = TABLE;
const BY_PARTITION_KEY = { name: partitionKey, type: 'S' } as const;

/** All indexes. DynamoDB allows 20. */
export const INDEXES: readonly IndexShape[] = [
  { ...dueIndex, sortKey: { name: dueIndex.sortKey, type: 'N' } },
  { ...nasIndex, sortKey: BY_PARTITION_KEY },
  ...Object.values(lookUpIndexes).map((name) => ({ name, partitionKey: name, sortKey: BY_PARTITION_KEY })),
];

/** The attributes of an item that are keys of an index alone. */
export const INDEX_ATTRIBUTES: readonly string[] = [
  dueIndex.partitionKey,
  dueIndex.sortKey,
  nasIndex.partitionKey,
  ...Object.values(lookUpIndexes).filter((name) => name !== TABLE.sessionsIndex),
];
