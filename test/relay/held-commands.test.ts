// For how long a relay holds a command, and what it does when that is over: SQS hides it for 6 s at a time.
import { beforeEach, expect, test } from 'vitest';
import { InboxMessage, type OutcomeMessage, readMessage } from '../../core/messages.ts';
import { startRelay } from '../../relay/relay.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryNetwork } from './memory-network.ts';
import { type CallFate, MemoryQueue, memorySqsClient } from './memory-sqs.ts';
import {
  answer,
  command,
  EventRecorder,
  LOCALHOST,
  localNas,
  localSite,
  memoryPeer,
  type Peer,
} from './support.ts';

let clock: ManualClock;
let network: MemoryNetwork;
let outbox: MemoryQueue;
let inbox: MemoryQueue;
let results: OutcomeMessage['result'][];
let events: EventRecorder;
let nas: Peer;
let runs: number;

beforeEach(() => {
  clock = new ManualClock();
  network = new MemoryNetwork(clock);
  results = [];
  outbox = new MemoryQueue(clock);
  inbox = new MemoryQueue(clock, ({ body }) => {
    const message = readMessage(InboxMessage, body);
    if (message.kind === 'outcome') results.push(message.result);
  });
  events = new EventRecorder();
  nas = memoryPeer(network, { address: LOCALHOST, port: 3799 });
  runs = 0;
});

/** A relay on a host of its own. `fateOf` says what becomes of its calls to SQS. */
async function start(fateOf: (action: string) => CallFate = () => 'served', drainMs = 8_000) {
  const process = clock.process();
  const run = ++runs;
  const host = network.host(`127.0.0.${10 + run}`);
  const queues = { inbox, outbox, accounting: new MemoryQueue(clock) };
  const relay = await startRelay({
    site: localSite({ nases: [localNas(nas.endpoint, { answerTimeoutSeconds: 40 })] }),
    queues: { inbox: 'inbox', outbox: 'outbox', accounting: 'accounting' },
    sqs: memorySqsClient({ clock, queues, fateOf }, process.clock),
    transport: host,
    serveHttp: async (local) => ({ local, close: async () => undefined }),
    clock: process.clock,
    random: () => 0.5,
    newId: () => `run ${run}`,
    report: events.add,
    timings: { drainMs },
  });
  return {
    relay,
    kill: () => {
      process.kill();
      host.crash();
    },
    pause: () => {
      process.pause();
      host.pause();
    },
    resume: () => {
      process.resume();
      host.resume();
    },
  };
}

function send(): void {
  const body = JSON.stringify(command({ startBeforeMs: clock.now() + 30_000 }));
  outbox.send({ body, group: 's', deduplicationId: body });
}

const transmissions = () => nas.received.all.length;

test('the commands of a relay that was killed come to the next one within 6 s', async () => {
  const { kill } = await start();
  send();
  await clock.advance(5_000);
  expect(transmissions()).toBe(2);
  kill();
  await start();
  await clock.advance(6_000);
  expect(results).toEqual(['interrupted']);
  expect(transmissions()).toBe(2);
});

test('a relay holds a command for as long as its NAS takes, and no other one receives it', async () => {
  await start();
  await start();
  send();
  await clock.advance(30_000);
  const [first] = nas.received.all;
  if (first === undefined) throw new Error('nothing came');
  expect(results).toEqual([]);
  await answer(nas, first);
  await clock.advance(100);
  expect(results).toEqual(['ack']);
  expect(events.of('command-sent').length).toBe(1);
});

test('a relay that was paused before it told the NAS does not tell it any more', async () => {
  const paused = await start();
  await clock.advance(100);
  paused.pause();
  send();
  await clock.advance(5_000);
  await start();
  await clock.advance(5_000);
  expect(results).toEqual(['interrupted']);
  paused.resume();
  await clock.advance(10_000);
  expect(transmissions()).toBe(0);
  expect(results).toEqual(['interrupted']);
  expect(events.of('message-left')).toMatchObject([{ queue: 'outbox', reason: 'not-held' }]);
});

test('a relay that was paused while the NAS was silent transmits nothing any more, and says nothing of the NAS', async () => {
  const paused = await start();
  send();
  await clock.advance(3_000);
  const before = transmissions();
  paused.pause();
  await clock.advance(60_000);
  paused.resume();
  await clock.advance(1_000);
  expect(transmissions()).toBe(before);
  // It receives the command again itself.
  expect(results).toEqual(['interrupted']);
  expect(events.of('command-unanswered')).toEqual([]);
});

test('a pause that is shorter than the visibility timeout changes nothing', async () => {
  const paused = await start();
  send();
  await clock.advance(1_000);
  paused.pause();
  await clock.advance(3_000);
  const [first] = nas.received.all;
  if (first === undefined) throw new Error('nothing came');
  await answer(nas, first);
  await clock.advance(100);
  paused.resume();
  await clock.advance(100);
  expect(results).toEqual(['ack']);
});

test('a relay that cannot renew the timeout transmits nothing after it', async () => {
  await start((action) => (action === 'ChangeMessageVisibility' ? 'failed' : 'served'));
  send();
  await clock.advance(5_900);
  const before = transmissions();
  expect(before).toBeGreaterThan(1);
  await clock.advance(60_000);
  expect(transmissions()).toBe(before);
  expect(results).toEqual(['interrupted']);
});

test('a command whose delivery was lost is received again at once, and told', async () => {
  let isLost = false;
  await start((action) => {
    if (action !== 'ReceiveMessage' || isLost) return 'served';
    isLost = true;
    return 'answer-lost';
  });
  await clock.advance(100);
  send();
  await clock.advance(600);
  expect(isLost).toBe(true);
  expect(transmissions()).toBe(1);
});

test('a relay that stops gives back what a call has taken that it gave up', async () => {
  let isHung = false;
  const { relay } = await start((action) => {
    if (action !== 'ReceiveMessage' || isHung) return 'served';
    isHung = true;
    return 'hung';
  }, 2_200);
  await clock.advance(100);
  send();
  await clock.advance(100);
  expect([isHung, outbox.hasVisible]).toEqual([true, false]);
  const drained = relay.drain();
  await clock.advance(2_300);
  await drained;
  expect([outbox.size, outbox.hasVisible]).toEqual([1, true]);
});
