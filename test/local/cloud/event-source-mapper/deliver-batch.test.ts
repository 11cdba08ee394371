import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliverBatch, type RetryPolicy } from '../../../../local/cloud/event-source-mapper/deliver-batch.ts';

interface Script extends Partial<RetryPolicy> {
  /** How often each record fails before it succeeds. */
  readonly failures: Readonly<Record<string, number>>;
  /** Whether the function names what failed or just throws. */
  readonly names?: boolean;
  /** The invocation during which the mapping is stopped. */
  readonly stopsDuring?: number;
}

/** Works off a batch whose records are single letters, and gives all that happened in order. */
async function run(batch: string, script: Script) {
  const left: Record<string, number> = { ...script.failures };
  const stopping = new AbortController();
  const invocations: string[] = [];
  const settled: string[] = [];
  const givenUp: string[] = [];
  const backOffs: number[] = [];
  await deliverBatch(
    [...batch],
    {
      bisectBatchOnError: script.bisectBatchOnError ?? false,
      maximumRetryAttempts: script.maximumRetryAttempts ?? -1,
    },
    {
      invoke: async (records) => {
        invocations.push(records.join(''));
        if (invocations.length === script.stopsDuring) stopping.abort();
        const bad = records.filter((record) => (left[record] ?? 0) > 0);
        for (const record of bad) left[record] = (left[record] ?? 0) - 1;
        const failed = bad.length > 0 && script.names !== true ? records : bad;
        return { requestId: '', done: records.filter((record) => !failed.includes(record)), failed };
      },
      settle: (records) => settled.push(...records),
      giveUp: async (records) => {
        givenUp.push(...records);
      },
      backOff: async (failures) => backOffs.push(failures),
    },
    stopping.signal,
  );
  return { invocations, settled: settled.join(''), givenUp: givenUp.join(''), backOffs };
}

describe('working off a batch of stream records', () => {
  it('goes on at the first record that the function names, with all that follow it', async () => {
    expect(await run('abcd', { failures: { b: 1, d: 1 }, names: true })).toEqual({
      invocations: ['abcd', 'bcd'],
      settled: 'abcd',
      givenUp: '',
      backOffs: [],
    });
  });

  it('repeats a batch whole, ever slower, when nothing of it was done', async () => {
    expect(await run('abc', { failures: { b: 3 } })).toEqual({
      invocations: ['abc', 'abc', 'abc', 'abc'],
      settled: 'abc',
      givenUp: '',
      backOffs: [1, 2, 3],
    });
  });

  it('gives a batch up whole when its repetitions are used up', async () => {
    expect(await run('abc', { failures: { b: 9 }, maximumRetryAttempts: 1 })).toEqual({
      invocations: ['abc', 'abc'],
      settled: 'abc',
      givenUp: 'abc',
      backOffs: [1],
    });
  });

  it('counts the repetitions anew after every progress', async () => {
    expect(await run('ab', { failures: { a: 1, b: 3 }, names: true, maximumRetryAttempts: 1 })).toEqual({
      invocations: ['ab', 'ab', 'b', 'b'],
      settled: 'ab',
      givenUp: '',
      backOffs: [1, 1],
    });
  });

  it('halves a batch until the poisoned record is alone, which uses up no repetition', async () => {
    const script = { failures: { c: 9 }, bisectBatchOnError: true, maximumRetryAttempts: 2 };
    expect(await run('abcd', script)).toEqual({
      invocations: ['abcd', 'ab', 'cd', 'c', 'c', 'c', 'd'],
      settled: 'abcd',
      givenUp: 'c',
      backOffs: [1, 2],
    });
  });

  it('halves a batch whose first record is named', async () => {
    const script = { failures: { a: 9 }, names: true, bisectBatchOnError: true, maximumRetryAttempts: 0 };
    expect(await run('abcd', script)).toMatchObject({
      invocations: ['abcd', 'ab', 'a', 'b', 'cd'],
      givenUp: 'a',
    });
  });

  it('settles nothing more once it is stopped', async () => {
    const script = { failures: { b: 9 }, bisectBatchOnError: true, stopsDuring: 3 };
    expect(await run('abcd', script)).toMatchObject({ invocations: ['abcd', 'ab', 'a'], settled: 'a' });
  });

  it('settles every record once and in order, and with bisection gives up the poisoned ones alone', async () => {
    const poison = 99;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(0, 0, 1, poison), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (failures, names) => {
          const letters = failures.map((_, index) => String.fromCharCode(97 + index));
          const { settled, givenUp } = await run(letters.join(''), {
            failures: Object.fromEntries(letters.map((letter, index) => [letter, failures[index] ?? 0])),
            names,
            bisectBatchOnError: true,
            maximumRetryAttempts: 2,
          });
          expect(settled).toBe(letters.join(''));
          expect(givenUp).toBe(letters.filter((_, index) => failures[index] === poison).join(''));
        },
      ),
    );
  });
});
