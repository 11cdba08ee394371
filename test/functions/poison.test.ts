// Items and messages that this release cannot read: how often they are redelivered, what that delays, and where they end. Batch size, bisection and redeliveries are those of the deployed functions.
import { DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { SQSClient } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { QUEUES, STREAM_BATCH_SIZE, STREAM_MAX_RETRIES } from '../../core/cloud/queues.ts';
import {
  HISTORY_SORT_KEY_PREFIX,
  historyPartitionKey,
  STATE_SORT_KEY,
  sessionPartitionKey,
} from '../../core/cloud/table.ts';
import type { Deployment } from '../../core/deployment.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { SHAPE, UnreadableItem } from '../../core/subscriber/upgrade.ts';
import { type AccountReport, createAccount } from '../../functions/account/account.ts';
import { createDecide } from '../../functions/decide/decide.ts';
import type { DecideReport } from '../../functions/decide/report.ts';
import { createIngest } from '../../functions/ingest/ingest.ts';
import { createNasRestarts } from '../../functions/ingest/nas-restarts.ts';
import type { IngestReport } from '../../functions/ingest/report.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createDeliverAgain } from '../../functions/shared/message-batch.ts';
import { createSetAside, createSiteSender } from '../../functions/shared/queue.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { type EmbeddedCloud, startEmbeddedCloud } from '../../local/cloud/embedded-cloud.ts';
import { openCheckpoints } from '../../local/cloud/event-source-mapper/checkpoints.ts';
import { mapQueue } from '../../local/cloud/event-source-mapper/map-queue.ts';
import { mapStream } from '../../local/cloud/event-source-mapper/map-stream.ts';
import { asked, nas, play, request } from '../core/support.ts';
import { dynoxide, messagesIn, receive, send } from '../local/cloud/emulators.ts';
import { context, feedMessage, NO_LOOK_UP, requestMessage } from './support.ts';

const PATIENCE = { timeout: 20_000, interval: 50 };
const SITE = 'demo';

const DEPLOYMENT: Deployment = {
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
};

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
          ':pk': historyPartitionKey('bng-1', acctSessionId),
          ':event': HISTORY_SORT_KEY_PREFIX,
        }),
      }),
    );
    return Items;
  }

  /** Runs account on the stream, as deployed. Gives what it reports, and the sequence numbers of each of its batches. */
  function runAccount(urls: Readonly<Record<string, string>>) {
    const reports: AccountReport[] = [];
    const batches: (readonly (string | undefined)[])[] = [];
    const account = createAccount({
      nasSites: new Map(),
      writeHistory: createHistoryWriter(dynamodb, cloud.tableName),
      send: createSiteSender(sqs, urls, 'accounting queue'),
      setAside: createSetAside(sqs, cloud.accountFailures.url),
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
    return { reports, batches };
  }
  const accountingUrl = () => ({ [SITE]: queues().accounting.url });

  it('has its record put into the queue of the runbook at once; each record is delivered once', async () => {
    await store().write(withGold('before'));
    await putUnreadable('later');
    await store().write(withGold('behind'));
    const { reports, batches } = runAccount(accountingUrl());

    const { kind, reason, Records } = JSON.parse((await receive(sqs, cloud.accountFailures)) ?? '');
    expect({ kind, reason }).toEqual({
      kind: 'set-aside',
      reason: `UnreadableItem: ${keys('later').pk}: shape ${SHAPE + 1} is later than ${SHAPE}, the latest that this release reads`,
    });
    expect(Records).toMatchObject([{ eventName: 'INSERT', dynamodb: { Keys: marshall(keys('later')) } }]);
    await vi.waitFor(async () => expect(await historyOf('behind')).toHaveLength(1), PATIENCE);
    await vi.waitFor(async () => expect(await messagesIn(sqs, queues().accounting)).toBe(2));
    expect(await historyOf('before')).toHaveLength(1);
    expect(await historyOf('later')).toEqual([]);
    const delivered = batches.flat();
    expect(delivered).toHaveLength(3);
    expect(new Set(delivered).size).toBe(3);
    expect(reports.map(({ kind }) => kind).toSorted()).toEqual(['accounted', 'accounted', 'set-aside']);
  });

  it('is accounted when its message is handed to an account that can process it', async () => {
    await store().write(withGold('homeless'));
    runAccount({});
    const body = (await receive(sqs, cloud.accountFailures)) ?? '';
    expect(JSON.parse(body)).toMatchObject({
      reason: 'NoQueue: there is no accounting queue of the site demo',
    });

    const reports: AccountReport[] = [];
    const account = createAccount({
      nasSites: new Map(),
      writeHistory: createHistoryWriter(dynamodb, cloud.tableName),
      send: createSiteSender(sqs, accountingUrl(), 'accounting queue'),
      setAside: createSetAside(sqs, cloud.accountFailures.url),
      report: (event) => reports.push(event),
    });
    expect(await account(JSON.parse(body), context())).toEqual({ batchItemFailures: [] });
    expect(reports.map(({ kind }) => kind)).toEqual(['accounted']);
    expect(JSON.parse((await receive(sqs, queues().accounting)) ?? '')).toMatchObject({
      status: 'Start',
      serviceSession: 'gold',
    });
    expect(await historyOf('homeless')).toHaveLength(1);
  });

  /** Runs decide on the inbox, or on another queue of the site, as deployed. Gives what it reports. */
  function runDecide(retryDelaySeconds?: number, queue = queues().inbox): readonly DecideReport[] {
    const reports: DecideReport[] = [];
    const decide = createDecide({
      deployment: DEPLOYMENT,
      store: store(),
      ...NO_LOOK_UP,
      send: createSiteSender(sqs, { [SITE]: queues().outbox.url }, 'outbox'),
      deliverAgain: createDeliverAgain(sqs, cloud.due.url),
      schedule: async () => {},
      now: () => Date.now(),
      report: (event) => reports.push(event),
    });
    const mapping = mapQueue({
      sqs,
      queue,
      target: { name: 'decide', timeoutSeconds: 4, handler: decide },
      ...(retryDelaySeconds !== undefined && { retryDelaySeconds }),
      report: () => {},
    });
    onTestFinished(() => mapping.stop());
    return reports;
  }
  const failuresIn = (reports: readonly (DecideReport | IngestReport)[]) =>
    reports.flatMap((report) => (report.kind === 'failed' ? [report] : []));
  const decidedIn = (reports: readonly (DecideReport | IngestReport)[]) =>
    reports.flatMap((report) => (report.kind === 'decided' ? [report.correlationId] : []));

  const ask = (acctSessionId: string, identifier: number, group = acctSessionId, queue = queues().inbox) => {
    const message = requestMessage({
      acctSessionId,
      activate: ['gold'],
      identifier,
      correlationId: acctSessionId,
    });
    return send(sqs, queue, group, JSON.stringify(message));
  };

  it('has its message redelivered, which ends in the dead-letter queue; other sessions are answered', async () => {
    await putUnreadable('later');
    await ask('later', 1);
    for (const [index, healthy] of ['one', 'two', 'three'].entries()) await ask(healthy, 2 + index);
    const reports = runDecide(0);

    expect(JSON.parse((await receive(sqs, queues().inbox.deadLetters)) ?? '')).toMatchObject({
      correlationId: 'later',
    });
    const failures = failuresIn(reports);
    expect(failures).toHaveLength(QUEUES.inbox.maxReceiveCount);
    for (const { error } of failures) expect(error).toBeInstanceOf(UnreadableItem);
    expect(decidedIn(reports).toSorted()).toEqual(['one', 'three', 'two']);
    expect(await messagesIn(sqs, queues().outbox)).toBe(3);
    expect(await messagesIn(sqs, queues().inbox)).toBe(0);
  });

  it('takes no message into the dead letters that waits behind its own', async () => {
    await putUnreadable('later');
    await ask('later', 1, 'shared');
    await ask('healthy', 2, 'shared');
    const reports = runDecide(0);

    expect(JSON.parse((await receive(sqs, queues().inbox.deadLetters)) ?? '')).toMatchObject({
      correlationId: 'later',
    });
    await vi.waitFor(() => expect(decidedIn(reports)).toEqual(['healthy']), PATIENCE);
    await vi.waitFor(async () => expect(await messagesIn(sqs, queues().inbox)).toBe(0), PATIENCE);
    // The one that was received above.
    expect(await messagesIn(sqs, queues().inbox.deadLetters)).toBe(1);
  });

  describe('a message that cannot be read', () => {
    // The queues hide a message for 24 s and 60 s: nothing here waits for that.
    it('goes from an inbox to the dead letters at once, and holds up none of its group', async () => {
      await ask('first', 1, 'shared');
      await send(sqs, queues().inbox, 'shared', 'poison');
      await ask('second', 2, 'shared');
      const reports = runDecide();

      expect(await receive(sqs, queues().inbox.deadLetters)).toBe('poison');
      await vi.waitFor(() => expect(decidedIn(reports)).toEqual(['first', 'second']), PATIENCE);
      expect(failuresIn(reports)).toHaveLength(QUEUES.inbox.maxReceiveCount);
      await vi.waitFor(async () => expect(await messagesIn(sqs, queues().inbox)).toBe(0), PATIENCE);
    });

    it('goes from a queue of outcomes to the dead letters at once', async () => {
      await send(sqs, queues().outcomes, 'shared', 'poison');
      // A request is no outcome: it cannot be read there either.
      await ask('first', 1, 'shared', queues().outcomes);
      const reports = runDecide(undefined, queues().outcomes);

      expect(await receive(sqs, queues().outcomes.deadLetters)).toBe('poison');
      const left = () =>
        Promise.all([queues().outcomes, queues().outcomes.deadLetters].map((one) => messagesIn(sqs, one)));
      await vi.waitFor(async () => expect(await left()).toEqual([0, 2]), PATIENCE);
      expect(failuresIn(reports)).toHaveLength(2 * QUEUES.outcomes.maxReceiveCount);
    });

    it('goes from a feed queue to the dead letters at once, and holds up none of its group', async () => {
      const start = (acctSessionId: string) =>
        send(
          sqs,
          queues().feed,
          'shared',
          JSON.stringify(feedMessage({ status: 'start', acctSessionId, correlationId: acctSessionId })),
        );
      await start('first');
      await send(sqs, queues().feed, 'shared', JSON.stringify({ version: 1, kind: 'feed', status: 'later' }));
      await start('second');
      const reports: IngestReport[] = [];
      const ingest = createIngest({
        deployment: DEPLOYMENT,
        store: store(),
        restarts: createNasRestarts(dynamodb, cloud.tableName),
        send: createSiteSender(sqs, { [SITE]: queues().outbox.url }, 'outbox'),
        goOn: createSiteSender(sqs, { [SITE]: queues().feed.url }, 'feed queue'),
        deliverAgain: createDeliverAgain(sqs, cloud.due.url),
        schedule: async () => {},
        now: () => Date.now(),
        report: (event) => reports.push(event),
      });
      const mapping = mapQueue({
        sqs,
        queue: queues().feed,
        target: { name: 'ingest', timeoutSeconds: 10, handler: ingest },
        report: () => {},
      });
      onTestFinished(() => mapping.stop());

      expect(JSON.parse((await receive(sqs, queues().feed.deadLetters)) ?? '')).toMatchObject({
        status: 'later',
      });
      await vi.waitFor(() => expect(decidedIn(reports)).toEqual(['first', 'second']), PATIENCE);
      expect(failuresIn(reports)).toHaveLength(QUEUES.feed.maxReceiveCount);
      await vi.waitFor(async () => expect(await messagesIn(sqs, queues().feed)).toBe(0), PATIENCE);
    });
  });
});
