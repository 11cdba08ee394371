import { QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  historyPartitionKey,
  INDEXES,
  STATE_SORT_KEY,
  sessionPartitionKey,
} from '../../../core/cloud/table.ts';
import { type AccountingMessage, messageGroup } from '../../../core/messages.ts';
import { type HistoryItem, historyItem } from '../../../core/subscriber/history.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { SHAPE, UnreadableItem } from '../../../core/subscriber/upgrade.ts';
import {
  type AccountDependencies,
  type AccountReport,
  createAccount,
} from '../../../functions/account/account.ts';
import { createHistoryWriter } from '../../../functions/shared/history-writer.ts';
import { createSiteSender, type OutgoingMessage } from '../../../functions/shared/queue.ts';
import { createSessionStore } from '../../../functions/shared/session-store.ts';
import { startFauxqs } from '../../../local/cloud/fauxqs.ts';
import { accountingId, asked, NOW, play, request, service } from '../../core/support.ts';
import { createFifoQueue, dynoxide, LOCAL } from '../../local/cloud/emulators.ts';
import { context, ITEMS_010, startTable, type Table } from '../support.ts';

const voice = service('voice', { statistics: 'off' });

/** gold and voice, then silver instead of gold, for the subscriber session `acctSessionId`. */
function history(acctSessionId: string): { readonly gold: Session; readonly silver: Session } {
  const gold = play([asked(request('r1', { acctSessionId, activate: ['gold', voice] }))]).session;
  const silver = play([asked(request('r2', { acctSessionId, activate: ['silver'] }))], gold).session;
  if (gold === undefined || silver === undefined) throw new Error('a request always makes a session');
  return { gold, silver };
}

let sequenceNumber = 0;

/** The stream record of a write, as Lambda delivers it; `sk` is that of the item. */
function streamRecord(
  before: Session | undefined,
  after: Session | undefined,
  sk = STATE_SORT_KEY,
): DynamoDBRecord {
  const known = after ?? before;
  const keys = { pk: sessionPartitionKey('bng-1', known?.acctSessionId ?? ''), sk };
  const image = (session: Session) => marshall({ ...keys, shape: SHAPE, ...session }) as Image;
  return {
    eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
    dynamodb: {
      Keys: marshall(keys) as Image,
      SequenceNumber: String(++sequenceNumber),
      ...(before && { OldImage: image(before) }),
      ...(after && { NewImage: image(after) }),
    },
  };
}
type Image = NonNullable<NonNullable<DynamoDBRecord['dynamodb']>['NewImage']>;

interface Call {
  readonly site: string;
  readonly messages: readonly OutgoingMessage[];
}

function startAccount(
  send?: AccountDependencies['send'],
  writeHistory?: AccountDependencies['writeHistory'],
  setAside?: AccountDependencies['setAside'],
) {
  const calls: Call[] = [];
  const reports: AccountReport[] = [];
  const written: HistoryItem[] = [];
  const aside: { readonly record: DynamoDBRecord; readonly reason: string }[] = [];
  const handler = createAccount({
    nasSites: new Map([['moved', 'elsewhere']]),
    writeHistory: async (item, signal) => {
      await writeHistory?.(item, signal);
      written.push(item);
    },
    send: async (site, messages, signal) => {
      await send?.(site, messages, signal);
      calls.push({ site, messages });
    },
    setAside: async (record, reason, signal) => {
      await setAside?.(record, reason, signal);
      aside.push({ record, reason });
    },
    report: (event) => reports.push(event),
  });
  return {
    calls,
    reports,
    written,
    aside,
    /** Gives the sequence numbers of the records that failed. */
    deliver: async (...Records: DynamoDBRecord[]) =>
      (await handler({ Records }, context())).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
    sent: () => calls.flatMap(({ messages }) => messages),
  };
}

const brief = ({ body }: OutgoingMessage) => {
  const { status, serviceSession } = body as AccountingMessage;
  return `${status} ${serviceSession}`;
};

