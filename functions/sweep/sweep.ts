// sweep: finds the sessions that are due before its next run, and sends each to decide at its time, those of one NAS at a
// bounded rate.
import { type DynamoDBClient, paginateQuery, type QueryCommandOutput } from '@aws-sdk/client-dynamodb';
import { type BatchResultErrorEntry, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { DUE_PER_NAS_AND_SECOND, SWEEP_INTERVAL_SECONDS } from '../../core/cloud/queues.ts';
import { ALL_BUCKETS, sessionKeyOf, TABLE } from '../../core/cloud/table.ts';
import { dueEntry } from '../shared/due-queue.ts';
import { notTakenError } from '../shared/queue.ts';
import { inOrder } from './in-order.ts';
import { createPace } from './pace.ts';

/** What sweep works with. */
export interface SweepDependencies {
  readonly dynamodb: DynamoDBClient;
  readonly tableName: string;
  readonly sqs: SQSClient;
  readonly dueQueueUrl: string;
  /** The name of each NAS today, by each name under which its sessions may be stored. */
  readonly nasNames: ReadonlyMap<string, string>;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  report(event: SweepReport): void;
}

/** What one run of sweep did. */
export interface SweepReport {
  readonly kind: 'swept';
  /** How many sessions it sent to decide. */
  readonly found: number;
  /** How many it left for its next run, because their NAS has as many as it is given. */
  readonly left: number;
  /** How long the session that has waited longest is overdue; 0 if none is. */
  readonly overdueMs: number;
}

/** SQS takes at most 10 messages in a batch. */
const BATCH = 10;
/** Of each part of the index: large, because sweep reads past all that have to wait for one NAS to reach those of the others. */
const PAGE = 25 * BATCH;

/**
 * The handler of sweep. It sends the sessions that are due before the next run to the due queue, also those that it has
 * sent before and that are still due. Of one NAS it sends at most DUE_PER_NAS_AND_SECOND; what does not fit into this run
 * stays for the next.
 * @throws Error (the handler) when SQS did not take all messages. The others have been sent.
 */
export function createSweep(dependencies: SweepDependencies) {
  const { dynamodb, tableName, sqs, dueQueueUrl, nasNames, now, report } = dependencies;
  return async (): Promise<void> => {
    const startedAtMs = now();
    const horizonMs = startedAtMs + SWEEP_INTERVAL_SECONDS * 1000;
    const pace = createPace(startedAtMs, horizonMs, DUE_PER_NAS_AND_SECOND);
    const pagesOf = (bucket: string) =>
      paginateQuery(
        { client: dynamodb, pageSize: PAGE },
        {
          TableName: tableName,
          IndexName: TABLE.dueIndex.name,
          KeyConditionExpression: 'dueBucket = :bucket AND dueAtMs <= :horizon',
          ExpressionAttributeValues: marshall({ ':bucket': bucket, ':horizon': horizonMs }),
          ProjectionExpression: 'pk, dueAtMs',
        },
      );
    let found = 0;
    let left = 0;
    let overdueMs = 0;
    let notTaken: BatchResultErrorEntry | undefined;
    const entryOf = ({ pk, dueAtMs }: Due) => {
      const key = sessionKeyOf(pk);
      const nowMs = now();
      const deliverAtMs = pace(nasNames.get(key.nas) ?? key.nas, dueAtMs, nowMs);
      return deliverAtMs === undefined ? [] : [dueEntry(key, dueAtMs, nowMs, deliverAtMs)];
    };
    const send = async (batch: readonly ReturnType<typeof dueEntry>[]) => {
      const Entries = batch.map((entry, index) => ({ Id: String(index), ...entry }));
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: dueQueueUrl, Entries }));
      notTaken ??= Failed[0];
      found += batch.length - Failed.length;
    };
    for await (const due of inOrder(ALL_BUCKETS.map((bucket) => dueOf(pagesOf(bucket))))) {
      const entries = due.flatMap(entryOf);
      left += due.length - entries.length;
      overdueMs = due.reduce((longest, { dueAtMs }) => Math.max(longest, startedAtMs - dueAtMs), overdueMs);
      const batches = Array.from({ length: Math.ceil(entries.length / BATCH) }, (_, index) =>
        entries.slice(index * BATCH, (index + 1) * BATCH),
      );
      await Promise.all(batches.map(send));
    }
    report({ kind: 'swept', found, left, overdueMs });
    if (notTaken !== undefined) throw notTakenError(notTaken);
  };
}

/** What the index has of a session. */
interface Due {
  readonly pk: string;
  readonly dueAtMs: number;
}

/** What the pages of a query have, page by page. */
async function* dueOf(pages: AsyncIterable<QueryCommandOutput>): AsyncGenerator<readonly Due[]> {
  for await (const { Items = [] } of pages) yield Items.map((item) => unmarshall(item) as Due);
}
