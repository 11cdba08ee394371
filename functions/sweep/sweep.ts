// sweep: finds the sessions that are due before its next run, and sends each to decide at its time.
import { type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import { type BatchResultErrorEntry, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { SWEEP_INTERVAL_SECONDS } from '../../core/cloud/queues.ts';
import { DUE_BUCKET, sessionKeyOf, TABLE } from '../../core/cloud/table.ts';
import { dueEntry } from '../shared/due-queue.ts';
import { notTakenError } from '../shared/queue.ts';

/** What sweep works with. */
export interface SweepDependencies {
  readonly dynamodb: DynamoDBClient;
  readonly tableName: string;
  readonly sqs: SQSClient;
  readonly dueQueueUrl: string;
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  report(event: SweepReport): void;
}

/** What one run of sweep did. */
export interface SweepReport {
  readonly kind: 'swept';
  /** How many sessions it sent to decide. */
  readonly found: number;
  /** How long the session that has waited longest is overdue; 0 if none is. */
  readonly overdueMs: number;
}

/** SQS takes at most 10 messages in a batch. */
const PAGE = 10;

/**
 * The handler of sweep. It sends the sessions that are due before the next run to the due queue, also those that it has
 * sent before and that are still due.
 * @throws Error (the handler) when SQS did not take all messages. The others have been sent.
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
    let notTaken: BatchResultErrorEntry | undefined;
    for await (const { Items = [] } of pages) {
      const due = Items.map((item) => unmarshall(item) as { pk: string; dueAtMs: number });
      if (due.length === 0) continue;
      const Entries = due.map(({ pk, dueAtMs }, index) => ({
        Id: String(index),
        ...dueEntry(sessionKeyOf(pk), dueAtMs, now()),
      }));
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: dueQueueUrl, Entries }));
      notTaken ??= Failed[0];
      found += due.length - Failed.length;
      overdueMs = Math.max(overdueMs, ...due.map(({ dueAtMs }) => startedAtMs - dueAtMs));
    }
    report({ kind: 'swept', found, overdueMs });
    if (notTaken !== undefined) throw notTakenError(notTaken);
  };
}
