// An item that this release cannot read: how often its record or message is redelivered, which sessions that delays,
// and where it ends. Batch size, bisection and redeliveries are those of the deployed functions.
import { DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { SQSClient } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { QUEUES, STREAM_BATCH_SIZE, STREAM_MAX_RETRIES } from '../../core/cloud/queues.ts';
import { HISTORY_SORT_KEY_PREFIX, STATE_SORT_KEY, sessionPartitionKey } from '../../core/cloud/table.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { SHAPE, UnreadableItem } from '../../core/subscriber/upgrade.ts';
import { type AccountReport, createAccount } from '../../functions/account/account.ts';
import { createDecide } from '../../functions/decide/decide.ts';
import type { DecideReport } from '../../functions/decide/report.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createSiteSender } from '../../functions/shared/queue.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { type EmbeddedCloud, startEmbeddedCloud } from '../../local/cloud/embedded-cloud.ts';
import { openCheckpoints } from '../../local/cloud/event-source-mapper/checkpoints.ts';
import { mapQueue } from '../../local/cloud/event-source-mapper/map-queue.ts';
import { mapStream } from '../../local/cloud/event-source-mapper/map-stream.ts';
import { asked, nas, play, request } from '../core/support.ts';
import { dynoxide, messagesIn, receive, send } from '../local/cloud/emulators.ts';
import { requestMessage } from './support.ts';

const PATIENCE = { timeout: 20_000, interval: 50 };
const SITE = 'demo';

/** A session with the service gold, not yet stored. */
function withGold(acctSessionId: string): Session {
  const { session } = play([asked(request('r1', { acctSessionId, activate: ['gold'] }))]);
  if (session === undefined) throw new Error('a request makes a session');
  return { ...session, revision: 0 };
}

describe.skipIf(dynoxide.skip)(dynoxide.title('an item of a later shape'), { timeout: 30_000 }, () => {
  let cloud: EmbeddedCloud;
  let dynamodb: DynamoDBClient;
  let sqs: SQSClient;
  beforeEach(async () => {
    cloud = await startEmbeddedCloud({ sites: [SITE], onDeath: (reason) => expect.fail(reason) });
    dynamodb = new DynamoDBClient(cloud.dynamodb);
    sqs = new SQSClient(cloud.sqs);
  });
  afterEach(async () => {
    dynamodb.destroy();
    sqs.destroy();
    await cloud.stop();
  });

  const queues = () => {
    const found = cloud.queues[SITE];
    if (found === undefined) throw new Error('the site has no queues');
    return found;
  };
  const store = () => createSessionStore(dynamodb, cloud.tableName);
  const keys = (acctSessionId: string) => ({
    pk: sessionPartitionKey('bng-1', acctSessionId),
    sk: STATE_SORT_KEY,
  });
  const putUnreadable = (acctSessionId: string) => {
    const item = { ...keys(acctSessionId), ...withGold(acctSessionId), shape: SHAPE + 1 };
    return dynamodb.send(new PutItemCommand({ TableName: cloud.tableName, Item: marshall(item) }));
  };
  async function historyOf(acctSessionId: string) {
    const { Items = [] } = await dynamodb.send(
      new QueryCommand({
        TableName: cloud.tableName,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :event)',
        ExpressionAttributeValues: marshall({
          ':pk': keys(acctSessionId).pk,
          ':event': HISTORY_SORT_KEY_PREFIX,
        }),
      }),
    );
    return Items;
  }

  it('has its record redelivered alone, which ends in the queue of the runbook; other sessions are accounted', async () => {
    await store().write(withGold('before'));
    await putUnreadable('later');
    await store().write(withGold('behind'));
    const reports: AccountReport[] = [];
    const batches: (readonly (string | undefined)[])[] = [];
    const account = createAccount({
      nasSites: new Map(),
      writeHistory: createHistoryWriter(dynamodb, cloud.tableName),
      send: createSiteSender(sqs, { [SITE]: queues().accounting.url }, 'accounting queue'),
      report: (event) => reports.push(event),
    });
    const mapping = mapStream({
      streams: new DynamoDBStreamsClient(cloud.dynamodb),
      streamArn: cloud.streamArn,
      target: {
        name: 'account',
        timeoutSeconds: 30,
        handler: (event, context) => {
          batches.push(event.Records.map(({ dynamodb }) => dynamodb?.SequenceNumber));
          return account(event, context);
        },
      },
      checkpoints: openCheckpoints(cloud.streamArn),
      filter: { dynamodb: { Keys: { sk: { S: [STATE_SORT_KEY] } } } },
      batchSize: STREAM_BATCH_SIZE,
      bisectBatchOnError: true,
      maximumRetryAttempts: STREAM_MAX_RETRIES,
      onFailure: { sqs, queueUrl: cloud.accountFailures.url },
      report: () => {},
      // No back-off, but a turn of the event loop.
      delay: () => new Promise((resolve) => setImmediate(resolve)),
    });
    onTestFinished(() => mapping.stop());

    const { DDBStreamBatchInfo: where } = JSON.parse((await receive(sqs, cloud.accountFailures)) ?? '');
    const failures = reports.filter((report) => report.kind === 'failed');
    expect(new Set(failures.map(({ sequenceNumber }) => sequenceNumber))).toEqual(
      new Set([where.startSequenceNumber]),
    );
    expect(where).toMatchObject({ batchSize: 1, endSequenceNumber: where.startSequenceNumber });
    for (const { error } of failures) expect(error).toBeInstanceOf(UnreadableItem);
    expect(String(failures[0]?.error)).toContain(
      `${keys('later').pk}: shape ${SHAPE + 1} is later than ${SHAPE}`,
    );
    // The first attempt and all retries had the record alone: no other record was part of what was given up.
    expect(
      batches.filter((batch) => batch.length === 1 && batch[0] === where.startSequenceNumber),
    ).toHaveLength(1 + STREAM_MAX_RETRIES);
    await vi.waitFor(async () => expect(await messagesIn(sqs, queues().accounting)).toBe(2), PATIENCE);
    expect(await historyOf('before')).toHaveLength(1);
    expect(await historyOf('behind')).toHaveLength(1);
    expect(await historyOf('later')).toEqual([]);

    // Records that are written afterwards are processed.
    await store().write(withGold('last'));
    await vi.waitFor(async () => expect(await historyOf('last')).toHaveLength(1), PATIENCE);
  });

  it('has its message redelivered, which ends in the dead-letter queue; other sessions are answered', async () => {
    await putUnreadable('later');
    const reports: DecideReport[] = [];
    const decide = createDecide({
      deployment: {
        catalogue: {
          services: {
            gold: {
              parameters: [],
              groups: [12],
              statistics: 'time',
              timeoutSeconds: 0,
              volumeMegabytes: 0,
              interimIntervalSeconds: 0,
            },
          },
          refusingGroups: [],
          clearedGroups: [],
        },
        nasesBySite: { [SITE]: [{ profile: nas(), identifiedBy: ['bng-1'], formerly: [] }] },
      },
      store: store(),
      send: createSiteSender(sqs, { [SITE]: queues().outbox.url }, 'outbox'),
      schedule: async () => {},
      now: () => Date.now(),
      report: (event) => reports.push(event),
    });
    const ask = (acctSessionId: string, identifier: number) => {
      const message = requestMessage({
        acctSessionId,
        activate: ['gold'],
        identifier,
        correlationId: acctSessionId,
      });
      return send(sqs, queues().inbox, acctSessionId, JSON.stringify(message));
    };
    await ask('later', 1);
    for (const [index, healthy] of ['one', 'two', 'three'].entries()) await ask(healthy, 2 + index);
    const mapping = mapQueue({
      sqs,
      queue: queues().inbox,
      target: { name: 'decide', timeoutSeconds: 4, handler: decide },
      retryDelaySeconds: 0,
      report: () => {},
    });
    onTestFinished(() => mapping.stop());

    expect(JSON.parse((await receive(sqs, queues().inbox.deadLetters)) ?? '')).toMatchObject({
      correlationId: 'later',
    });
    const failures = reports.flatMap((report) => (report.kind === 'failed' ? [report] : []));
    expect(failures).toHaveLength(QUEUES.inbox.maxReceiveCount);
    for (const { error } of failures) expect(error).toBeInstanceOf(UnreadableItem);
    const decided = reports.flatMap((report) => (report.kind === 'decided' ? [report.correlationId] : []));
    expect(decided.toSorted()).toEqual(['one', 'three', 'two']);
    expect(await messagesIn(sqs, queues().outbox)).toBe(3);
    expect(await messagesIn(sqs, queues().inbox)).toBe(0);
  });
});
