// The whole of Interlock in one process: emulated cloud, the functions that are deployed to AWS, and the relay.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { SQSClient } from '@aws-sdk/client-sqs';
import {
  ACCOUNT_TIMEOUT_SECONDS,
  DECIDE_TIMEOUT_SECONDS,
  INBOX_BATCH_SIZE,
  STATE_SORT_KEY,
  STREAM_BATCH_SIZE,
  STREAM_MAX_RETRIES,
  SWEEP_INTERVAL_SECONDS,
  TABLE,
} from '../core/cloud.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { parseServicesFile } from '../core/config/services-file.ts';
import { parseSiteFile } from '../core/config/site-file.ts';
import { deploymentOf } from '../core/deployment.ts';
import type { Endpoint } from '../core/messages.ts';
import type { Attribute } from '../core/radius/codec.ts';
import { type AccountReport, createAccount } from '../functions/account/account.ts';
import { createDecide, type DecideReport } from '../functions/decide/decide.ts';
import { createSiteSender } from '../functions/queue.ts';
import { createSessionStore } from '../functions/session-store.ts';
import { createSweep } from '../functions/sweep/sweep.ts';
import { createTelemetry, withTelemetry } from '../functions/telemetry.ts';
import type { RelayEvent } from '../relay/events.ts';
import { type Relay, startRelay } from '../relay/relay.ts';
import { readSite } from '../relay/site.ts';
import { startAccountingSink } from './accounting-sink.ts';
import { type EmbeddedCloud, startEmbeddedCloud } from './embedded-cloud.ts';
import { openCheckpoints } from './event-source-mapper/checkpoints.ts';
import { mapQueue } from './event-source-mapper/map-queue.ts';
import { mapStream } from './event-source-mapper/map-stream.ts';

/** Everything that happens, from whom it comes. */
export type SystemEvent =
  | { readonly source: 'relay'; readonly event: RelayEvent }
  | { readonly source: 'decide'; readonly event: DecideReport }
  | { readonly source: 'account'; readonly event: AccountReport }
  | {
      readonly source: 'sink';
      readonly event: { readonly kind: 'recorded'; readonly attributes: readonly Attribute[] };
    }
  | { readonly source: 'cloud'; readonly event: { readonly kind: 'problem'; readonly problem: string } };

export interface SystemOptions {
  readonly servicesFile: string;
  readonly siteFile: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the state is kept. @default none: it is gone when the process ends */
  readonly dataDirectory?: string;
  /** A DynamoDB to use instead of the embedded one. */
  readonly dynamodbEndpoint?: string;
  /** @default as on AWS, once a minute */
  readonly sweepIntervalSeconds?: number;
  readonly report: (event: SystemEvent) => void;
}

export interface System {
  readonly site: string;
  readonly coaAddress: Endpoint;
  readonly httpAddress: Endpoint;
  /** Accounting addresses that nobody listened on, where the built-in sink does now. */
  readonly sinks: readonly Endpoint[];
  readonly cloud: EmbeddedCloud;
  readonly relay: Relay;
  stop(): Promise<void>;
}

/** A failed message comes again after so long; on AWS it waits for its visibility timeout. */
const RETRY_DELAY_SECONDS = 2;

