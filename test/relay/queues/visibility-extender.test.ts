import { beforeEach, expect, test } from 'vitest';
import { Queue } from '../../../relay/queues/queue.ts';
import { type Ending, VisibilityExtender } from '../../../relay/queues/visibility-extender.ts';
import { ManualClock } from '../manual-clock.ts';
import { MemoryQueue, memorySqsClient } from '../memory-sqs.ts';
import { EventRecorder } from '../support.ts';

const VISIBILITY_SECONDS = 60;

let clock: ManualClock;
let sqs: MemoryQueue;
let extender: VisibilityExtender;
let extended: number[];

beforeEach(() => {
  clock = new ManualClock();
  sqs = new MemoryQueue(clock);
  extended = [];
  const client = memorySqsClient({ clock, queues: { outbox: sqs } }, clock);
  const queue = new Queue('outbox', 'outbox', { sqs: client, clock, report: new EventRecorder().add });
  extender = new VisibilityExtender(queue, {
    clock,
    visibilitySeconds: VISIBILITY_SECONDS,
    onExtended: (oldestMs) => extended.push(oldestMs),
  });
});

/** Sends messages and takes what the queue gives; each works until it is told how it ends. */
function take(...messages: readonly (readonly [group: string, body: string])[]) {
  for (const [group, body] of messages) sqs.send({ group, body, deduplicationId: body });
  const started: string[] = [];
  const endings = new Map<string, (ending: Ending) => void>();
  const received = sqs.receive(10, VISIBILITY_SECONDS * 1000);
  for (const message of received) {
    const { body } = message;
    extender.take(body, message, () => {
      started.push(body);
      return new Promise((resolve) => endings.set(body, resolve));
    });
  }
  const end = async (body: string, ending: Ending) => {
    await clock.advance(0);
    endings.get(body)?.(ending);
    await clock.advance(0);
  };
  return { received, started, end };
}

test('renews the visibility timeout when a third of it is over, for as long as the work takes', async () => {
  const { end } = take(['a', 'a1']);
  await clock.advance(120_000);
  expect(extended).toEqual([20, 40, 60, 80, 100, 120].map((seconds) => seconds * 1000));
  expect(sqs.hasVisible).toBe(false);
  await end('a1', 'done');
  expect([extender.size, sqs.size]).toEqual([0, 0]);
});

test('has no timer while it holds nothing, and a new one when it does again', async () => {
  const { end } = take(['a', 'a1']);
  await end('a1', 'done');
  expect(clock.nextMs).toBeUndefined();
  await clock.advance(50_000);
  take(['a', 'a2']);
  await clock.advance(20_000);
  expect(extended).toEqual([20_000]);
});

test('works on the messages of a group in turn, and on those of others meanwhile', async () => {
  const { started, end } = take(['a', 'a1'], ['a', 'a2'], ['b', 'b1']);
  await clock.advance(0);
  expect(started).toEqual(['a1', 'b1']);
  await end('a1', 'done');
  expect(started).toEqual(['a1', 'b1', 'a2']);
});

test('leaves what follows a message of its group that was left', async () => {
  const { started, end } = take(['a', 'a1'], ['a', 'a2']);
  await end('a1', 'left');
  expect(started).toEqual(['a1']);
  expect([extender.size, sqs.size]).toEqual([0, 2]);
  await clock.advance(60_000);
  expect(sqs.receive(10, 1_000)).toMatchObject([{ body: 'a1' }, { body: 'a2' }]);
});

test('makes what was abandoned visible again when it finishes', async () => {
  const { end } = take(['a', 'a1'], ['b', 'b1']);
  await end('a1', 'abandoned');
  await end('b1', 'done');
  const finished = extender.finish();
  await clock.advance(0);
  await finished;
  expect(sqs.receive(10, 1_000)).toMatchObject([{ body: 'a1', receiveCount: 2 }]);
});

test('deletes with the latest receipt a message that has come again meanwhile', async () => {
  const { received, end } = take(['a', 'a1']);
  for (const { receipt } of received) sqs.setVisibility(receipt, 0);
  for (const message of sqs.receive(10, 60_000))
    extender.take('a1', message, () => Promise.reject(new Error('worked on twice')));
  await end('a1', 'done');
  expect([extender.size, sqs.size]).toEqual([0, 0]);
});
