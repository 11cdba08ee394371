// sweep: finds the sessions whose time comes within the next interval, and has decide look at each at its time.
import { type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import { type BatchResultErrorEntry, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { SWEEP_INTERVAL_SECONDS } from '../../core/cloud/queues.ts';
import { DUE_BUCKET, sessionKeyOf, TABLE } from '../../core/cloud/table.ts';
import { dueEntry } from '../shared/due-queue.ts';

export interface SweepDependencies {
  readonly dynamodb: DynamoDBClient;
  readonly tableName: string;
  readonly sqs: SQSClient;
  readonly dueQueueUrl: string;
  now(): number;
  report(event: SweepReport): void;
}

export interface SweepReport {
  readonly kind: 'swept';
  /** Sessions that were handed to decide. */
  readonly found: number;
  /** How long the one that has waited longest is overdue. */
  readonly overdueMs: number;
}

/** As many as SQS takes at once. */
const PAGE = 10;

/**
 * Hands over what is due by the next run, and that once more which was handed over before and is due still.
 * @throws Error when SQS did not take all of it; what it did not take does not hold up the rest.
 */
export function createSweep({ dynamodb, tableName, sqs, dueQueueUrl, now, report }: SweepDependencies) {
  return async (): Promise<void> => {
    const startedAtMs = now();
    const horizonMs = startedAtMs + SWEEP_INTERVAL_SECONDS * 1000;
    const pages = paginateQuery(
      { client: dynamodb, pageSize: PAGE },
      {
        TableName: tableName,
        IndexName: TABLE.dueIndex.name,
        KeyConditionExpression: 'dueBucket = :bucket AND dueAtMs <= :horizon',
        ExpressionAttributeValues: marshall({ ':bucket': DUE_BUCKET, ':horizon': horizonMs }),
        ProjectionExpression: 'pk, dueAtMs',
      },
    );
    let found = 0;
    let overdueMs = 0;
    let refused: BatchResultErrorEntry | undefined;
    for await (const { Items = [] } of pages) {
      const due = Items.map((item) => unmarshall(item) as { pk: string; dueAtMs: number });
      if (due.length === 0) continue;
      const Entries = due.map(({ pk, dueAtMs }, index) => ({
        Id: String(index),
        ...dueEntry(sessionKeyOf(pk), dueAtMs, now()),
      }));
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: dueQueueUrl, Entries }));
      refused ??= Failed[0];
      found += due.length - Failed.length;
      overdueMs = Math.max(overdueMs, ...due.map(({ dueAtMs }) => startedAtMs - dueAtMs));
    }
    report({ kind: 'swept', found, overdueMs });
    if (refused !== undefined)
      throw new Error(`SQS did not take a message: ${refused.Code} ${refused.Message ?? ''}`);
  };
}
