// Once an hour, sweep counts the sessions whose NAS has a name that no site file has. Nothing else sees them: a request
// names a NAS of the site files, and a session without a timeout is never due.
import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { sessionKeyOf, TABLE } from '../../core/cloud/table.ts';

export interface NasCheckDependencies {
  readonly dynamodb: DynamoDBClient;
  readonly tableName: string;
  /** The name of each NAS today, by each name under which its sessions may be stored. */
  readonly nasNames: ReadonlyMap<string, string>;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  report(event: NasCheckReport): void;
}

/** How many sessions there are of NASes that no site file names, by the name of the NAS. */
export interface NasCheckReport {
  readonly kind: 'nases-checked';
  readonly unknown: Readonly<Record<string, number>>;
}

const HOUR_MS = 3_600_000;
/** Read at the same time: a page is 1 MB, some 10,000 sessions. */
const SEGMENTS = 4;

/**
 * A check that runs at most once in each hour of the clock, whenever it is called first in that hour; one that failed
 * runs again at the next call. It reads the keys of all sessions from an index: half a read unit for some 40 of them.
 */
export function createNasCheck({ dynamodb, tableName, nasNames, now, report }: NasCheckDependencies) {
  const countIn = async (Segment: number, unknown: Map<string, number>) => {
    const pages = paginateScan(
      { client: dynamodb },
      {
        TableName: tableName,
        IndexName: TABLE.sessionsIndex,
        ProjectionExpression: TABLE.partitionKey,
        TotalSegments: SEGMENTS,
        Segment,
      },
    );
    for await (const { Items = [] } of pages) {
      for (const item of Items) {
        const { nas } = sessionKeyOf(String(unmarshall(item)[TABLE.partitionKey]));
        if (!nasNames.has(nas)) unknown.set(nas, (unknown.get(nas) ?? 0) + 1);
      }
    }
  };
  let checkedHour = -1;
  return async (): Promise<void> => {
    const hour = Math.floor(now() / HOUR_MS);
    if (hour === checkedHour) return;
    const unknown = new Map<string, number>();
    await Promise.all(Array.from({ length: SEGMENTS }, (_, segment) => countIn(segment, unknown)));
    report({ kind: 'nases-checked', unknown: Object.fromEntries(unknown) });
    checkedHour = hour;
  };
}
