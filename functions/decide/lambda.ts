// decide as a Lambda function: the handler, with what its environment names.
import { readFileSync } from 'node:fs';
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS } from '../../core/cloud.ts';
import type { Deployment } from '../../core/deployment.ts';
import { errorCauseName } from '../../core/radius/attributes.ts';
import { DecideEnvironment, readEnvironment } from '../environment.ts';
import { createSiteSender } from '../queue.ts';
import { createSessionStore } from '../session-store.ts';
import { createTelemetry, withTelemetry } from '../telemetry.ts';
import { createDecide, type DecideReport } from './decide.ts';

/** A NAS that missed one or two commands may just have been restarted. */
const STUCK_AFTER_ATTEMPTS = 3;

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
      measureLatency(event.receivedAtMs);
      countAnswer('nak', event.errorCause);
      return;
    case 'decided': {
      const { effects, session, result, lostRaces, receivedAtMs, retryAttempts = 0 } = event;
      logger.info('decided', { ...event, effects: effects.map(({ kind }) => kind) });
      if (receivedAtMs !== undefined) measureLatency(receivedAtMs);
      if (result !== undefined) count(METRICS.nasOutcomes, { Nas: session.nas, Result: result });
      if (lostRaces > 0) metrics.addMetric('LostRaces', MetricUnit.Count, lostRaces);
      if (retryAttempts >= STUCK_AFTER_ATTEMPTS)
        metrics.addMetric(METRICS.stuckDeactivations, MetricUnit.Count, 1);
      for (const effect of effects)
        if (effect.kind === 'reply') countAnswer(effect.answer, effect.errorCause);
    }
  }
}

/** The two times are of different machines: what their clocks disagree about is part of it. */
function measureLatency(receivedAtMs: number): void {
  const latencyMs = Math.max(0, Date.now() - receivedAtMs);
  telemetry.metrics.addMetric(METRICS.decisionLatency, MetricUnit.Milliseconds, latencyMs);
}

function countAnswer(answer: 'ack' | 'nak', errorCause: number | undefined): void {
  count(METRICS.answers, {
    Answer: answer === 'ack' ? 'CoA-ACK' : 'CoA-NAK',
    ...(errorCause !== undefined && { ErrorCause: errorCauseName(errorCause) ?? String(errorCause) }),
  });
}

function count(metric: string, dimensions: Readonly<Record<string, string>>): void {
  const single = telemetry.metrics.singleMetric();
  for (const [name, value] of Object.entries(dimensions)) single.addDimension(name, value);
  single.addMetric(metric, MetricUnit.Count, 1);
}
