// sweep as a Lambda function: the handler, with what its environment names.
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS } from '../../core/cloud.ts';
import { readEnvironment, SweepEnvironment } from '../environment.ts';
import { createTelemetry, withTelemetry } from '../telemetry.ts';
import { createSweep } from './sweep.ts';

const environment = readEnvironment(SweepEnvironment, process.env);
const telemetry = createTelemetry('sweep');

export const handler = withTelemetry(
  createSweep({
    dynamodb: new DynamoDBClient({}),
    tableName: environment.TABLE_NAME,
    sqs: new SQSClient({}),
    dueQueueUrl: environment.DUE_QUEUE_URL,
    now: Date.now,
    report(event) {
      const { logger, metrics } = telemetry;
      if (event.found > 0) logger.info('swept', { ...event });
      metrics.addMetric('Due', MetricUnit.Count, event.found);
      metrics.addMetric(METRICS.overdue, MetricUnit.Milliseconds, event.overdueMs);
    },
  }),
  telemetry,
);
