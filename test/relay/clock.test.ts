import { expect, test } from 'vitest';
import { delay } from '../../relay/clock.ts';
import { ManualClock } from './manual-clock.ts';

/** Records when things happen, in seconds since the start. */
function recorder(clock: ManualClock) {
  const startMs = clock.now();
  const log: string[] = [];
  return { log, note: (what: string) => log.push(`${(clock.now() - startMs) / 1000} ${what}`) };
}

test('delay ends when its time has passed, or when its signal aborts', async () => {
  const clock = new ManualClock();
  const { log, note } = recorder(clock);
  const abort = new AbortController();
  const never = new AbortController().signal;
  void delay(clock, 5_000, never).then(() => note('passed'));
  void delay(clock, 9_000, abort.signal).then(() => note('aborted'));
  void delay(clock, 9_000, AbortSignal.abort()).then(() => note('aborted before'));
  clock.setTimeout(() => abort.abort(), 3_000);
  await clock.advance(10_000);
  expect(log).toEqual(['0 aborted before', '3 aborted', '5 passed']);
  expect(clock.nextMs).toBeUndefined();
});

test('a manual clock fires timers in their order, each when what the one before started has settled', async () => {
  const clock = new ManualClock();
  const { log, note } = recorder(clock);
  clock.setTimeout(() => note('second'), 2_000);
  clock.setTimeout(async () => {
    note('first');
    await null;
    note('settled');
  }, 1_000);
  clock.setTimeout(() => note('cancelled'), 1_500).cancel();
  clock.setImmediate(() => note('now'));
  const interval = clock.setInterval(() => note('again'), 1_000);
  await clock.advance(2_999);
  interval.cancel();
  await clock.advance(5_000);
  expect(log).toEqual(['0 now', '1 first', '1 settled', '1 again', '2 second', '2 again']);
});

test('time does not stop for an idle timer, which fires when it has passed', async () => {
  const clock = new ManualClock();
  const { log, note } = recorder(clock);
  clock.setIdleTimeout(() => note('idle'), 1_000);
  clock.abortAfter(2_000).addEventListener('abort', () => note('abort'));
  expect(clock.nextMs).toBeUndefined();
  clock.setTimeout(() => note('timer'), 3_000);
  await clock.advance(4_000);
  expect(log).toEqual(['3 idle', '3 abort', '3 timer']);
});

test('the timers of a process that is killed never fire', async () => {
  const clock = new ManualClock();
  const { log, note } = recorder(clock);
  const process = clock.process();
  process.clock.setTimeout(() => note('before'), 1_000);
  process.clock.setTimeout(() => note('after'), 3_000);
  process.clock.setInterval(() => note('interval'), 2_000);
  await clock.advance(2_000);
  process.kill();
  process.clock.setImmediate(() => note('from the dead'));
  await clock.advance(5_000);
  expect(log).toEqual(['1 before', '2 interval']);
});
