import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pending, type RetransmissionPolicy } from '../../../relay/radius/pending.ts';

const ROUNDING_MS = 1e-6;
/** RAND is zero. */
const steady = () => 0.5;
/** RFC 5080 section 2.2.1. */
const coa: RetransmissionPolicy = { irtMs: 2_000, mrtMs: 16_000, mrc: 5, mrdMs: 30_000 };
const accounting: RetransmissionPolicy = { irtMs: 2_000, mrtMs: 16_000, mrc: 0, mrdMs: 0 };

/** When one exchange, begun at 0, is sent again, and when it fails, up to `untilMs`. */
function historyOf(policy: RetransmissionPolicy, untilMs: number, random = steady) {
  const pending = new Pending<string>(random);
  pending.start('exchange', policy, 0);
  const againMs: number[] = [];
  for (;;) {
    const nowMs = pending.nextDeadlineMs();
    if (nowMs > untilMs) return { againMs, failedMs: undefined };
    const { due, failed } = pending.collect(nowMs);
    if (failed.length > 0) return { againMs, failedMs: nowMs };
    againMs.push(...due.map(() => nowMs));
  }
}

test('sends a CoA-Request again after 2, 6 and 14 seconds and fails after 30', () => {
  expect(historyOf(coa, 60_000)).toEqual({ againMs: [2_000, 6_000, 14_000], failedMs: 30_000 });
});

test('sends an Accounting-Request again and again, every 16 seconds in the end', () => {
  expect(historyOf(accounting, 100_000)).toEqual({
    againMs: [2_000, 6_000, 14_000, 30_000, 46_000, 62_000, 78_000, 94_000],
    failedMs: undefined,
  });
});

test('fails when it has been sent often enough and the last wait is over', () => {
  expect(historyOf({ ...coa, mrc: 2, mrdMs: 0 }, 60_000)).toEqual({ againMs: [2_000], failedMs: 6_000 });
});

test('spreads every wait by at most a tenth', () => {
  const random = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(random, (numbers) => {
      let drawn = 0;
      const { againMs } = historyOf(accounting, 100_000, () => numbers[drawn++ % numbers.length] ?? 0);
      let nominalMs: readonly [number, number] = [1_800, 2_200];
      let lastMs = 0;
      for (const atMs of againMs) {
        const waitMs = atMs - lastMs;
        expect(waitMs).toBeGreaterThan(nominalMs[0] - ROUNDING_MS);
        expect(waitMs).toBeLessThan(nominalMs[1] + ROUNDING_MS);
        // Doubled, unless that may be more than MRT: then around MRT.
        const mayBeCapped = waitMs * 2.1 > 16_000;
        nominalMs = [Math.min(waitMs * 1.9, 14_400), mayBeCapped ? 17_600 : waitMs * 2.1];
        lastMs = atMs;
      }
    }),
  );
});

test('has nothing to do before a deadline, and nothing for an exchange that is over', () => {
  const pending = new Pending<string>(steady);
  pending.start('answered', coa, 0);
  pending.start('waiting', coa, 500);
  expect(pending.nextDeadlineMs()).toBe(2_000);
  expect(pending.collect(1_999)).toEqual({ due: [], failed: [] });
  pending.end('answered');
  expect(pending.nextDeadlineMs()).toBe(2_500);
  expect(pending.collect(2_500)).toEqual({ due: ['waiting'], failed: [] });
  pending.end('waiting');
  expect(pending.nextDeadlineMs()).toBe(Number.POSITIVE_INFINITY);
});

test('forgets what has failed', () => {
  const pending = new Pending<string>(steady);
  pending.start('exchange', { ...coa, mrc: 1 }, 0);
  expect(pending.collect(2_000)).toEqual({ due: [], failed: ['exchange'] });
  expect(pending.nextDeadlineMs()).toBe(Number.POSITIVE_INFINITY);
});
