import { expect, test } from 'vitest';
import { RateLimit } from '../../../relay/overload/rate-limit.ts';

const allowed = (
  rates: RateLimit,
  {
    perSecond,
    offered,
    forMs,
    fromMs = 0,
    client = 'policy',
  }: {
    readonly perSecond: number;
    readonly offered: number;
    readonly forMs: number;
    readonly fromMs?: number;
    readonly client?: string;
  },
) => {
  let count = 0;
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 1000 / offered)
    if (rates.allows(client, perSecond, nowMs)) count++;
  return count;
};

test.each([
  ['what is within the rate', 50, 40, 400],
  ['the rate, and once what a second brings, where more is asked', 50, 1000, 550],
  ['a rate below one a second', 0.5, 10, 5],
])('allows %s', (_, perSecond, offered, expected) => {
  expect(
    Math.abs(allowed(new RateLimit(), { perSecond, offered, forMs: 10_000 }) - expected),
  ).toBeLessThanOrEqual(1);
});

test('counts each client for itself', () => {
  const rates = new RateLimit();
  allowed(rates, { perSecond: 1, offered: 100, forMs: 1000, client: 'flood' });
  expect(rates.allows('flood', 1, 999)).toBe(false);
  expect(rates.allows('policy', 1, 1000)).toBe(true);
});