/**
 * Starts everything; when it returns, requests are answered.
 * @throws ConfigurationError in sentences for whoever wrote the files or started this.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { servicesFile, siteFile, environment, dataDirectory, report } = options;
  const catalogue = parseServicesFile(servicesFile, await readText(servicesFile));
  const siteDefinition = parseSiteFile(siteFile, await readText(siteFile));
  const reportRelay = (event: RelayEvent) => report({ source: 'relay', event });
  const relaySite = await readSite(siteFile, environment, reportRelay);
  const { site } = siteDefinition;

  const parts: { stop(): Promise<unknown> }[] = [];
  /** The last one started is the first to be stopped. */
  const stop = async () => {
    for (const part of parts.splice(0).reverse()) await part.stop();
  };
  const started = <P extends { stop(): Promise<unknown> }>(part: P): P => {
    parts.push(part);
    return part;
  };
  try {
    const problem = (sentence: string) =>
      report({ source: 'cloud', event: { kind: 'problem', problem: sentence } });
    const cloud = started(
      await startEmbeddedCloud({
        sites: [site],
        ...(dataDirectory !== undefined && { dataDirectory }),
        ...(options.dynamodbEndpoint !== undefined && { dynamodbEndpoint: options.dynamodbEndpoint }),
        onDeath: problem,
      }),
    );
    const queues = cloud.queues[site];
    if (queues === undefined) throw new Error(`there are no queues of the site ${site}`);
    const sqs = new SQSClient(cloud.sqs);
    const surroundings = { report: problem };

    const decide = createDecide({
      deployment: deploymentOf(catalogue, [siteDefinition]),
      store: createSessionStore(new DynamoDBClient(cloud.dynamodb), cloud.tableName),
      send: createSiteSender(sqs, { [site]: queues.outbox.url }, 'outbox'),
      now: Date.now,
      report: (event) => report({ source: 'decide', event }),
    });
    const target = {
      name: 'decide',
      timeoutSeconds: DECIDE_TIMEOUT_SECONDS,
      handler: withTelemetry(decide, createTelemetry('decide', 'SILENT')),
    };
    for (const queue of [queues.inbox, cloud.due]) {
      const batchSize = INBOX_BATCH_SIZE;
      started(
        mapQueue({ ...surroundings, sqs, queue, target, batchSize, retryDelaySeconds: RETRY_DELAY_SECONDS }),
      );
    }
    const sweep = createSweep({
      dynamodb: new DynamoDBClient(cloud.dynamodb),
      tableName: cloud.tableName,
      sqs,
      dueQueueUrl: cloud.due.url,
      now: Date.now,
      report: () => {},
    });
    started(startSchedule(sweep, options.sweepIntervalSeconds ?? SWEEP_INTERVAL_SECONDS, problem));
    const account = createAccount({
      send: createSiteSender(sqs, { [site]: queues.accounting.url }, 'accounting queue'),
      report: (event) => report({ source: 'account', event }),
    });
    const checkpointFile = dataDirectory && join(dataDirectory, 'stream.json');
    started(
      mapStream({
        ...surroundings,
        streams: new DynamoDBStreamsClient(cloud.dynamodb),
        streamArn: cloud.streamArn,
        target: {
          name: 'account',
          timeoutSeconds: ACCOUNT_TIMEOUT_SECONDS,
          handler: withTelemetry(account, createTelemetry('account', 'SILENT')),
        },
        checkpoints: openCheckpoints(cloud.streamArn, checkpointFile),
        filter: { dynamodb: { Keys: { [TABLE.sortKey]: { S: [STATE_SORT_KEY] } } } },
        batchSize: STREAM_BATCH_SIZE,
        maximumRetryAttempts: STREAM_MAX_RETRIES,
        bisectBatchOnError: true,
        onFailure: { sqs, queueUrl: cloud.accountFailures.url },
      }),
    );

    const sinks: Endpoint[] = [];
    for (const { address, port, secret } of relaySite.accounting) {
      const onRecord = (attributes: readonly Attribute[]) =>
        report({ source: 'sink', event: { kind: 'recorded', attributes } });
      const sink = await startAccountingSink({ address, port }, [secret], onRecord);
      if (sink !== undefined) sinks.push(started(sink).address);
    }
    const relay = await startRelay({
      site: relaySite,
      queues: { inbox: queues.inbox.url, outbox: queues.outbox.url, accounting: queues.accounting.url },
      sqs,
      now: Date.now,
      monotonicNow: () => performance.now(),
      random: Math.random,
      newId: randomUUID,
      report: reportRelay,
    });
    started({ stop: () => relay.drain() });
    const { coaAddress, httpAddress } = relay;
    return { site, coaAddress, httpAddress, sinks, cloud, relay, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs `task` every so often, as EventBridge does; a run that fails is told of and the next one goes on. */
function startSchedule(
  task: () => Promise<void>,
  intervalSeconds: number,
  problem: (sentence: string) => void,
) {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(task).catch((error) => problem(`sweep: ${error}`));
  }, intervalSeconds * 1000);
  return {
    async stop(): Promise<void> {
      clearInterval(timer);
      await running;
    },
  };
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError([`${file}: cannot be read (${error.code})`]);
  });
}
