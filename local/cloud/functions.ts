// Invokes the functions on this machine, as the event source mappings and the schedule do on AWS.
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  ACCOUNT_TIMEOUT_SECONDS,
  DECIDE_TIMEOUT_SECONDS,
  INBOX_BATCH_SIZE,
  INGEST_TIMEOUT_SECONDS,
  STREAM_BATCH_SIZE,
  STREAM_MAX_RETRIES,
  SWEEP_INTERVAL_SECONDS,
} from '../../core/cloud/queues.ts';
import { STATE_SORT_KEY, TABLE } from '../../core/cloud/table.ts';
import type { EmbeddedCloud } from './embedded-cloud.ts';
import { openCheckpoints } from './event-source-mapper/checkpoints.ts';
import { mapQueue } from './event-source-mapper/map-queue.ts';
import { mapStream } from './event-source-mapper/map-stream.ts';
import type { HandlerEvent, Handlers } from './handlers.ts';
import type { Queue } from './queues.ts';

export type FunctionEvent =
  | HandlerEvent
  | { readonly source: 'cloud'; readonly event: { readonly kind: 'problem'; readonly problem: string } };

export interface FunctionsOptions {
  readonly cloud: Omit<EmbeddedCloud, 'stop'>;
  readonly handlers: Handlers;
  /** File that keeps the position in the stream. @default none: the stream is read from its start */
  readonly checkpointFile?: string | undefined;
  /** @default 60, as on AWS */
  readonly sweepIntervalSeconds?: number | undefined;
  readonly report: (event: FunctionEvent) => void;
}

interface Part {
  /** Resolves when the invocations under way have finished. */
  stop(): Promise<unknown>;
}

/** How long until a failed message is delivered again. On AWS that is its visibility timeout. */
const RETRY_DELAY_SECONDS = 5;

/**
 * Starts account on the stream, decide and ingest on their queues, and sweep on its schedule.
 * @throws ConfigurationError when `checkpointFile` holds no checkpoints.
 */
export function startFunctions({
  cloud,
  handlers,
  checkpointFile,
  sweepIntervalSeconds = SWEEP_INTERVAL_SECONDS,
  report,
}: FunctionsOptions): Part {
  const { streamArn } = cloud;
  const sqs = new SQSClient(cloud.sqs);
  const problem = (sentence: string) =>
    report({ source: 'cloud', event: { kind: 'problem', problem: sentence } });

  // Before the other parts start: it may throw.
  const accountOnStream = mapStream({
    streams: new DynamoDBStreamsClient(cloud.dynamodb),
    streamArn,
    target: { name: 'account', timeoutSeconds: ACCOUNT_TIMEOUT_SECONDS, handler: handlers.account },
    checkpoints: openCheckpoints(streamArn, checkpointFile),
    filter: { dynamodb: { Keys: { [TABLE.sortKey]: { S: [STATE_SORT_KEY] } } } },
    batchSize: STREAM_BATCH_SIZE,
    maximumRetryAttempts: STREAM_MAX_RETRIES,
    bisectBatchOnError: true,
    onFailure: { sqs, queueUrl: cloud.accountFailures.url },
    ...(cloud.trimStream !== undefined && { trim: cloud.trimStream }),
    report: problem,
  });
  const decide = { name: 'decide', timeoutSeconds: DECIDE_TIMEOUT_SECONDS, handler: handlers.decide };
  const ingest = { name: 'ingest', timeoutSeconds: INGEST_TIMEOUT_SECONDS, handler: handlers.ingest };
  const on = (queue: Queue, target: typeof decide) =>
    mapQueue({
      sqs,
      queue,
      target,
      batchSize: INBOX_BATCH_SIZE,
      retryDelaySeconds: RETRY_DELAY_SECONDS,
      report: problem,
    });

  const parts: readonly Part[] = [
    accountOnStream,
    ...Object.values(cloud.queues).flatMap(({ inbox, outcomes, feed }) => [
      on(outcomes, decide),
      on(inbox, decide),
      on(feed, ingest),
    ]),
    on(cloud.due, decide),
    startSchedule(handlers.sweep, sweepIntervalSeconds, (error) => problem(`sweep: ${error}`)),
  ];
  return { stop: () => Promise.all(parts.map((part) => part.stop())) };
}

/** Runs `task` at this interval, as EventBridge does. After a failure, which is reported, the next run goes on. */
function startSchedule(
  task: () => Promise<unknown>,
  intervalSeconds: number,
  onError: (error: unknown) => void,
): Part {
  let running: Promise<unknown> = Promise.resolve();
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
