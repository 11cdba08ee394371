// A relay with a clock that is moved by hand: what it tells of sessions whose records stop.
import { beforeEach, describe, expect, it } from 'vitest';
import { FeedMessage, readMessage } from '../../../core/messages.ts';
import { type Relay, startRelay } from '../../../relay/relay.ts';
import { ManualClock, START_MS } from '../manual-clock.ts';
import { MemoryNetwork } from '../memory-network.ts';
import { type CallFate, MemoryQueue, memorySqsClient } from '../memory-sqs.ts';
import { EventRecorder, LOCALHOST } from '../support.ts';
import { accountingRequest, type RecordParts, siteWithFeed } from './support.ts';

const MINUTE_MS = 60_000;
const NAS = { address: LOCALHOST, port: 20_000 };

let clock: ManualClock;
let relay: Relay;
let events: EventRecorder;
let fate: CallFate;
let send: (packet: Uint8Array) => void;
/** What came to the feed queue, with its message group. */
let told: { readonly group: string; readonly message: FeedMessage }[];

beforeEach(async () => {
  clock = new ManualClock();
  events = new EventRecorder();
  told = [];
  fate = 'served';
  const feed = new MemoryQueue(clock, ({ body, group }) =>
    told.push({ group, message: readMessage(FeedMessage, body) }),
  );
  const others = ['inbox', 'outbox', 'accounting'].map((name) => [name, new MemoryQueue(clock)] as const);
  const queues = { ...Object.fromEntries(others), feed };
  const network = new MemoryNetwork(clock);
  let ids = 0;
  relay = await startRelay({
    site: siteWithFeed(),
    queues: { inbox: 'inbox', outbox: 'outbox', accounting: 'accounting', feed: 'feed' },
    sqs: memorySqsClient(
      { clock, queues, fateOf: (action) => (action === 'SendMessage' ? fate : 'served') },
      clock,
    ),
    transport: network.host(LOCALHOST),
    serveHttp: async (local) => ({ local, close: async () => undefined }),
    clock,
    random: () => 0.5,
    newId: () => `id ${++ids}`,
    report: events.add,
  });
  const from = network.listen(NAS, () => undefined);
  send = (packet) => from(packet, relay.accountingAddress ?? NAS);
});

let identifier = 0;

/** The NAS sends a record, and then does nothing for `minutes`. */
async function pass(minutes: number, record?: RecordParts): Promise<void> {
  if (record !== undefined) send(accountingRequest({ identifier: ++identifier & 0xff, ...record }));
  await clock.advance(minutes * MINUTE_MS);
}

const INTERIM = { status: 'Interim-Update' } as const;
const statuses = () => told.map(({ message }) => message.status);

async function threeRecords(): Promise<void> {
  await pass(10, { status: 'Start' });
  await pass(10, INTERIM);
  await pass(0, INTERIM);
}

describe('a session without a record for three intervals', () => {
  it('is told once, in the message group of its records, with the arrival of the latest one', async () => {
    await threeRecords();
    await pass(30);
    expect(statuses()).toEqual(['start']);
    await pass(1);
    expect(told[1]).toEqual({
      group: told[0]?.group,
      message: {
        version: 1,
        kind: 'feed',
        correlationId: 'id 3',
        relay: 'test',
        feed: 'bng-1',
        receivedAtMs: START_MS + 51 * MINUTE_MS,
        status: 'stale',
        nas: 'bng-1',
        acctSessionId: '0001',
        eventAtMs: START_MS + 20 * MINUTE_MS,
        isStamped: false,
        identity: {},
        classes: [],
      },
    });
    expect(events.of('feed-queued').at(-1)).toMatchObject({ status: 'stale', acctSessionId: '0001' });
    await pass(1000);
    expect(statuses()).toEqual(['start', 'stale']);
  });

  it('goes up with its next Interim-Update, and is then known again', async () => {
    await threeRecords();
    await pass(40);
    await pass(10, INTERIM);
    await pass(10, INTERIM);
    expect(statuses()).toEqual(['start', 'stale', 'interim']);
  });

  it('is told at a later search where SQS did not take it', async () => {
    await threeRecords();
    fate = 'failed';
    await pass(35);
    expect(statuses()).toEqual(['start']);
    fate = 'served';
    await pass(1);
    expect(statuses()).toEqual(['start', 'stale']);
  });

  it('is told twice as one message, where SQS took it and the answer was lost', async () => {
    await threeRecords();
    fate = 'answer-lost';
    await pass(32);
    fate = 'served';
    await pass(2);
    expect(statuses()).toEqual(['start', 'stale']);
    await pass(1, INTERIM);
    expect(statuses()).toEqual(['start', 'stale', 'interim']);
  });

  it('is one of many: each is told', async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `s${index}`);
    for (let round = 0; round < 2; round++) {
      for (const id of ids) send(accountingRequest({ ...INTERIM, id, identifier: ++identifier & 0xff }));
      await pass(10);
    }
    await pass(25);
    const stale = told.flatMap(({ message }) => (message.status === 'stale' ? [message.acctSessionId] : []));
    expect(stale).toHaveLength(1_000);
    expect(new Set(stale)).toEqual(new Set(ids));
  });

  it('is not told after its Acct-Stop, nor where there are no Interim-Updates', async () => {
    await threeRecords();
    await pass(0, { status: 'Stop' });
    await pass(1000, { status: 'Start', id: '0002' });
    expect(statuses()).toEqual(['start', 'stop', 'start']);
  });
});

it('the search ends with the relay', async () => {
  await threeRecords();
  const drained = relay.drain();
  await pass(60);
  await drained;
  expect(statuses()).toEqual(['start']);
});
