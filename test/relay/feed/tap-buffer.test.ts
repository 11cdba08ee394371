import { expect, test } from 'vitest';
import { TapBuffer } from '../../../relay/feed/tap-buffer.ts';
import { Inbox } from '../../../relay/queues/inbox.ts';
import { Queue } from '../../../relay/queues/queue.ts';
import { ManualClock } from '../manual-clock.ts';
import { MemoryQueue, memorySqsClient } from '../memory-sqs.ts';
import { EventRecorder } from '../support.ts';

const message = (index: number) => ({ body: `${index}`, group: `${index}`, deduplicationId: `${index}` });

function make({ capacity = 100 } = {}) {
  const clock = new ManualClock();
  const taken: string[] = [];
  const memory = new MemoryQueue(clock, ({ body }) => taken.push(body));
  const state = { isAway: false };
  const sqs = memorySqsClient(
    { clock, queues: { feed: memory }, fateOf: () => (state.isAway ? 'failed' : 'served') },
    clock,
  );
  const events = new EventRecorder();
  const queue = new Queue('feed', 'feed', { sqs, clock, report: events.add });
  const buffer = new TapBuffer(new Inbox(queue, { clock }), { clock, capacity });
  return { clock, taken, state, buffer };
}

test('sends what it is offered', async () => {
  const { clock, taken, buffer } = make();
  const sent = buffer.offer(message(1));
  await clock.advance(10);
  expect(await sent).toBe(true);
  expect(taken).toEqual(['1']);
  expect(buffer.size).toBe(0);
});

test('keeps messages while SQS is away for a minute, and loses none', async () => {
  const { clock, taken, state, buffer } = make({ capacity: 1000 });
  state.isAway = true;
  const sent = Array.from({ length: 1000 }, (_, index) => buffer.offer(message(index)));
  await clock.advance(60_000);
  expect(taken).toEqual([]);
  expect(buffer.size).toBe(1000);
  state.isAway = false;
  // At most 10 s until the next attempt.
  await clock.advance(11_000);
  expect(new Set(await Promise.all(sent))).toEqual(new Set([true]));
  expect(new Set(taken).size).toBe(1000);
  expect(taken).toHaveLength(1000);
});

test('takes no more than it has room for, and has room again', async () => {
  const { clock, state, buffer } = make({ capacity: 2 });
  state.isAway = true;
  expect(buffer.offer(message(1))).toBeDefined();
  expect(buffer.offer(message(2))).toBeDefined();
  expect(buffer.offer(message(3))).toBeUndefined();
  state.isAway = false;
  await clock.advance(1_000);
  expect(buffer.offer(message(3))).toBeDefined();
});

test('drains: waits for SQS, or gives up what it holds', async () => {
  const { clock, taken, state, buffer } = make();
  void buffer.offer(message(1));
  const drained = buffer.drain(new AbortController().signal);
  await clock.advance(10);
  await drained;
  expect(taken).toEqual(['1']);

  const other = make();
  other.state.isAway = true;
  const lost = other.buffer.offer(message(1));
  const abandon = new AbortController();
  const given = other.buffer.drain(abandon.signal);
  await other.clock.advance(1_000);
  abandon.abort();
  await given;
  expect(await lost).toBe(false);
  expect(state.isAway).toBe(false);
});
