// Until when a command is sent: by the clock of the queue, whatever that of the relay says.
import { beforeEach, expect, test } from 'vitest';
import { InboxMessage, type OutcomeMessage, readMessage } from '../../core/messages.ts';
import { type Relay, startRelay } from '../../relay/relay.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryNetwork } from './memory-network.ts';
import { MemoryQueue, memorySqsClient } from './memory-sqs.ts';
import { answer, command, EventRecorder, LOCALHOST, localNas, localSite, memoryPeer } from './support.ts';

let clock: ManualClock;
let network: MemoryNetwork;
let outbox: MemoryQueue;
let results: OutcomeMessage['result'][];
let events: EventRecorder;

beforeEach(() => {
  clock = new ManualClock();
  network = new MemoryNetwork(clock);
  outbox = new MemoryQueue(clock);
  results = [];
  events = new EventRecorder();
});

/** A relay whose wall clock is ahead of the queue's by `skewMs`, and a NAS that answers when it is told to. */
async function start(skewMs = () => 0) {
  const nas = memoryPeer(network, { address: LOCALHOST, port: 3799 });
  const process = clock.process(skewMs);
  const inbox = new MemoryQueue(clock, ({ body }) => {
    const message = readMessage(InboxMessage, body);
    if (message.kind === 'outcome') results.push(message.result);
  });
  const queues = { inbox, outbox, accounting: new MemoryQueue(clock) };
  const relay: Relay = await startRelay({
    site: localSite({ nases: [localNas(nas.endpoint, { answerTimeoutSeconds: 40 })] }),
    queues: { inbox: 'inbox', outbox: 'outbox', accounting: 'accounting' },
    sqs: memorySqsClient({ clock, queues }, process.clock),
    transport: network.host(LOCALHOST),
    serveHttp: async (local) => ({ local, close: async () => undefined }),
    clock: process.clock,
    random: () => 0.5,
    newId: () => 'r',
    report: events.add,
  });
  return { nas, relay };
}

/** decide sends a command that may be started within 30 s. */
function send(acctSessionId: string): void {
  const session = { nas: 'bng-1', acctSessionId };
  const body = JSON.stringify(command({ session, startBeforeMs: clock.now() + 30_000 }));
  outbox.send({ body, group: acctSessionId, deduplicationId: acctSessionId });
}

const SKEWS = [0, 31_000, -45_000, 86_400_000];

test.each(SKEWS)('a command is sent at once where the clock is ahead by %i ms', async (skewMs) => {
  const { nas } = await start(() => skewMs);
  send('fresh');
  await clock.advance(100);
  const [received] = nas.received.all;
  if (received === undefined) throw new Error('nothing came');
  await answer(nas, received);
  await clock.advance(100);
  expect(results).toEqual(['ack']);
});

test.each(SKEWS.flatMap((skewMs) => [[skewMs, 29_000, 1] as const, [skewMs, 30_001, 0] as const]))(
  'with a clock ahead by %i ms, a command that waited %i ms for a relay is sent to %i NAS',
  async (skewMs, waitedMs, count) => {
    send('waiting');
    await clock.advance(waitedMs);
    const { nas } = await start(() => skewMs);
    await clock.advance(100);
    expect(nas.received.all.length).toBe(count);
    expect(results).toEqual(count === 0 ? ['expired'] : []);
  },
);

test.each([-3_600_000, 3_600_000])(
  'a command that waits for its turn at the NAS expires after 30 s, though the clock steps by %i ms',
  async (stepMs) => {
    let skewMs = 0;
    const { nas } = await start(() => skewMs);
    for (let index = 0; index < 256; index++) send(`under way ${index}`);
    send('too late');
    await clock.advance(10_000);
    skewMs = stepMs;
    // Those before it are unanswered after 40 s.
    await clock.advance(31_000);
    const sent = events.of('command-sent').map(({ acctSessionId }) => acctSessionId);
    expect(sent.length).toBe(256);
    expect(results.filter((result) => result === 'expired').length).toBe(1);
    expect(nas.received.all.length).toBeGreaterThan(256);
  },
);
