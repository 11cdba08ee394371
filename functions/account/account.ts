// account: what the table's stream shows of a session becomes its history in the table, and Acct-Starts and Acct-Stops
// in the accounting queue of its site. The messages of one subscriber session share a group, so a Start precedes its
// Stop.
import { createHash } from 'node:crypto';
import type { Context, DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { STATE_SORT_KEY } from '../../core/cloud/table.ts';
import { messageGroup } from '../../core/messages.ts';
import { type AccountingRecord, accountingRecords } from '../../core/service-accounting.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import { processBatch } from '../shared/batch.ts';
import type { WriteHistory } from '../shared/history-writer.ts';
import type { OutgoingMessage } from '../shared/queue.ts';
import { type Image, sessionFromImage } from '../shared/session-store.ts';

export type AccountReport =
  | {
      readonly kind: 'accounted';
      readonly correlationId: string;
      readonly site: string;
      readonly record: AccountingRecord;
    }
  | { readonly kind: 'failed'; readonly sequenceNumber: string; readonly error: unknown };

export interface AccountDependencies {
  readonly writeHistory: WriteHistory;
  /** Sends to the accounting queue of a site, all or an error. */
  send(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  report(event: AccountReport): void;
}

export function createAccount(dependencies: AccountDependencies) {
  return (event: DynamoDBStreamEvent, context: Context): Promise<DynamoDBBatchResponse> =>
    processBatch(
      {
        records: event.Records.filter(({ dynamodb }) => dynamodb?.Keys?.['sk']?.S === STATE_SORT_KEY),
        groupOf: ({ dynamodb }) => dynamodb?.Keys?.['pk']?.S ?? '',
        idOf: sequenceNumberOf,
        process: (record, signal) => account(record, dependencies, signal),
        onFailure: (record, error) =>
          dependencies.report({ kind: 'failed', sequenceNumber: sequenceNumberOf(record), error }),
      },
      context.getRemainingTimeInMillis(),
    );
}

async function account(
  change: DynamoDBRecord,
  dependencies: AccountDependencies,
  signal: AbortSignal,
): Promise<void> {
  const before = session(change.dynamodb?.OldImage);
  const after = session(change.dynamodb?.NewImage);
  const item = historyItem(before, after, recordedAtMs(change));
  // First: whichever fails, the record comes again as a whole, and the table knows the item again for good, SQS the
  // messages for five minutes.
  if (item !== undefined) await dependencies.writeHistory(item, signal);

  const known = after ?? before;
  const records = accountingRecords(before, after);
  if (known === undefined || records.length === 0) return;
  const group = messageGroup(Buffer.from(known.acctSessionId));
  await dependencies.send(
    known.nas.site,
    records.map((record) => outgoing(record, group)),
    signal,
  );
  for (const record of records) {
    const { correlationId } = record.message;
    dependencies.report({ kind: 'accounted', correlationId, site: known.nas.site, record });
  }
}

function session(image: NonNullable<DynamoDBRecord['dynamodb']>['NewImage']) {
  // The two types describe one thing; that of the event lacks the members that no item of ours has.
  return image && sessionFromImage(image as Image);
}

function recordedAtMs({ dynamodb }: DynamoDBRecord): number {
  const { ApproximateCreationDateTime: recordedAt = 0 } = dynamodb ?? {};
  // Lambda has seconds; a record that an operator hands over has gone through the AWS CLI, which makes ISO 8601 of them.
  return typeof recordedAt === 'number' ? Math.floor(recordedAt * 1000) : Date.parse(recordedAt);
}

function outgoing({ id, message }: AccountingRecord, group: string): OutgoingMessage {
  // A stream record that comes twice makes the same identifier, and SQS drops the second for five minutes.
  const deduplicationId = createHash('sha256').update(id).digest('hex');
  return { body: message, group, deduplicationId };
}

function sequenceNumberOf({ dynamodb }: DynamoDBRecord): string {
  return dynamodb?.SequenceNumber ?? '';
}
