import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { describe, expect, it, onTestFinished } from 'vitest';
import { STATE_SORT_KEY, sessionPartitionKey } from '../../core/cloud.ts';
import { type AccountingMessage, messageGroup } from '../../core/messages.ts';
import type { Session } from '../../core/session.ts';
import {
  type AccountDependencies,
  type AccountReport,
  createAccount,
} from '../../functions/account/account.ts';
import { createSiteSender, type OutgoingMessage } from '../../functions/queue.ts';
import { startFauxqs } from '../../local/fauxqs.ts';
import { asked, play, request, service } from '../core/support.ts';
import { createFifoQueue, LOCAL } from '../local/emulators.ts';
import { context } from './support.ts';

const voice = service('voice', { statistics: 'off' });

/** gold and voice, then silver instead of gold, for the subscriber session `acctSessionId`. */
function history(acctSessionId: string): { readonly gold: Session; readonly silver: Session } {
  const gold = play([asked(request('r1', { acctSessionId, activate: ['gold', voice] }))]).session;
  const silver = play([asked(request('r2', { acctSessionId, activate: ['silver'] }))], gold).session;
  if (gold === undefined || silver === undefined) throw new Error('a request always makes a session');
  return { gold, silver };
}

let sequenceNumber = 0;

/** What the stream shows of a change, as Lambda hands it over; `sk` is that of the item. */
function changed(
  before: Session | undefined,
  after: Session | undefined,
  sk = STATE_SORT_KEY,
): DynamoDBRecord {
  const known = after ?? before;
  const keys = { pk: sessionPartitionKey('bng-1', known?.acctSessionId ?? ''), sk };
  const image = (session: Session) => marshall({ ...keys, ...session }) as Image;
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

function startAccount(send?: AccountDependencies['send']) {
  const calls: Call[] = [];
  const reports: AccountReport[] = [];
  const handler = createAccount({
    send: async (site, messages, signal) => {
      await send?.(site, messages, signal);
      calls.push({ site, messages });
    },
    report: (event) => reports.push(event),
  });
  return {
    calls,
    reports,
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
  it('starts what a new session has, save for what is not accounted', async () => {
    const { deliver, calls, reports } = startAccount();
    const { gold } = history('new');
    expect(await deliver(changed(undefined, gold))).toEqual([]);
    expect(calls).toEqual([
      {
        site: 'demo',
        messages: [
          {
            body: expect.objectContaining({
              kind: 'accounting',
              correlationId: 'r1',
              status: 'Start',
              acctSessionId: 'new:000001',
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

  it('starts the newcomer of a switch before it stops the old one, in one group', async () => {
    const { deliver, sent } = startAccount();
    const { gold, silver } = history('switch');
    expect(await deliver(changed(gold, silver))).toEqual([]);
    expect(sent().map(brief)).toEqual(['Start silver', 'Stop gold']);
    expect(sent().map(({ group }) => group)).toEqual(Array(2).fill(messageGroup(Buffer.from('switch'))));
  });

  it('stops what a removed session had', async () => {
    const { deliver, sent } = startAccount();
    expect(await deliver(changed(history('removed').silver, undefined))).toEqual([]);
    expect(sent().map(brief)).toEqual(['Stop silver']);
  });

  it('keeps the order of the changes of a session', async () => {
    const { deliver, sent } = startAccount();
    const [one, other] = [history('one'), history('other')];
    await deliver(
      changed(undefined, one.gold),
      changed(undefined, other.gold),
      changed(one.gold, one.silver),
      changed(other.gold, other.silver),
      changed(one.silver, undefined),
    );
    const ofGroup = (id: string) => sent().filter(({ group }) => group === messageGroup(Buffer.from(id)));
    expect(ofGroup('one').map(brief)).toEqual(['Start gold', 'Start silver', 'Stop gold', 'Stop silver']);
    expect(ofGroup('other').map(brief)).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('sends nothing for a change that touches no service, and for other items', async () => {
    const { deliver, calls } = startAccount();
    const { gold, silver } = history('quiet');
    expect(await deliver(changed(gold, { ...gold, version: 7 }), changed(gold, silver, 'EVENT#1'))).toEqual(
      [],
    );
    expect(calls).toEqual([]);
  });

  it('makes the same identifiers of a record that comes twice, and other ones of every other', async () => {
    const { deliver, sent } = startAccount();
    const { gold, silver } = history('twice');
    const record = changed(gold, silver);
    await deliver(record);
    await deliver(record);
    const [start, stop, ...again] = sent().map(({ deduplicationId }) => deduplicationId);
    expect(again).toEqual([start, stop]);
    expect(start).not.toBe(stop);

    const other = startAccount();
    const neighbour = history('neighbour');
    await other.deliver(changed(undefined, gold), changed(neighbour.gold, neighbour.silver));
    const others = other.sent().map(({ deduplicationId }) => deduplicationId);
    expect(new Set([start, stop, ...others]).size).toBe(5);
  });

  it('names the record that could not be sent and the later ones of its session, and no others', async () => {
    const { gold, silver } = history('failing');
    const { deliver, sent, reports } = startAccount(async (_, messages) => {
      if (messages.some((message) => brief(message) === 'Start silver')) throw new Error('no queue');
    });
    const records = [
      changed(undefined, gold),
      changed(gold, silver),
      changed(undefined, history('healthy').gold),
      changed(silver, undefined),
    ];
    const numberOf = (index: number) => records[index]?.dynamodb?.SequenceNumber;
    expect(await deliver(...records)).toEqual([numberOf(1), numberOf(3)]);
    expect(sent().map(brief)).toEqual(['Start gold', 'Start gold']);
    expect(reports.filter(({ kind }) => kind === 'failed')).toMatchObject([
      { sequenceNumber: numberOf(1), error: { message: 'no queue' } },
    ]);
  });

  it('fails a record of a site that it has no queue for', async () => {
    const sqs = new SQSClient({ ...LOCAL, endpoint: 'http://127.0.0.1:9' });
    const { deliver, reports } = startAccount(createSiteSender(sqs, {}, 'accounting queue'));
    const record = changed(undefined, history('homeless').gold);
    expect(await deliver(record)).toEqual([record.dynamodb?.SequenceNumber]);
    expect(reports).toMatchObject([{ error: { message: 'there is no accounting queue of the site demo' } }]);
  });
});

describe('account on a queue', () => {
  it('leaves one message of each record in order, though all of them come twice', async () => {
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
    const records = [changed(undefined, session), changed(session, undefined)];
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
