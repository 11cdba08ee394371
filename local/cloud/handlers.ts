// The handlers that are deployed to AWS, in this process.
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBRecord, SQSRecord } from 'aws-lambda';
import type { QueueName } from '../../core/cloud/queues.ts';
import { type Deployment, nasNames, nasSites } from '../../core/deployment.ts';
import { standingOf } from '../../core/subscriber/life.ts';
import { type AccountReport, createAccount } from '../../functions/account/account.ts';
import { createDecide } from '../../functions/decide/decide.ts';
import type { DecideReport } from '../../functions/decide/report.ts';
import { createIngest } from '../../functions/ingest/ingest.ts';
import { createNasRestarts } from '../../functions/ingest/nas-restarts.ts';
import type { IngestReport } from '../../functions/ingest/report.ts';
import { createScheduler } from '../../functions/shared/due-queue.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createDeliverAgain } from '../../functions/shared/message-batch.ts';
import { createSetAside, createSiteSender } from '../../functions/shared/queue.ts';
import { createSessionLookUp } from '../../functions/shared/session-look-up.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { createNasCheck, type NasCheckReport } from '../../functions/sweep/nas-check.ts';
import { createSweep } from '../../functions/sweep/sweep.ts';
import type { EmbeddedCloud } from './embedded-cloud.ts';
import type { LambdaFunction } from './event-source-mapper/lambda-function.ts';

/** The entry point of each function. */
export interface Handlers {
  readonly decide: LambdaFunction<SQSRecord>['handler'];
  readonly ingest: LambdaFunction<SQSRecord>['handler'];
  readonly account: LambdaFunction<DynamoDBRecord>['handler'];
  readonly sweep: () => Promise<unknown>;
}

export type HandlerEvent =
  | { readonly source: 'decide'; readonly event: DecideReport }
  | { readonly source: 'ingest'; readonly event: IngestReport }
  | { readonly source: 'account'; readonly event: AccountReport }
  | { readonly source: 'sweep'; readonly event: NasCheckReport };

export interface HandlersOptions {
  readonly cloud: Omit<EmbeddedCloud, 'stop'>;
  readonly deployment: Deployment;
  readonly report: (event: HandlerEvent) => void;
}

/** Creates the functions against the emulated cloud. */
export function createHandlers({ cloud, deployment, report }: HandlersOptions): Handlers {
  const { tableName } = cloud;
  const sqs = new SQSClient(cloud.sqs);
  const dynamodb = new DynamoDBClient(cloud.dynamodb);
  const sites = Object.entries(cloud.queues);
  const senderTo = (name: QueueName) =>
    createSiteSender(sqs, Object.fromEntries(sites.map(([site, queues]) => [site, queues[name].url])), name);
  const sessions = { dynamodb, tableName, nasNames: nasNames(deployment), now: Date.now };
  const sweep = createSweep({ ...sessions, sqs, dueQueueUrl: cloud.due.url, report: () => {} });
  const checkNases = createNasCheck({
    ...sessions,
    report: (event) => report({ source: 'sweep', event }),
  });
  const store = createSessionStore(dynamodb, tableName);
  const deliverAgain = createDeliverAgain(sqs, cloud.due.url);
  return {
    decide: createDecide({
      deployment,
      store,
      lookUp: createSessionLookUp({
        dynamodb,
        tableName,
        store,
        now: Date.now,
        pause: (ms, signal) => setTimeout(ms, undefined, { signal }),
        standingOf: (session) => standingOf(session, Date.now()),
      }),
      send: senderTo('outbox'),
      forward: senderTo('inbox'),
      deliverAgain,
      schedule: createScheduler(sqs, cloud.due.url, Date.now),
      now: Date.now,
      report: (event) => report({ source: 'decide', event }),
    }),
    ingest: createIngest({
      deployment,
      store,
      restarts: createNasRestarts(dynamodb, tableName),
      send: senderTo('outbox'),
      goOn: senderTo('feed'),
      deliverAgain,
      schedule: createScheduler(sqs, cloud.due.url, Date.now),
      now: Date.now,
      report: (event) => report({ source: 'ingest', event }),
    }),
    account: createAccount({
      nasSites: nasSites(deployment),
      writeHistory: createHistoryWriter(dynamodb, tableName),
      send: senderTo('accounting'),
      setAside: createSetAside(sqs, cloud.accountFailures.url),
      report: (event) => report({ source: 'account', event }),
    }),
    sweep: async () => {
      await sweep();
      await checkNases();
    },
  };
}
