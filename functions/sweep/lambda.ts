// sweep as a Lambda function.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS } from '../../core/cloud/metrics.ts';
import { readEnvironment, SweepEnvironment } from '../shared/environment.ts';
import { Metrics } from '../shared/metrics.ts';
import { log, withMetrics } from '../shared/telemetry.ts';
import { createSweep } from './sweep.ts';

const environment = readEnvironment(SweepEnvironment, process.env);
const metrics = new Metrics('sweep');

/** The handler of sweep, with the table and queue that its environment names. */
export const handler = withMetrics(
  createSweep({
    dynamodb: new DynamoDBClient({}),
    tableName: environment.TABLE_NAME,
    sqs: new SQSClient({}),
    dueQueueUrl: environment.DUE_QUEUE_URL,
    now: Date.now,
    report(event) {
      if (event.found + event.left > 0) log(event);
      metrics.add('Due', 'Count', event.found);
      metrics.add(METRICS.overdue, 'Milliseconds', event.overdueMs);
    },
  }),
  metrics,
);
