// sweep as a Lambda function.
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS } from '../../core/cloud/metrics.ts';
import { readEnvironment, SweepEnvironment } from '../shared/environment.ts';
import { Metrics } from '../shared/metrics.ts';
import { log, withMetrics } from '../shared/telemetry.ts';
import { createNasCheck } from './nas-check.ts';
import { createSweep } from './sweep.ts';

const environment = readEnvironment(SweepEnvironment, process.env);
const metrics = new Metrics('sweep');

const table = {
  dynamodb: new DynamoDBClient({}),
  tableName: environment.TABLE_NAME,
  nasNames: new Map<string, string>(JSON.parse(readFileSync(environment.NAS_NAMES_FILE, 'utf8'))),
  now: Date.now,
};
const sweep = createSweep({
  ...table,
  sqs: new SQSClient({}),
  dueQueueUrl: environment.DUE_QUEUE_URL,
  report(event) {
    if (event.found + event.left > 0) log(event);
    metrics.add('Due', 'Count', event.found);
    metrics.add(METRICS.overdue, 'Milliseconds', event.overdueMs);
  },
});
const checkNases = createNasCheck({
  ...table,
  report(event) {
    const sessions = Object.values(event.unknown).reduce((sum, count) => sum + count, 0);
    if (sessions > 0) log(event);
    metrics.add(METRICS.unknownNas, 'Count', sessions);
  },
});

/** The handler of sweep, with the table and queue that its environment names. */
export const handler = withMetrics(async () => {
  await sweep();
  await checkNases();
}, metrics);
