// The functions that are deployed to AWS, in this process, invoked by what invokes them there.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  ACCOUNT_TIMEOUT_SECONDS,
  DECIDE_TIMEOUT_SECONDS,
  INBOX_BATCH_SIZE,
  type QueueName,
  STATE_SORT_KEY,
  STREAM_BATCH_SIZE,
  STREAM_MAX_RETRIES,
  SWEEP_INTERVAL_SECONDS,
  TABLE,
} from '../core/cloud.ts';
import type { Deployment } from '../core/deployment.ts';
import { type AccountReport, createAccount } from '../functions/account/account.ts';
import { createDecide, type DecideReport } from '../functions/decide/decide.ts';
import { createSiteSender } from '../functions/queue.ts';
import { createSessionStore } from '../functions/session-store.ts';
import { createSweep } from '../functions/sweep/sweep.ts';
import { createTelemetry, withTelemetry } from '../functions/telemetry.ts';
import type { EmbeddedCloud } from './embedded-cloud.ts';
import { openCheckpoints } from './event-source-mapper/checkpoints.ts';
import { mapQueue } from './event-source-mapper/map-queue.ts';
import { mapStream } from './event-source-mapper/map-stream.ts';
import type { Queue } from './queues.ts';

export type FunctionEvent =
  | { readonly source: 'decide'; readonly event: DecideReport }
  | { readonly source: 'account'; readonly event: AccountReport }
  | { readonly source: 'cloud'; readonly event: { readonly kind: 'problem'; readonly problem: string } };

export interface FunctionsOptions {
  readonly cloud: Omit<EmbeddedCloud, 'stop'>;
  readonly deployment: Deployment;
  /** File that keeps how far the stream has been read. @default none: it is read from its start */
  readonly checkpointFile?: string | undefined;
  /** @default as on AWS, once a minute */
  readonly sweepIntervalSeconds?: number | undefined;
  readonly report: (event: FunctionEvent) => void;
}

interface Part {
  /** Finishes what is in hand. */
  stop(): Promise<unknown>;
}

/** A failed message comes again after so long; on AWS it waits for its visibility timeout. */
const RETRY_DELAY_SECONDS = 5;

/**
 * Starts account on the stream, decide on its queues and sweep on its schedule.
 * @throws ConfigurationError when `checkpointFile` holds something else.
 */
export function startFunctions({
  cloud,
  deployment,
  checkpointFile,
  sweepIntervalSeconds = SWEEP_INTERVAL_SECONDS,
  report,
}: FunctionsOptions): Part {
  const { tableName, streamArn } = cloud;
  const sqs = new SQSClient(cloud.sqs);
  const dynamodb = new DynamoDBClient(cloud.dynamodb);
  const problem = (sentence: string) =>
    report({ source: 'cloud', event: { kind: 'problem', problem: sentence } });
  const sites = Object.entries(cloud.queues);
  const senderTo = (name: QueueName) =>
    createSiteSender(sqs, Object.fromEntries(sites.map(([site, queues]) => [site, queues[name].url])), name);

  const account = createAccount({
    send: senderTo('accounting'),
    report: (event) => report({ source: 'account', event }),
  });
  // Before the others, because its checkpoints may be no checkpoints.
  const accountOnStream = mapStream({
    streams: new DynamoDBStreamsClient(cloud.dynamodb),
    streamArn,
    target: {
      name: 'account',
      timeoutSeconds: ACCOUNT_TIMEOUT_SECONDS,
      handler: withTelemetry(account, createTelemetry('account', 'SILENT')),
    },
    checkpoints: openCheckpoints(streamArn, checkpointFile),
    filter: { dynamodb: { Keys: { [TABLE.sortKey]: { S: [STATE_SORT_KEY] } } } },
    batchSize: STREAM_BATCH_SIZE,
    maximumRetryAttempts: STREAM_MAX_RETRIES,
    bisectBatchOnError: true,
    onFailure: { sqs, queueUrl: cloud.accountFailures.url },
    report: problem,
  });

  const decide = createDecide({
    deployment,
    store: createSessionStore(dynamodb, tableName),
    send: senderTo('outbox'),
    now: Date.now,
    report: (event) => report({ source: 'decide', event }),
  });
  const decideOn = (queue: Queue) =>
    mapQueue({
      sqs,
      queue,
      target: {
        name: 'decide',
        timeoutSeconds: DECIDE_TIMEOUT_SECONDS,
        handler: withTelemetry(decide, createTelemetry('decide', 'SILENT')),
      },
      batchSize: INBOX_BATCH_SIZE,
      retryDelaySeconds: RETRY_DELAY_SECONDS,
      report: problem,
    });

  const sweep = createSweep({
    dynamodb,
    tableName,
    sqs,
    dueQueueUrl: cloud.due.url,
    now: Date.now,
    report: () => {},
  });

  const parts: readonly Part[] = [
    accountOnStream,
    ...sites.map(([, { inbox }]) => decideOn(inbox)),
    decideOn(cloud.due),
    startSchedule(sweep, sweepIntervalSeconds, (error) => problem(`sweep: ${error}`)),
  ];
  return { stop: () => Promise.all(parts.map((part) => part.stop())) };
}

/** Runs `task` every so often, as EventBridge does; a run that fails is told of and the next one goes on. */
function startSchedule(
  task: () => Promise<void>,
  intervalSeconds: number,
  onError: (error: unknown) => void,
): Part {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(task).catch(onError);
  }, intervalSeconds * 1000);
  return {
    async stop(): Promise<void> {
      clearInterval(timer);
      await running;
    },
  };
}
