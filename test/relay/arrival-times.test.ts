import { expect, test } from 'vitest';
import { ArrivalTimes } from '../../relay/arrival-times.ts';

test('is the wall time where nothing else came for the session', () => {
  const times = new ArrivalTimes();
  expect([times.next('a', 1_000), times.next('b', 1_000), times.next('a', 1_001)]).toEqual([
    1_000, 1_000, 1_001,
  ]);
});

test('tells two requests of one millisecond apart, and those that follow at once', () => {
  const times = new ArrivalTimes();
  const arrivals = [1_000, 1_000, 1_000, 1_001, 1_002, 1_010].map((nowMs) => times.next('a', nowMs));
  expect(arrivals).toEqual([1_000, 1_001, 1_002, 1_003, 1_004, 1_010]);
});

test('keeps the order when the clock is set back', () => {
  const times = new ArrivalTimes();
  expect([5_000, 1_000, 1_001].map((nowMs) => times.next('a', nowMs))).toEqual([5_000, 5_001, 5_002]);
});
