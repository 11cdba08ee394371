// The AWS services that Interlock uses, on this machine: the table in dynoxide, the queues in fauxqs.
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { LOCAL_TABLE_NAME } from '../../core/cloud/table.ts';
import { ConfigurationError } from '../../core/config/problems.ts';
import { claimDataDirectory } from './data-directory.ts';
import { type Dynoxide, startDynoxide } from './dynoxide.ts';
import { startFauxqs } from './fauxqs.ts';
import { type CloudQueues, ensureQueues } from './queues.ts';
import { ensureTable } from './table.ts';

export interface EmbeddedCloudOptions {
  readonly sites: readonly string[];
  /** Keeps table and queues over a restart. @default none: they end with the process */
  readonly dataDirectory?: string;
  /** A DynamoDB to use instead of the embedded one. */
  readonly dynamodbEndpoint?: string;
  /** Called when the embedded DynamoDB ends without `stop`. */
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
  /** Without `useQueueUrlAsEndpoint: false`, an SDK client sends to the host in the URL of a queue. */
  readonly sqs: ClientConfig & { readonly useQueueUrlAsEndpoint: false };
  readonly tableName: string;
  readonly streamArn: string;
  /** Of the embedded DynamoDB: deletes stream records of a shard below this sequence number. */
  readonly trimStream?: Dynoxide['trimStream'];
  stop(): Promise<void>;
}

const LOCAL = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

/**
 * Starts the emulators on free ports of 127.0.0.1, and creates the table and the queues that they lack.
 * @throws ConfigurationError when DynamoDB or its table cannot be used, or the data directory is in use
 */
export async function startEmbeddedCloud(options: EmbeddedCloudOptions): Promise<EmbeddedCloud> {
  const { sites, dataDirectory, dynamodbEndpoint, onDeath } = options;
  if (dynamodbEndpoint !== undefined) checkEndpoint(dynamodbEndpoint);
  const claim = dataDirectory === undefined ? undefined : claimDataDirectory(dataDirectory);
  const databaseFile = dataDirectory === undefined ? undefined : join(dataDirectory, 'dynamodb.db');
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(running.map((emulator) => emulator.stop()));
    claim?.release();
  };
  const start = async <E extends { stop(): Promise<void> }>(emulator: Promise<E>): Promise<E> => {
    running.push(await emulator);
    return emulator;
  };
  try {
    const dynoxide =
      dynamodbEndpoint === undefined ? await start(startDynoxide({ databaseFile, onDeath })) : undefined;
    const endpoint = dynamodbEndpoint ?? dynoxide?.endpoint ?? '';
    const dynamodb = { endpoint, ...LOCAL };
    const fauxqs = await start(startFauxqs(dataDirectory));
    const sqs = { endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false } as const;
    return {
      dynamodb,
      sqs,
      tableName: LOCAL_TABLE_NAME,
      streamArn: await ensureTable(new DynamoDBClient(dynamodb), LOCAL_TABLE_NAME).catch((error) => {
        throw dynamodbEndpoint === undefined ? error : unusable(dynamodbEndpoint, error);
      }),
      ...(dynoxide !== undefined && { trimStream: dynoxide.trimStream }),
      ...(await ensureQueues(new SQSClient(sqs), fauxqs.endpoint, sites)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function checkEndpoint(endpoint: string): void {
  if (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)) return;
  throw new ConfigurationError([
    `${endpoint}: expected the URL of a DynamoDB endpoint, for instance http://127.0.0.1:8000`,
  ]);
}

function unusable(endpoint: string, error: NodeJS.ErrnoException): Error {
  if (error instanceof ConfigurationError) return error;
  // Where a host has several addresses and none answers, the error has a code but no message.
  return new ConfigurationError([
    `the DynamoDB at ${endpoint} cannot be used: ${error.message || error.code}`,
  ]);
}
