import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startPollLoop, wait } from '../../../../local/cloud/event-source-mapper/poll-loop.ts';

/** Runs a loop whose polls turn out as scripted, then end. */
async function run(script: readonly ('ok' | 'error')[]) {
  const reports: string[] = [];
  const delays: number[] = [];
  let polls = 0;
  const { ended } = startPollLoop(
    'the queue',
    {
      report: (problem) => reports.push(problem),
      delay: async (milliseconds) => delays.push(milliseconds),
    },
    async () => {
      const turn = script[polls++];
      if (turn === 'error') throw new Error('connection refused');
      return turn === 'ok' ? 'again' : 'end';
    },
  );
  await ended;
  return { reports, delays, polls };
}

describe('a poll loop', () => {
  it('polls until there is nothing more to come', async () => {
    expect(await run(['ok', 'ok'])).toEqual({ reports: [], delays: [], polls: 3 });
  });

  it('waits longer and longer while the polls fail, five seconds at most', async () => {
    const { delays } = await run(Array(8).fill('error'));
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  it('begins with a short wait again after a poll that succeeded', async () => {
    expect((await run(['error', 'error', 'ok', 'error'])).delays).toEqual([100, 200, 100]);
  });

  it('reports once that the polls fail, and once that they succeed again', async () => {
    expect((await run(['error', 'error', 'ok', 'ok'])).reports).toEqual([
      'the queue cannot be polled, retrying: Error: connection refused',
      'the queue can be polled again',
    ]);
  });

  it('stops after the poll that is under way', async () => {
    const poll = Promise.withResolvers<'again'>();
    let polls = 0;
    const loop = startPollLoop('the queue', { report: () => {} }, () => {
      polls += 1;
      return poll.promise;
    });
    const stopped = loop.stop().then(() => 'stopped');
    expect(await Promise.race([stopped, setImmediate('polling')])).toBe('polling');
    poll.resolve('again');
    expect(await stopped).toBe('stopped');
    expect(polls).toBe(1);
  });

  it('stops without waiting for the next attempt', async () => {
    const stopping = new AbortController();
    const waiting = wait(24 * 60 * 60 * 1000, stopping.signal);
    stopping.abort();
    await expect(waiting).resolves.toBeUndefined();
    await expect(wait(24 * 60 * 60 * 1000, stopping.signal)).resolves.toBeUndefined();
  });
});