describe('account', () => {
  it('sends an Acct-Start for each accounted service of a new session', async () => {
    const { deliver, calls, reports } = startAccount();
    const { gold } = history('new');
    expect(await deliver(streamRecord(undefined, gold))).toEqual([]);
    expect(calls).toEqual([
      {
        site: 'demo',
        messages: [
          {
            body: expect.objectContaining({
              kind: 'accounting',
              correlationId: 'r1',
              status: 'Start',
              acctSessionId: accountingId(0, 'new'),
              serviceSession: 'gold',
            }),
            group: messageGroup(Buffer.from('new')),
            deduplicationId: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
        ],
      },
    ]);
    expect(reports).toMatchObject([{ kind: 'accounted', site: 'demo', correlationId: 'r1' }]);
  });

  it('sends the Start of a new service before the Stop of the one that it replaces, in one message group', async () => {
    const { deliver, sent } = startAccount();
    const { gold, silver } = history('switch');
    expect(await deliver(streamRecord(gold, silver))).toEqual([]);
    expect(sent().map(brief)).toEqual(['Start silver', 'Stop gold']);
    expect(sent().map(({ group }) => group)).toEqual(Array(2).fill(messageGroup(Buffer.from('switch'))));
  });

  it('sends the records of a NAS that has moved to the site where it is now', async () => {
    const { deliver, calls } = startAccount();
    const { gold } = history('new');
    const { nas } = gold;
    expect(await deliver(streamRecord(undefined, { ...gold, nas: { ...nas, name: 'moved' } }))).toEqual([]);
    expect(calls.map(({ site }) => site)).toEqual(['elsewhere']);
  });

  it('sends an Acct-Stop for each accounted service of a removed session', async () => {
    const { deliver, sent } = startAccount();
    expect(await deliver(streamRecord(history('removed').silver, undefined))).toEqual([]);
    expect(sent().map(brief)).toEqual(['Stop silver']);
  });

  it('keeps the order of the writes of a session', async () => {
    const { deliver, sent } = startAccount();
    const [one, other] = [history('one'), history('other')];
    await deliver(
      streamRecord(undefined, one.gold),
      streamRecord(undefined, other.gold),
      streamRecord(one.gold, one.silver),
      streamRecord(other.gold, other.silver),
      streamRecord(one.silver, undefined),
    );
    const ofGroup = (id: string) => sent().filter(({ group }) => group === messageGroup(Buffer.from(id)));
    expect(ofGroup('one').map(brief)).toEqual(['Start gold', 'Start silver', 'Stop gold', 'Stop silver']);
    expect(ofGroup('other').map(brief)).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('sends nothing for a write that changes no service, but writes its history item', async () => {
    const { deliver, calls, written } = startAccount();
    const { gold } = history('quiet');
    const after = { ...gold, version: 7 };
    expect(await deliver(streamRecord(gold, after))).toEqual([]);
    expect(calls).toEqual([]);
    expect(written).toEqual([historyItem(gold, after, 0)]);
  });

  it('ignores history items, also those that TTL deletes', async () => {
    const { deliver, calls, written } = startAccount();
    const { gold, silver } = history('past');
    const OldImage = marshall(historyItem(gold, silver, 0) ?? {}) as Image;
    const { pk, sk } = OldImage;
    if (pk === undefined || sk === undefined) throw new Error('an item has keys');
    const Keys = { pk, sk };
    const removed: DynamoDBRecord = {
      eventName: 'REMOVE',
      userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' },
      dynamodb: { Keys, OldImage, SequenceNumber: '1', StreamViewType: 'NEW_AND_OLD_IMAGES' },
    };
    const put: DynamoDBRecord = { eventName: 'INSERT', dynamodb: { Keys, NewImage: OldImage } };
    expect(await deliver(put, removed)).toEqual([]);
    expect([...calls, ...written]).toEqual([]);
  });

  it.each([
    ['Lambda', NOW / 1000 + 3600],
    ['the AWS CLI', '2026-11-22T14:00:00+01:00'],
  ])('reads from a record of %s when a session was removed', async (_, recordedAt) => {
    const { deliver, written } = startAccount();
    const { dynamodb } = streamRecord(history('removed').silver, undefined);
    await deliver({ dynamodb: { ...dynamodb, ApproximateCreationDateTime: recordedAt } } as DynamoDBRecord);
    expect(written).toMatchObject([
      { cause: 'removal', atMs: NOW + 3_600_000, deactivated: ['voice', 'silver'] },
    ]);
  });

  it('makes equal identifiers of a record that is redelivered, and different ones of different records', async () => {
    const { deliver, sent } = startAccount();
    const { gold, silver } = history('twice');
    const record = streamRecord(gold, silver);
    await deliver(record);
    await deliver(record);
    const [start, stop, ...again] = sent().map(({ deduplicationId }) => deduplicationId);
    expect(again).toEqual([start, stop]);
    expect(start).not.toBe(stop);

    const other = startAccount();
    const neighbour = history('neighbour');
    await other.deliver(streamRecord(undefined, gold), streamRecord(neighbour.gold, neighbour.silver));
    const others = other.sent().map(({ deduplicationId }) => deduplicationId);
    expect(new Set([start, stop, ...others]).size).toBe(5);
  });

  it('fails the record whose messages were not sent, and the later ones of its session, and no others', async () => {
    const { gold, silver } = history('failing');
    const { deliver, sent, reports } = startAccount(async (_, messages) => {
      if (messages.some((message) => brief(message) === 'Start silver')) throw new Error('no queue');
    });
    const records = [
      streamRecord(undefined, gold),
      streamRecord(gold, silver),
      streamRecord(undefined, history('healthy').gold),
      streamRecord(silver, undefined),
    ];
    const numberOf = (index: number) => records[index]?.dynamodb?.SequenceNumber;
    expect(await deliver(...records)).toEqual([numberOf(1), numberOf(3)]);
    expect(sent().map(brief)).toEqual(['Start gold', 'Start gold']);
    expect(reports.filter(({ kind }) => kind === 'failed')).toMatchObject([
      { sequenceNumber: numberOf(1), error: { message: 'no queue' } },
    ]);
  });

  /** The write of `silver` after `gold`, by a later release. */
  function laterRecord(gold: Session, silver: Session): DynamoDBRecord {
    const { dynamodb } = streamRecord(gold, silver);
    return {
      dynamodb: { ...dynamodb, NewImage: { ...dynamodb?.NewImage, shape: { N: String(SHAPE + 1) } } },
    };
  }

  it('puts a record of a later shape aside by name; all others of the batch go on, also those of its session', async () => {
    const { gold, silver } = history('later');
    const { deliver, sent, written, reports, aside } = startAccount();
    const later = laterRecord(gold, silver);
    const records: DynamoDBRecord[] = [
      streamRecord(undefined, gold),
      later,
      streamRecord(undefined, history('healthy').gold),
      streamRecord(silver, undefined),
    ];
    expect(await deliver(...records)).toEqual([]);
    expect(written.map(({ pk }) => pk)).toEqual(
      ['later', 'healthy', 'later'].map((id) => historyPartitionKey('bng-1', id)),
    );
    expect(sent().map(brief)).toEqual(['Start gold', 'Start gold', 'Stop silver']);
    const reason = `UnreadableItem: SESSION#bng-1#later: shape ${SHAPE + 1} is later than ${SHAPE}, the latest that this release reads`;
    expect(aside).toEqual([{ record: later, reason }]);
    expect(reports.filter(({ kind }) => kind !== 'accounted')).toEqual([
      {
        kind: 'set-aside',
        sequenceNumber: later.dynamodb?.SequenceNumber,
        error: expect.any(UnreadableItem),
      },
    ]);
  });

  it('has a record redelivered that it can neither read nor put aside, with the later ones of its session', async () => {
    const { gold, silver } = history('stuck');
    const { deliver, sent, reports } = startAccount(undefined, undefined, async () => {
      throw new Error('no failure queue');
    });
    const later = laterRecord(gold, silver);
    const after = streamRecord(silver, undefined);
    expect(await deliver(later, streamRecord(undefined, history('healthy').gold), after)).toEqual([
      later.dynamodb?.SequenceNumber,
      after.dynamodb?.SequenceNumber,
    ]);
    expect(sent().map(brief)).toEqual(['Start gold']);
    expect(reports.filter(({ kind }) => kind !== 'accounted')).toMatchObject([
      { kind: 'failed', error: { errors: [expect.any(UnreadableItem), { message: 'no failure queue' }] } },
    ]);
  });

  it.each(Object.entries(ITEMS_010))('reads an item of 0.1.0 without recentEvents: %s', async (_, item) => {
    const { recentEvents: __, ...rest } = item;
    const { deliver, sent, written, reports } = startAccount();
    const record = streamRecord(undefined, history('old').gold);
    expect(
      await deliver({ ...record, dynamodb: { ...record.dynamodb, NewImage: marshall(rest) as Image } }),
    ).toEqual([]);
    expect(sent().map(brief)).toContain('Start gold');
    expect(written).toMatchObject([{ pk: historyPartitionKey('bng-1', 's1'), version: item.version }]);
    expect(reports.filter(({ kind }) => kind === 'failed')).toEqual([]);
  });

  it('reports a record that fits into no packet, and sends the others of its session', async () => {
    const { deliver, sent, reports } = startAccount();
    const { gold } = history('too long');
    const both = play(
      [asked(request('r9', { acctSessionId: 'too long', activate: ['video'] }))],
      gold,
    ).session;
    if (both === undefined) throw new Error('a request always makes a session');
    const as = both.services['gold']?.account?.as ?? '';
    const big = { identity: {}, classes: Array.from({ length: 17 }, () => 'ab'.repeat(250)) };
    const damaged: Session = {
      ...both,
      accountedAs: { [as]: big },
      services: Object.fromEntries(
        Object.entries(both.services).map(([name, { account, ...one }]) => [
          name,
          { ...one, ...(account && { account: { ...account, as: name === 'gold' ? as : 'none' } }) },
        ]),
      ),
    };
    expect(await deliver(streamRecord(damaged, undefined))).toEqual([]);
    expect(sent().map(brief)).toEqual(['Stop video']);
    expect(reports.find(({ kind }) => kind === 'unmade')).toMatchObject({
      site: 'demo',
      status: 'Stop',
      acctSessionId: accountingId(0, 'too long'),
      reason: expect.stringContaining('expected at most 4057 octets'),
    });
  });

  it('sends the records of a second life within five minutes: none has the identifier of one of the first', async () => {
    const { deliver, sent } = startAccount();
    const life = (atMs: number) => {
      const asking = (id: string, over: object) => asked(request(id, { acctSessionId: 'again', ...over }));
      const begun = play([asking('r1', { activate: ['gold'] })], undefined, atMs).session;
      const ended = play([asking('r2', { deactivate: ['gold'] })], begun, atMs + 1_000).session;
      return [streamRecord(undefined, begun), streamRecord(begun, ended), streamRecord(ended, undefined)];
    };
    await deliver(...life(NOW), ...life(NOW + 60_000));
    expect(sent().map(brief)).toEqual(['Start gold', 'Stop gold', 'Start gold', 'Stop gold']);
    expect(new Set(sent().map(({ deduplicationId }) => deduplicationId)).size).toBe(4);
  });

  it('puts a record of a site without an accounting queue aside, after its history', async () => {
    const sqs = new SQSClient({ ...LOCAL, endpoint: 'http://127.0.0.1:9' });
    const { deliver, reports, aside, written } = startAccount(createSiteSender(sqs, {}, 'accounting queue'));
    const record = streamRecord(undefined, history('homeless').gold);
    expect(await deliver(record)).toEqual([]);
    expect(aside).toEqual([{ record, reason: 'NoQueue: there is no accounting queue of the site demo' }]);
    expect(reports).toMatchObject([{ kind: 'set-aside', error: { name: 'NoQueue' } }]);
    expect(written).toHaveLength(1);
  });

  it('has a record redelivered that fails for a reason that may pass', async () => {
    const { deliver, aside } = startAccount(async () => {
      throw new Error('SQS did not take a message');
    });
    const record = streamRecord(undefined, history('passing').gold);
    expect(await deliver(record)).toEqual([record.dynamodb?.SequenceNumber]);
    expect(aside).toEqual([]);
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('account on a table'), () => {
  let table: Table;
  let write: AccountDependencies['writeHistory'];
  beforeAll(async () => {
    table = await startTable();
    write = createHistoryWriter(table.client, table.name);
  });
  afterAll(() => table.stop());

  async function stored(acctSessionId: string): Promise<readonly Record<string, unknown>[]> {
    const { Items = [] } = await table.client.send(
      new QueryCommand({
        TableName: table.name,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: marshall({ ':pk': historyPartitionKey('bng-1', acctSessionId) }),
      }),
    );
    return Items.map((item) => unmarshall(item));
  }

  it('writes one history item for each write, in order, though all records are delivered twice', async () => {
    const { deliver } = startAccount(undefined, write);
    const { gold, silver } = history('stored');
    const writes = [[undefined, gold] as const, [gold, silver] as const, [silver, undefined] as const];
    const records = writes.map(([before, after]) => streamRecord(before, after));
    expect(await deliver(...records)).toEqual([]);
    expect(await deliver(...records)).toEqual([]);
    expect(await stored('stored')).toEqual(writes.map(([before, after]) => historyItem(before, after, 0)));
  });

  it('has a record redelivered whose history item was not written, with its accounting, and no others', async () => {
    let isBroken = true;
    const { deliver, sent, reports } = startAccount(undefined, async (item, signal) => {
      if (isBroken && item.pk.endsWith('broken') && item.version === 2) throw new Error('no table');
      await write(item, signal);
    });
    const { gold, silver } = history('broken');
    const records = [
      streamRecord(undefined, gold),
      streamRecord(gold, silver),
      streamRecord(undefined, history('whole').gold),
      streamRecord(silver, undefined),
    ];
    const numberOf = (index: number) => records[index]?.dynamodb?.SequenceNumber;
    expect(await deliver(...records)).toEqual([numberOf(1), numberOf(3)]);
    expect(reports).toContainEqual(
      expect.objectContaining({ kind: 'failed', error: new Error('no table'), sequenceNumber: numberOf(1) }),
    );
    isBroken = false;
    expect(await deliver(...records.slice(1))).toEqual([]);

    expect((await stored('broken')).map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(await stored('whole')).toHaveLength(1);
    const sentOnce = new Map(sent().map((message) => [message.deduplicationId, brief(message)]));
    const ofOne = ['Start gold', 'Start silver', 'Stop gold', 'Stop silver'];
    expect([...sentOnce.values()].toSorted()).toEqual(['Start gold', ...ofOne].toSorted());
  });

  it('writes one history item though the accounting is not sent at the first attempt', async () => {
    let isBroken = true;
    const { deliver, sent } = startAccount(async () => {
      if (isBroken) throw new Error('no queue');
    }, write);
    const { gold } = history('late');
    const record = streamRecord(undefined, gold);
    expect(await deliver(record)).toEqual([record.dynamodb?.SequenceNumber]);
    isBroken = false;
    expect(await deliver(record)).toEqual([]);
    expect(await stored('late')).toEqual([historyItem(undefined, gold, 0)]);
    expect(sent().map(brief)).toEqual(['Start gold']);
  });

  it('keeps history items out of the indexes, and leaves the item of the session unchanged', async () => {
    const store = createSessionStore(table.client, table.name);
    const limited = service('gold', { timeoutSeconds: 60 });
    const { session } = play([asked(request('r1', { acctSessionId: 'beside', activate: [limited] }))]);
    if (session === undefined) throw new Error('a request makes a session');
    await store.write({ ...session, revision: 0 });
    const state = await store.read({ nas: 'bng-1', acctSessionId: 'beside' });
    await startAccount(undefined, write).deliver(streamRecord(undefined, state));

    expect((await stored('beside')).map(({ sk }) => sk)).toEqual([expect.stringMatching(/^EVENT#/)]);
    expect(await store.read({ nas: 'bng-1', acctSessionId: 'beside' })).toEqual(state);
    const entries = INDEXES.map(async ({ name }) => {
      const scan = new ScanCommand({ TableName: table.name, IndexName: name });
      const { Items = [] } = await table.client.send(scan);
      return Items.map(({ sk }) => [name, sk?.S]);
    });
    expect((await Promise.all(entries)).flat().sort()).toEqual([
      ['acctSessionId', 'STATE'],
      ['due', 'STATE'],
      ['nas', 'STATE'],
      ['userName', 'STATE'],
    ]);
  });
});

describe('account on a queue', () => {
  it('leaves one message of each record in order, though all records are delivered twice', async () => {
    const fauxqs = await startFauxqs();
    const sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
    onTestFinished(async () => {
      sqs.destroy();
      await fauxqs.stop();
    });
    const { url: QueueUrl } = await createFifoQueue(sqs);
    const { deliver } = startAccount(createSiteSender(sqs, { demo: QueueUrl }, 'accounting queue'));
    const many = Array.from({ length: 12 }, (_, index) => `video(${index})`);
    const { session } = play([asked(request('r1', { acctSessionId: 'queue', activate: many }))]);
    const records = [streamRecord(undefined, session), streamRecord(session, undefined)];
    expect(await deliver(...records)).toEqual([]);
    expect(await deliver(...records)).toEqual([]);

    const received: string[] = [];
    for (;;) {
      const { Messages: [message] = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
      if (message === undefined) break;
      const { status, serviceSession } = JSON.parse(message.Body ?? '') as AccountingMessage;
      received.push(`${status} ${serviceSession}`);
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
    }
    expect(received).toEqual([
      ...many.map((activation) => `Start ${activation}`),
      ...many.map((activation) => `Stop ${activation}`),
    ]);
  });
});
