// decide as a Lambda function: the handler, with what its environment names.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS, STUCK_AFTER_ATTEMPTS } from '../../core/cloud/metrics.ts';
import type { Deployment } from '../../core/deployment.ts';
import { errorCauseName } from '../../core/radius/attributes.ts';
import { standingOf } from '../../core/subscriber/life.ts';
import type { Arrival } from '../shared/change-report.ts';
import { createScheduler } from '../shared/due-queue.ts';
import { DecideEnvironment, readEnvironment } from '../shared/environment.ts';
import { createDeliverAgain } from '../shared/message-batch.ts';
import { Metrics } from '../shared/metrics.ts';
import { createSiteSender } from '../shared/queue.ts';
import { createSessionLookUp } from '../shared/session-look-up.ts';
import { createSessionStore } from '../shared/session-store.ts';
import { log, logFailure, withMetrics } from '../shared/telemetry.ts';
import { withoutIdentity } from '../shared/without-identity.ts';
import { createDecide } from './decide.ts';
import type { DecideReport } from './report.ts';

const environment = readEnvironment(DecideEnvironment, process.env);
const deployment = JSON.parse(readFileSync(environment.DEPLOYMENT_FILE, 'utf8')) as Deployment;
const metrics = new Metrics('decide');
const sqs = new SQSClient({});
const dynamodb = new DynamoDBClient({});
const store = createSessionStore(dynamodb, environment.TABLE_NAME);

export const handler = withMetrics(
  createDecide({
    deployment,
    store,
    lookUp: createSessionLookUp({
      dynamodb,
      tableName: environment.TABLE_NAME,
      store,
      now: Date.now,
      pause: (ms, signal) => setTimeout(ms, undefined, { signal }),
      standingOf: (session) => standingOf(session, Date.now()),
    }),
    send: createSiteSender(sqs, environment.OUTBOX_URLS, 'outbox'),
    forward: createSiteSender(sqs, environment.INBOX_URLS, 'inbox'),
    deliverAgain: createDeliverAgain(sqs, environment.DUE_QUEUE_URL),
    schedule: createScheduler(sqs, environment.DUE_QUEUE_URL, Date.now),
    now: Date.now,
    report,
  }),
  metrics,
);

function report(whole: DecideReport): void {
  const event = deployment.logIdentity === false ? withoutIdentity(whole) : whole;
  switch (event.kind) {
    case 'not-scheduled':
      logFailure(event);
      return;
    case 'failed':
      logFailure(event);
      metrics.add('FailedMessages', 'Count', 1);
      return;
    case 'found':
      log(event);
      return;
    case 'refused':
      log(event);
      measureArrival(event);
      countAnswer('nak', event.errorCause);
      return;
    case 'discarded':
      log(event);
      measureArrival(event);
      metrics.add(METRICS.discarded, 'Count', 1, { Reason: event.reason });
      return;
    case 'decided': {
      const { effects, nas, outcome, lostRaces, unconfirmed, drifted, retryAttempts = 0 } = event;
      log({ ...event, effects: effects.map(({ kind }) => kind) });
      measureArrival(event);
      if (outcome !== undefined)
        metrics.add(METRICS.nasOutcomes, 'Count', 1, { Nas: nas, Result: outcome.result });
      if (lostRaces > 0) metrics.add('LostRaces', 'Count', lostRaces);
      // The alarms are on the sum of all NASes, the graphs have each.
      for (const dimensions of unconfirmed.length > 0 ? [{}, { Nas: nas }] : [])
        metrics.add(METRICS.unconfirmed, 'Count', unconfirmed.length, dimensions);
      for (const dimensions of drifted.length > 0 ? [{}, { Nas: nas }] : [])
        metrics.add(METRICS.drifted, 'Count', drifted.length, dimensions);
      if (retryAttempts >= STUCK_AFTER_ATTEMPTS) metrics.add(METRICS.stuckDeactivations, 'Count', 1);
      for (const effect of effects)
        if (effect.kind === 'reply') countAnswer(effect.answer, effect.errorCause);
    }
  }
}

function measureArrival({ queuedAtMs, relayClock }: Partial<Arrival>): void {
  if (queuedAtMs !== undefined) {
    metrics.add(METRICS.decisionLatency, 'Milliseconds', Math.max(0, Date.now() - queuedAtMs));
  }
  // The alarm is on the worst of all relays, the graph has each.
  const relay = Object.hasOwn(deployment.nasesBySite, relayClock?.relay ?? '')
    ? relayClock?.relay
    : undefined;
  for (const dimensions of relayClock === undefined ? [] : [{}, { Relay: relay ?? 'other' }])
    metrics.add(METRICS.clockSkew, 'Milliseconds', Math.abs(relayClock?.skewMs ?? 0), dimensions);
}

function countAnswer(answer: 'ack' | 'nak', errorCause: number | undefined): void {
  metrics.add(METRICS.answers, 'Count', 1, {
    Answer: answer === 'ack' ? 'CoA-ACK' : 'CoA-NAK',
    ...(errorCause !== undefined && { ErrorCause: errorCauseName(errorCause) ?? 'other' }),
  });
}
