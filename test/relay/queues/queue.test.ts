import { expect, test } from 'vitest';
import { systemClock } from '../../../relay/clock.ts';
import { Queue } from '../../../relay/queues/queue.ts';
import { ManualClock } from '../manual-clock.ts';
import { EventRecorder, scriptedSqs } from '../support.ts';

test('gives up a call that nobody answers', async () => {
  const { sqs, stop } = await scriptedSqs(() => undefined);
  const events = new EventRecorder();
  const clock = new ManualClock();
  const url = 'http://localhost/000000000000/outbox';
  const queue = new Queue('outbox', url, { sqs, clock, report: events.add });
  const received = queue.receive({ waitSeconds: 2, visibilitySeconds: 1, attemptId: 'attempt' });
  await clock.advance(6_999);
  expect(events.all).toEqual([]);
  await clock.advance(1);
  expect(await received).toEqual({ mayRetry: true });
  const error = 'no answer within 7 seconds';
  expect(events.all).toEqual([{ kind: 'queue-trouble', queue: 'outbox', error }]);
  expect(queue.health).toEqual({ state: 'unreachable', error, atMs: 7_000 });
  await stop();
});

test('takes a call that was called off for no trouble', async () => {
  const abort = new AbortController();
  const { sqs, stop } = await scriptedSqs(() => {
    abort.abort();
    return undefined;
  });
  const events = new EventRecorder();
  const queue = new Queue('outbox', 'http://localhost/000000000000/outbox', {
    sqs,
    clock: systemClock,
    report: events.add,
  });
  const attempt = { waitSeconds: 20, visibilitySeconds: 1, attemptId: 'attempt', signal: abort.signal };
  expect(await queue.receive(attempt)).toEqual({ mayRetry: true });
  expect(events.all).toEqual([]);
  expect(queue.health).toEqual({ state: 'unknown' });
  await stop();
});

test('deletes what is done in one turn of the event loop ten to a call', async () => {
  const sizes: number[] = [];
  const { sqs, stop } = await scriptedSqs(({ entries }) => {
    sizes.push(entries.length);
    return { Successful: entries };
  });
  const queue = new Queue('outbox', 'http://localhost/000000000000/outbox', {
    sqs,
    clock: systemClock,
    report: () => undefined,
  });
  await Promise.all(Array.from({ length: 12 }, (_, index) => queue.delete(`receipt-${index}`)));
  expect(sizes.sort()).toEqual([10, 2]);
  await stop();
});
