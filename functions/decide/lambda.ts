// decide as a Lambda function: the handler, with what its environment names.
import { readFileSync } from 'node:fs';
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Deployment } from '../../core/deployment.ts';
import { errorCauseName } from '../../core/radius/attributes.ts';
import { DecideEnvironment, readEnvironment } from '../environment.ts';
import { createSiteSender } from '../queue.ts';
import { createSessionStore } from '../session-store.ts';
import { createTelemetry, withTelemetry } from '../telemetry.ts';
import { createDecide, type DecideReport } from './decide.ts';

const environment = readEnvironment(DecideEnvironment, process.env);
const telemetry = createTelemetry('decide');

export const handler = withTelemetry(
  createDecide({
    deployment: JSON.parse(readFileSync(environment.DEPLOYMENT_FILE, 'utf8')) as Deployment,
    store: createSessionStore(new DynamoDBClient({}), environment.TABLE_NAME),
    send: createSiteSender(new SQSClient({}), environment.OUTBOX_URLS, 'outbox'),
    now: Date.now,
    report,
  }),
  telemetry,
);

function report(event: DecideReport): void {
  const { logger, metrics } = telemetry;
  switch (event.kind) {
    case 'failed':
      logger.error('message failed', { messageId: event.messageId, error: event.error });
      metrics.addMetric('FailedMessages', MetricUnit.Count, 1);
      return;
    case 'refused':
      logger.info('refused', { ...event });
      countAnswer('nak', event.errorCause);
      return;
    case 'decided':
      logger.info('decided', { ...event, effects: event.effects.map(({ kind }) => kind) });
      if (event.lostRaces > 0) metrics.addMetric('LostRaces', MetricUnit.Count, event.lostRaces);
      for (const effect of event.effects)
        if (effect.kind === 'reply') countAnswer(effect.answer, effect.errorCause);
  }
}

function countAnswer(answer: 'ack' | 'nak', errorCause: number | undefined): void {
  const single = telemetry.metrics.singleMetric();
  single.addDimension('Answer', answer === 'ack' ? 'CoA-ACK' : 'CoA-NAK');
  if (errorCause !== undefined)
    single.addDimension('ErrorCause', errorCauseName(errorCause) ?? String(errorCause));
  single.addMetric('Answers', MetricUnit.Count, 1);
}
