// ingest as a Lambda function: the handler, with what its environment names.
import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { METRICS } from '../../core/cloud/metrics.ts';
import type { Deployment } from '../../core/deployment.ts';
import { createScheduler } from '../shared/due-queue.ts';
import { IngestEnvironment, readEnvironment } from '../shared/environment.ts';
import { createDeliverAgain } from '../shared/message-batch.ts';
import { Metrics } from '../shared/metrics.ts';
import { createSiteSender } from '../shared/queue.ts';
import { createSessionStore } from '../shared/session-store.ts';
import { log, logFailure, withMetrics } from '../shared/telemetry.ts';
import { withoutIdentity } from '../shared/without-identity.ts';
import { createIngest } from './ingest.ts';
import { createNasRestarts } from './nas-restarts.ts';
import type { IngestReport } from './report.ts';

const environment = readEnvironment(IngestEnvironment, process.env);
const deployment = JSON.parse(readFileSync(environment.DEPLOYMENT_FILE, 'utf8')) as Deployment;
const metrics = new Metrics('ingest');
const sqs = new SQSClient({});
const dynamodb = new DynamoDBClient({});

export const handler = withMetrics(
  createIngest({
    deployment,
    store: createSessionStore(dynamodb, environment.TABLE_NAME),
    restarts: createNasRestarts(dynamodb, environment.TABLE_NAME),
    send: createSiteSender(sqs, environment.OUTBOX_URLS, 'outbox'),
    goOn: createSiteSender(sqs, environment.FEED_URLS, 'feed queue'),
    deliverAgain: createDeliverAgain(sqs, environment.DUE_QUEUE_URL),
    schedule: createScheduler(sqs, environment.DUE_QUEUE_URL, Date.now),
    now: Date.now,
    report,
  }),
  metrics,
);

function report(whole: IngestReport): void {
  const event = deployment.logIdentity === false ? withoutIdentity(whole) : whole;
  switch (event.kind) {
    case 'not-scheduled':
    case 'failed':
      logFailure(event);
      if (event.kind === 'failed') metrics.add('FailedMessages', 'Count', 1);
      return;
    case 'ignored':
    case 'restarted':
      log(event);
      return;
    case 'decided': {
      const { effects, nas, lostRaces, drifted } = event;
      log({ ...event, effects: effects.map(({ kind }) => kind) });
      // The alarm is on the sum of all NASes, the graph has each.
      for (const dimensions of drifted.length > 0 ? [{}, { Nas: nas }] : [])
        metrics.add(METRICS.drifted, 'Count', drifted.length, dimensions);
      if (lostRaces > 0) metrics.add('LostRaces', 'Count', lostRaces);
    }
  }
}
