// account: makes of each write of a session, which the table's stream shows, a history item in the table, and
// Acct-Starts and Acct-Stops in the accounting queue of its site. The messages of one subscriber session share a
// message group, so its Start precedes its Stop.
import { createHash } from 'node:crypto';
import type { Context, DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { STATE_SORT_KEY } from '../../core/cloud/table.ts';
import { messageGroup } from '../../core/messages.ts';
import {
  type AccountingRecord,
  accountingRecords,
  type UnmadeRecord,
  unmadeRecords,
} from '../../core/service-accounting.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import { keyOf } from '../../core/subscriber/key.ts';
import { UnreadableItem } from '../../core/subscriber/upgrade.ts';
import { type Fate, processBatch } from '../shared/batch.ts';
import type { WriteHistory } from '../shared/history-writer.ts';
import { NoQueue, type OutgoingMessage, type SetAside } from '../shared/queue.ts';
import { type Image, sessionFromImage } from '../shared/session-store.ts';

/** What account did: it sent an accounting record, could not make one, or failed to process a record of the stream. */
export type AccountReport =
  | {
      readonly kind: 'accounted';
      readonly correlationId: string;
      readonly site: string;
      readonly record: AccountingRecord;
    }
  /** Never sent: its Accounting-Request would be too long. The other records of the session go on. */
  | ({ readonly kind: 'unmade'; readonly site: string } & UnmadeRecord)
  /** No delivery would succeed with it. It is in the queue of failures now. */
  | { readonly kind: 'set-aside'; readonly sequenceNumber: string; readonly error: unknown }
  /** It is delivered again. */
  | { readonly kind: 'failed'; readonly sequenceNumber: string; readonly error: unknown };

/** What account works with. */
export interface AccountDependencies {
  /** The site of each NAS today, by each name under which its sessions may be stored. */
  readonly nasSites: ReadonlyMap<string, string>;
  readonly writeHistory: WriteHistory;
  /** Sends to the accounting queue of a site. Rejects unless SQS has taken all messages. */
  send(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  readonly setAside: SetAside;
  report(event: AccountReport): void;
}

/**
 * The handler of account. Its response names the records that failed, and the later ones of the same sessions; AWS
 * redelivers these, and with them what other sessions have behind them. So a record with which no delivery succeeds is put aside
 * and not named. Images of history items are ignored.
 */
export function createAccount(dependencies: AccountDependencies) {
  return (event: DynamoDBStreamEvent, context: Context): Promise<DynamoDBBatchResponse> =>
    processBatch(
      {
        records: event.Records.filter(({ dynamodb }) => dynamodb?.Keys?.['sk']?.S === STATE_SORT_KEY),
        groupOf: ({ dynamodb }) => dynamodb?.Keys?.['pk']?.S ?? '',
        idOf: sequenceNumberOf,
        process: (record, signal) => account(record, dependencies, signal),
        fateOf: (record, error, signal) => fateOf(record, error, dependencies, signal),
        onFailure: (record, error) =>
          dependencies.report({ kind: 'failed', sequenceNumber: sequenceNumberOf(record), error }),
      },
      context.getRemainingTimeInMillis(),
    );
}

/**
 * A record that this release cannot read, or of a site without a queue, fails at each delivery until there is another deployment.
 * Any other fault may pass, or be mended while the stream keeps the record.
 */
async function fateOf(
  record: DynamoDBRecord,
  error: unknown,
  { setAside, report }: AccountDependencies,
  signal: AbortSignal,
): Promise<Fate> {
  if (!(error instanceof UnreadableItem || error instanceof NoQueue)) return 'blocks';
  await setAside(record, String(error), signal);
  report({ kind: 'set-aside', sequenceNumber: sequenceNumberOf(record), error });
  return 'settled';
}

async function account(
  record: DynamoDBRecord,
  dependencies: AccountDependencies,
  signal: AbortSignal,
): Promise<void> {
  const before = session(record.dynamodb?.OldImage);
  const after = session(record.dynamodb?.NewImage);
  const item = historyItem(before, after, recordedAtMs(record));
  // The history item is written first. If either fails, AWS redelivers the whole record: the table keeps one item
  // however late that is, but SQS drops duplicate messages for 5 minutes only.
  if (item !== undefined) await dependencies.writeHistory(item, signal);

  const known = after ?? before;
  if (known === undefined) return;
  // A NAS that has moved to another site keeps its sessions.
  const site = dependencies.nasSites.get(keyOf(known).nas) ?? known.nas.site;
  for (const unmade of unmadeRecords(before, after)) dependencies.report({ kind: 'unmade', site, ...unmade });
  const records = accountingRecords(before, after);
  if (records.length === 0) return;
  const group = messageGroup(Buffer.from(known.acctSessionId));
  await dependencies.send(
    site,
    records.map((record) => outgoing(record, group)),
    signal,
  );
  for (const record of records) {
    const { correlationId } = record.message;
    dependencies.report({ kind: 'accounted', correlationId, site, record });
  }
}

function session(image: NonNullable<DynamoDBRecord['dynamodb']>['NewImage']) {
  // The types are of the same JSON. That of the event lacks kinds of values that these items do not have.
  return image && sessionFromImage(image as Image);
}

function recordedAtMs({ dynamodb }: DynamoDBRecord): number {
  const { ApproximateCreationDateTime: recordedAt = 0 } = dynamodb ?? {};
  // Lambda has seconds. In a record that an operator passes on by hand (docs/runbook.md), the AWS CLI has made them ISO
  // 8601.
  return typeof recordedAt === 'number' ? Math.floor(recordedAt * 1000) : Date.parse(recordedAt);
}

function outgoing({ id, message }: AccountingRecord, group: string): OutgoingMessage {
  // A stream record that is redelivered makes the same identifier. SQS drops the duplicate for 5 minutes, and later the relay
  // does.
  const deduplicationId = createHash('sha256').update(id).digest('hex');
  return { body: { ...message, id: deduplicationId }, group, deduplicationId };
}

function sequenceNumberOf({ dynamodb }: DynamoDBRecord): string {
  return dynamodb?.SequenceNumber ?? '';
}
