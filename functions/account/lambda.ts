// account as a Lambda function.
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS } from '../../core/cloud/metrics.ts';
import { AccountEnvironment, readEnvironment } from '../shared/environment.ts';
import { createHistoryWriter } from '../shared/history-writer.ts';
import { Metrics } from '../shared/metrics.ts';
import { createSetAside, createSiteSender } from '../shared/queue.ts';
import { log, logFailure, withMetrics } from '../shared/telemetry.ts';
import { type AccountReport, createAccount } from './account.ts';

const environment = readEnvironment(AccountEnvironment, process.env);
const metrics = new Metrics('account');
const sqs = new SQSClient({});

/** The handler of account, with the table and queues that its environment names. */
export const handler = withMetrics(
  createAccount({
    nasSites: new Map<string, string>(JSON.parse(readFileSync(environment.NAS_SITES_FILE, 'utf8'))),
    writeHistory: createHistoryWriter(new DynamoDBClient({}), environment.TABLE_NAME),
    send: createSiteSender(sqs, environment.ACCOUNTING_URLS, 'accounting queue'),
    setAside: createSetAside(sqs, environment.FAILURES_URL),
    report,
  }),
  metrics,
);

function report(event: AccountReport): void {
  if (event.kind === 'failed' || event.kind === 'set-aside') {
    logFailure(event);
    metrics.add(event.kind === 'failed' ? 'FailedRecords' : METRICS.setAsideRecords, 'Count', 1);
    return;
  }
  if (event.kind === 'unmade') {
    logFailure({ ...event, error: event.reason });
    metrics.add(METRICS.unmadeRecords, 'Count', 1);
    return;
  }
  const { attributes: _, ...message } = event.record.message;
  log({ ...message, kind: event.kind, site: event.site });
  metrics.add(`Acct${message.status}s`, 'Count', 1);
}
