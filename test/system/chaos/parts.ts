// The processes of one system that can be killed and paused one at a time: relay, functions, emulated DynamoDB. The emulated SQS
// is only paused: it keeps messages in a file, but what it has seen of deduplication ids in memory, where SQS keeps it for five
// minutes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { type Dynoxide, startDynoxide } from '../../../local/cloud/dynoxide.ts';
import type { EmbeddedCloud } from '../../../local/cloud/embedded-cloud.ts';
import { ensureQueues } from '../../../local/cloud/queues.ts';
import { ensureTable } from '../../../local/cloud/table.ts';
import { LOCAL } from '../../local/cloud/emulators.ts';

const PROJECT = join(import.meta.dirname, '../../..');
export const TABLE_NAME = 'interlock';

export interface Part {
  readonly name: string;
  readonly canBeKilled: boolean;
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void;
  /** After a kill; resolves when it serves. */
  start(): Promise<void>;
  /** Kills it for good. */
  stop(): Promise<void>;
}

export interface PartsOptions {
  /** For the state and the logs. */
  readonly directory: string;
  readonly servicesFile: string;
  readonly siteFile: string;
  readonly site: string;
}

export interface Parts {
  readonly all: readonly Part[];
  readonly cloud: Omit<EmbeddedCloud, 'stop'>;
  stop(): Promise<void>;
}

/** Starts all of them. */
export async function startParts({ directory, servicesFile, siteFile, site }: PartsOptions): Promise<Parts> {
  const file = (name: string) => join(directory, name);
  const parts: Part[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).reverse()) await part.stop();
  };
  const started = async <P extends Part>(part: P): Promise<P> => {
    parts.push(part);
    await part.start();
    return part;
  };
  try {
    const table = await started(tablePart(file('dynamodb.db')));
    const queues = await started(
      nodePart({
        name: 'queues',
        canBeKilled: false,
        args: [join(import.meta.dirname, 'queues.ts'), directory],
        env: {},
        log: file('queues.log'),
        isReady: (line) => line.startsWith('http'),
      }),
    );
    const dynamodb = { endpoint: table.endpoint(), ...LOCAL };
    const endpoint = queues.readyLine();
    const sqs = { endpoint, ...LOCAL, useQueueUrlAsEndpoint: false } as const;
    const cloud = {
      dynamodb,
      sqs,
      tableName: TABLE_NAME,
      streamArn: await ensureTable(new DynamoDBClient(dynamodb), TABLE_NAME),
      ...(await ensureQueues(new SQSClient(sqs), endpoint, [site])),
    };
    const urls = cloud.queues[site];
    if (urls === undefined) throw new Error('there are no queues of the site');
    await started(
      nodePart({
        name: 'functions',
        canBeKilled: true,
        args: [join(import.meta.dirname, 'functions.ts'), servicesFile, siteFile, file('stream.json')],
        env: { CHAOS_CLOUD: JSON.stringify(cloud) },
        log: file('functions.log'),
        isReady: (line) => line === 'running',
      }),
    );
    await started(
      nodePart({
        name: 'relay',
        canBeKilled: true,
        args: [join(PROJECT, 'relay/main.ts'), siteFile],
        env: {
          AWS_ENDPOINT_URL_SQS: endpoint,
          AWS_REGION: LOCAL.region,
          AWS_ACCESS_KEY_ID: LOCAL.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: LOCAL.credentials.secretAccessKey,
          INTERLOCK_INBOX_URL: urls.inbox.url,
          INTERLOCK_OUTCOMES_URL: urls.outcomes.url,
          INTERLOCK_OUTBOX_URL: urls.outbox.url,
          INTERLOCK_ACCOUNTING_URL: urls.accounting.url,
          INTERLOCK_FEED_URL: urls.feed.url,
        },
        log: file('relay.log'),
        isReady: (line) => line.includes('"listening"'),
      }),
    );
    return { all: parts.slice(), cloud, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function tablePart(databaseFile: string): Part & { endpoint(): string } {
  let running: Dynoxide | undefined;
  let port: number | undefined;
  let dead = Promise.withResolvers<void>();
  const signal = (name: NodeJS.Signals) => {
    if (running?.pid !== undefined) process.kill(running.pid, name);
  };
  return {
    name: 'table',
    canBeKilled: true,
    endpoint: () => running?.endpoint ?? '',
    signal,
    async start() {
      if (running !== undefined) await dead.promise;
      dead = Promise.withResolvers();
      const onDeath = () => dead.resolve();
      running = await startDynoxide({ ...(port !== undefined && { port }), databaseFile, onDeath });
      port = Number(new URL(running.endpoint).port);
    },
    async stop() {
      signal('SIGCONT');
      await running?.stop();
    },
  };
}

interface NodePart {
  readonly name: string;
  readonly canBeKilled: boolean;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  /** Whether this line of its standard output says that it serves. */
  readonly isReady: (line: string) => boolean;
}

function nodePart({ name, canBeKilled, args, env, log, isReady }: NodePart): Part & { readyLine(): string } {
  let child: ChildProcess | undefined;
  let readyLine = '';
  const kill = () => child?.kill('SIGKILL');
  process.once('exit', kill);
  const isOver = () => child === undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    name,
    canBeKilled,
    readyLine: () => readyLine,
    signal: (signal) => void child?.kill(signal),
    async start() {
      if (!isOver()) await once(child as ChildProcess, 'exit');
      const started = spawn(process.execPath, args, {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      const file = createWriteStream(log, { flags: 'a' });
      const ready = Promise.withResolvers<void>();
      started.stderr.pipe(file, { end: false });
      createInterface(started.stdout).on('line', (line) => {
        file.write(`${line}\n`);
        if (!isReady(line)) return;
        readyLine = line;
        ready.resolve();
      });
      started.once('exit', (code, signal) =>
        ready.reject(new Error(`${name} ended (${signal ?? code}): ${log}`)),
      );
      await ready.promise;
    },
    async stop() {
      process.off('exit', kill);
      if (isOver()) return;
      const exited = once(child as ChildProcess, 'exit');
      kill();
      await exited;
    },
  };
}
