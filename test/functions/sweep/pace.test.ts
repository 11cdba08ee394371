import { describe, expect, it } from 'vitest';
import { createPace } from '../../../functions/sweep/pace.ts';

const STARTED = 1_000_000;
const HORIZON = STARTED + 60_000;
/** When each of these sessions is delivered, all read at once: seconds from the start. */
const deliveredOf = (sessions: readonly (readonly [nas: string, dueSeconds: number])[], perSecond = 2) => {
  const pace = createPace(STARTED, HORIZON, perSecond);
  return sessions.map(([nas, dueSeconds]) => {
    const atMs = pace(nas, STARTED + dueSeconds * 1000, STARTED);
    return atMs === undefined ? 'left' : (atMs - STARTED) / 1000;
  });
};
const many = (count: number, nas: string, dueSeconds: number) =>
  Array.from({ length: count }, () => [nas, dueSeconds] as const);

describe('the pace of sweep', () => {
  it('leaves times as they are while there are few', () => {
    expect(deliveredOf([...many(2, 'a', -90), ['a', 0.4], ['a', 7], ['a', 7.5], ['a', 60]])).toEqual([
      -90, -90, 0.4, 7, 7.5, 60,
    ]);
  });

  it('gives a NAS so many in a second, those that have waited longest first', () => {
    expect(deliveredOf([...many(5, 'a', -90), ['a', 1], ['a', 9]])).toEqual([-90, -90, 1, 1, 2, 2, 9]);
  });

  it('lets no NAS wait for another', () => {
    expect(deliveredOf([...many(3, 'a', 0), ...many(3, 'b', 0)])).toEqual([0, 0, 1, 0, 0, 1]);
  });

  it('leaves for the next run what does not fit into this one, and nothing else', () => {
    const delivered = deliveredOf([...many(1500, 'a', -1), ['b', 30]], 20);
    const seconds = delivered.slice(0, 1500).filter((at) => at !== 'left');
    expect(seconds).toHaveLength(61 * 20);
    expect(delivered.at(-1)).toBe(30);
    for (let second = 1; second <= 60; second++) {
      expect(seconds.filter((at) => at === second)).toHaveLength(20);
    }
  });

  it('counts from now when it reads slowly, so that nothing is delivered in a burst afterwards', () => {
    const pace = createPace(STARTED, HORIZON, 2);
    const late = (nas: string) => pace(nas, STARTED, STARTED + 10_000);
    expect([late('a'), late('a'), late('a')]).toEqual([STARTED, STARTED, STARTED + 11_000]);
  });

  it('never leaves what is due only when the next run begins', () => {
    const pace = createPace(STARTED, HORIZON, 1);
    expect(pace('a', HORIZON, STARTED + 61_000)).toBe(HORIZON);
  });
});
