// What Interlock uses of AWS, on this machine: the table in dynoxide, the queues in fauxqs.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { startDynoxide } from './dynoxide.ts';
import { startFauxqs } from './fauxqs.ts';
import { type CloudQueues, ensureQueues } from './queues.ts';
import { ensureTable, TABLE_NAME } from './table.ts';

export interface EmbeddedCloudOptions {
  readonly sites: readonly string[];
  /** Keeps table and queues over a restart. @default none: all of it lives in memory */
  readonly dataDirectory?: string;
  /** A DynamoDB to use instead of the embedded one. */
  readonly dynamodbEndpoint?: string;
  /** Told when the embedded DynamoDB ends though nobody stopped it. */
  readonly onDeath: (reason: string) => void;
}

/** For the constructor of an SDK client. */
export interface ClientConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface EmbeddedCloud extends CloudQueues {
  /** For the table and for its stream. */
  readonly dynamodb: ClientConfig;
  /** SDK clients would otherwise send to the host in a queue's URL. */
  readonly sqs: ClientConfig & { readonly useQueueUrlAsEndpoint: false };
  readonly tableName: string;
  readonly streamArn: string;
  stop(): Promise<void>;
}

const LOCAL = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

/**
 * Starts the emulators on free ports of 127.0.0.1 and creates in them what is not there yet.
 * @throws ConfigurationError when there is no DynamoDB to use, or its table is not ours.
 */
export async function startEmbeddedCloud(options: EmbeddedCloudOptions): Promise<EmbeddedCloud> {
  const { sites, dataDirectory, dynamodbEndpoint, onDeath } = options;
  if (dataDirectory !== undefined) mkdirSync(dataDirectory, { recursive: true });
  const databaseFile = dataDirectory === undefined ? undefined : join(dataDirectory, 'dynamodb.db');
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(running.map((emulator) => emulator.stop()));
  };
  const start = async <E extends { stop(): Promise<void> }>(emulator: Promise<E>): Promise<E> => {
    running.push(await emulator);
    return emulator;
  };
  try {
    const endpoint = dynamodbEndpoint ?? (await start(startDynoxide({ databaseFile, onDeath }))).endpoint;
    const dynamodb = { endpoint, ...LOCAL };
    const fauxqs = await start(startFauxqs(dataDirectory));
    const sqs = { endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false } as const;
    return {
      dynamodb,
      sqs,
      tableName: TABLE_NAME,
      streamArn: await ensureTable(new DynamoDBClient(dynamodb), TABLE_NAME),
      ...(await ensureQueues(new SQSClient(sqs), fauxqs.endpoint, sites)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
