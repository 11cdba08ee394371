// Shared by the tests of the functions: a table in dynoxide, messages of the inbox, and the context of an invocation.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Context, SQSRecord } from 'aws-lambda';
import { type FeedMessage, MESSAGE_VERSION, type RequestMessage } from '../../core/messages.ts';
import type { DecideDependencies } from '../../functions/decide/decide.ts';
import { startDynoxide } from '../../local/cloud/dynoxide.ts';
import { ensureTable } from '../../local/cloud/table.ts';
import { LOCAL } from '../local/cloud/emulators.ts';
import { signedRequest, type Wanted, wantedAttributes } from '../relay/support.ts';

interface Item010 {
  readonly pk: string;
  readonly acctSessionId: string;
  readonly version: number;
  readonly recentEvents: unknown;
}

/** Items as 0.1.0 wrote them, by what was under way. */
export const ITEMS_010: Readonly<Record<string, Item010>> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../core/subscriber/items/0.1.0.json'), 'utf8'),
);

export interface Table {
  readonly endpoint: string;
  readonly client: DynamoDBClient;
  readonly name: string;
  stop(): Promise<void>;
}

/** The sessions table in a DynamoDB of its own. */
export async function startTable(): Promise<Table> {
  const dynoxide = await startDynoxide({
    onDeath: (reason) => {
      throw new Error(reason);
    },
  });
  const client = new DynamoDBClient({ endpoint: dynoxide.endpoint, ...LOCAL });
  const name = 'sessions';
  await ensureTable(client, name);
  return {
    endpoint: dynoxide.endpoint,
    client,
    name,
    stop: async () => {
      client.destroy();
      await dynoxide.stop();
    },
  };
}

/** The context of an invocation with this remaining time, in milliseconds. */
export function context(remainingTimeMs = 10_000): Context {
  return {
    functionName: 'under-test',
    awsRequestId: randomUUID(),
    getRemainingTimeInMillis: () => remainingTimeMs,
  } as Context;
}

export interface Asked extends Wanted {
  /** Requests that differ in nothing else are byte-identical. */
  readonly identifier?: number;
  readonly correlationId?: string;
  readonly port?: number;
}

/** A CoA-Request as the relay sends it to the inbox. */
export function requestMessage({
  identifier = 1,
  correlationId = randomUUID(),
  port = 4000,
  ...wanted
}: Asked): RequestMessage {
  const attributes = wantedAttributes(wanted);
  return {
    version: MESSAGE_VERSION,
    kind: 'request',
    correlationId,
    receivedAtMs: 4_000_000_000_000,
    patienceSeconds: 10,
    origin: {
      kind: 'radius',
      relay: 'demo',
      client: { name: 'policy', address: '127.0.0.1', port },
      packet: Buffer.from(signedRequest({ identifier, attributes })).toString('base64'),
    },
  };
}

/** When the records happen of which a test does not say. */
export const FED_AT_MS = Date.UTC(2026, 10, 22, 12);

/** What a NAS has accounted, as the relay sends it to the feed queue. */
export function feedMessage(over: Partial<FeedMessage> & Pick<FeedMessage, 'status'>): FeedMessage {
  return {
    version: MESSAGE_VERSION,
    kind: 'feed',
    correlationId: randomUUID(),
    relay: 'demo',
    feed: 'bng-1',
    receivedAtMs: over.eventAtMs ?? FED_AT_MS,
    nas: 'bng-1',
    eventAtMs: FED_AT_MS,
    isStamped: true,
    identity: {},
    classes: [],
    ...over,
  };
}

/** A message of the feed queue as Lambda delivers it. */
export function feedRecord(body: object | string, { group }: { readonly group?: string } = {}): SQSRecord {
  return inboxRecord(body, { queueArn: FEED_ARN, ...(group !== undefined && { group }) });
}

/** What decide does not use where each request has an Acct-Session-Id. */
export const NO_LOOK_UP: Pick<DecideDependencies, 'lookUp' | 'forward'> = {
  lookUp: { find: isNotUsed, remember: isNotUsed, recall: isNotUsed, bind: isNotUsed, boundTo: isNotUsed },
  forward: isNotUsed,
};

function isNotUsed(): Promise<never> {
  return Promise.reject(new Error('no session has to be looked up'));
}

export const INBOX_ARN = 'arn:aws:sqs:us-east-1:000000000000:demo-inbox.fifo';
export const FEED_ARN = 'arn:aws:sqs:us-east-1:000000000000:demo-feed.fifo';

/** A message of the inbox as Lambda delivers it. */
export function inboxRecord(
  body: object | string,
  { group = 'one group', queueArn = INBOX_ARN }: { group?: string; queueArn?: string } = {},
): SQSRecord {
  return {
    messageId: randomUUID(),
    receiptHandle: '',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: {
      MessageGroupId: group,
      ApproximateReceiveCount: '1',
      SentTimestamp: '4000000000000',
      SenderId: '',
      ApproximateFirstReceiveTimestamp: '0',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: 'us-east-1',
  };
}
