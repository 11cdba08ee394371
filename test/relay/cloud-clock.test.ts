import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CloudClock } from '../../relay/cloud-clock.ts';
import { EventRecorder } from './support.ts';

const START_MS = 1_700_000_000_000;

/** A cloud with a clock of its own, and a relay whose wall clock is ahead of it by `skewMs`. */
function scene(skewMs: number, monotonicStartMs = 0) {
  let elapsedMs = 0;
  let aheadMs = skewMs;
  const cloudMs = () => START_MS + elapsedMs;
  const events = new EventRecorder();
  const clock = { now: () => cloudMs() + aheadMs, monotonicNow: () => monotonicStartMs + elapsedMs };
  const cloudClock = new CloudClock({ clock, report: events.add });
  return {
    cloudClock,
    events,
    cloudMs,
    pass: (ms: number) => {
      elapsedMs += ms;
    },
    step: (ms: number) => {
      aheadMs += ms;
    },
    /** A call whose response the cloud dates after `outMs`, and which comes back `backMs` later. */
    call: (outMs: number, backMs: number) => {
      const sentAtMs = clock.monotonicNow();
      elapsedMs += outMs;
      const dateMs = Math.floor(cloudMs() / 1000) * 1000;
      elapsedMs += backMs;
      cloudClock.observe({ dateMs, sentAtMs, receivedAtMs: clock.monotonicNow() });
    },
  };
}

const calls = fc.array(fc.record({ pauseMs: fc.nat(5_000), outMs: fc.nat(2_500), backMs: fc.nat(2_500) }), {
  minLength: 1,
  maxLength: 30,
});

test('the true skew is always within its bounds, and they come no further apart', () => {
  const skews = fc.integer({ min: -90_000_000, max: 90_000_000 });
  fc.assert(
    fc.property(skews, fc.nat(1e9), calls, (skewMs, monotonicStartMs, steps) => {
      const { cloudClock, cloudMs, call, pass } = scene(skewMs, monotonicStartMs);
      let before = Number.POSITIVE_INFINITY;
      for (const { pauseMs, outMs, backMs } of steps) {
        pass(pauseMs);
        call(outMs, backMs);
        const { skew } = cloudClock;
        expect(Math.abs((skew?.skewMs ?? Number.NaN) - skewMs)).toBeLessThanOrEqual(skew?.uncertaintyMs ?? 0);
        expect(skew?.uncertaintyMs).toBeLessThanOrEqual(Math.min(before, (outMs + backMs + 1000) / 2));
        expect(cloudClock.pastMs).toBeLessThanOrEqual(cloudMs());
        before = skew?.uncertaintyMs ?? 0;
      }
    }),
  );
});

test('quick calls at different moments of a second show a skew to within 50 ms', () => {
  const { cloudClock, call, pass } = scene(1_500);
  for (let count = 0; count < 40; count++) {
    call(5, 5);
    pass(977);
  }
  const { skewMs = 0, uncertaintyMs = Number.NaN } = cloudClock.skew ?? {};
  expect(Math.abs(skewMs - 1_500)).toBeLessThanOrEqual(uncertaintyMs);
  expect(uncertaintyMs).toBeLessThan(50);
});

test('nothing is known before the first response', () => {
  const { cloudClock } = scene(31_000);
  expect(cloudClock.skew).toBeUndefined();
  expect(cloudClock.pastMs).toBe(Number.NEGATIVE_INFINITY);
});

test('a step of the wall clock shows at once, without another call', () => {
  const { cloudClock, call, step } = scene(0);
  call(5, 5);
  const { skewMs: before = 0 } = cloudClock.skew ?? {};
  const past = cloudClock.pastMs;
  step(-1_500);
  expect(cloudClock.skew?.skewMs).toBe(before - 1_500);
  expect(cloudClock.pastMs).toBe(past);
});

test('a host that was suspended knows the time again after the next response', () => {
  const { cloudClock, call, pass } = scene(0);
  call(5, 5);
  let suspendedMs = 0;
  const { cloudMs } = { cloudMs: () => START_MS + suspendedMs };
  // Monotonic time stands still meanwhile, and the cloud's does not.
  suspendedMs = 3_600_000;
  pass(2_000);
  cloudClock.observe({ dateMs: cloudMs() + 2_000, sentAtMs: 2_005, receivedAtMs: 2_010 });
  expect(cloudClock.pastMs).toBeGreaterThan(START_MS + 3_600_000);
});

test('reports a skew that passes 5 s for certain, and that it has ended', () => {
  const { events, call, step, pass } = scene(5_300);
  // Without the second's beginning it may be less.
  call(5, 5);
  expect(events.all).toEqual([]);
  for (let count = 0; count < 20; count++) {
    pass(1_049);
    call(5, 5);
  }
  expect(events.all).toMatchObject([{ kind: 'clock-skewed' }]);
  step(-400);
  call(5, 5);
  step(-500);
  call(5, 5);
  expect(events.all).toMatchObject([{ kind: 'clock-skewed' }, { kind: 'clock-in-step' }]);
  step(-40_000);
  call(5, 5);
  const [, , last] = events.all;
  expect(last).toMatchObject({ kind: 'clock-skewed', skewMs: expect.any(Number) });
  expect(last).toHaveProperty(
    'skewMs',
    expect.toSatisfy((ms: number) => ms < -35_000 && ms > -36_000),
  );
});

test('the time that it shows is within its bounds, and does not go back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -90_000_000, max: 90_000_000 }),
      fc.nat(1e9),
      calls,
      (skewMs, startMs, steps) => {
        const { cloudClock, cloudMs, call, pass } = scene(skewMs, startMs);
        expect(cloudClock.now()).toBe(cloudMs() + skewMs);
        let latestMs = Number.NEGATIVE_INFINITY;
        let uncertaintyMs = 0;
        for (const { pauseMs, outMs, backMs } of steps) {
          pass(pauseMs);
          call(outMs, backMs);
          // What was shown before the bounds came closer may be shown for a while.
          uncertaintyMs = Math.max(uncertaintyMs, 2 * (cloudClock.skew?.uncertaintyMs ?? 0));
          const nowMs = cloudClock.now();
          if (latestMs !== Number.NEGATIVE_INFINITY) expect(nowMs).toBeGreaterThanOrEqual(latestMs);
          expect(Math.abs(nowMs - cloudMs())).toBeLessThanOrEqual(uncertaintyMs + 1);
          latestMs = nowMs;
        }
      },
    ),
  );
});

test('a clock that may be right is shown as it is, and a step of it is followed', () => {
  const { cloudClock, cloudMs, call, step, pass } = scene(0);
  call(10, 10);
  expect(cloudClock.now()).toBe(cloudMs());
  step(3_600_000);
  expect(Math.abs(cloudClock.now() - cloudMs())).toBeLessThanOrEqual(1_020);
  step(-7_200_000);
  pass(5_000);
  expect(Math.abs(cloudClock.now() - cloudMs())).toBeLessThanOrEqual(1_020);
});
