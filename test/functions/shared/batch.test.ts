import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Batch, type Fate, processBatch } from '../../../functions/shared/batch.ts';

/** So much remaining time that the signal does not abort. */
const MINUTE_MS = 60_000;

/** A batch of records such as `a1`; the letter is the group. `log` gets what happens to them. */
function batchOf(records: readonly string[], process: Batch<string>['process']) {
  const log: string[] = [];
  const batch: Batch<string> = {
    records,
    groupOf: (record) => record.slice(0, 1),
    idOf: (record) => `id of ${record}`,
    process: async (record, signal) => {
      log.push(`${record} begins`);
      await process(record, signal);
      log.push(`${record} ends`);
    },
    onFailure: (record, error) => log.push(`${record} fails: ${(error as Error).message}`),
  };
  return { batch, log };
}

const failures = (...records: string[]) => ({
  batchItemFailures: records.map((record) => ({ itemIdentifier: `id of ${record}` })),
});

const untilAborted = (_: string, signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a batch', () => {
  it('is processed in order within a group', async () => {
    const { batch, log } = batchOf(['a1', 'a2', 'a3'], turn);
    expect(await processBatch(batch, MINUTE_MS)).toEqual(failures());
    expect(log).toEqual(['a1 begins', 'a1 ends', 'a2 begins', 'a2 ends', 'a3 begins', 'a3 ends']);
  });

  it('is processed concurrently across groups', async () => {
    const begun: string[] = [];
    const all = Promise.withResolvers<void>();
    const { batch } = batchOf(['a1', 'b1', 'c1'], (record) => {
      if (begun.push(record) === 3) all.resolve();
      return all.promise;
    });
    expect(await processBatch(batch, MINUTE_MS)).toEqual(failures());
    expect(begun).toEqual(['a1', 'b1', 'c1']);
  });

  it('fails from the first failure of a group on, and does not fail in other groups', async () => {
    const { batch, log } = batchOf(['a1', 'b1', 'a2', 'b2', 'a3', 'a4'], async (record) => {
      if (record === 'a2') throw new Error('poison');
    });
    expect(await processBatch(batch, MINUTE_MS)).toEqual(failures('a2', 'a3', 'a4'));
    expect(log).toContain('a2 fails: poison');
    expect(log.filter((line) => line.endsWith('ends')).sort()).toEqual(['a1 ends', 'b1 ends', 'b2 ends']);
    expect(log).not.toContain('a3 begins');
  });

  it('goes on behind a record that passes or is settled, and names only the one that passes', async () => {
    const { batch, log } = batchOf(['a1', 'a2', 'a3', 'a4', 'a5'], async (record) => {
      if (record !== 'a3') throw new Error(record);
    });
    const fates = new Map<string, Fate>([
      ['a1', 'settled'],
      ['a2', 'passes'],
      ['a4', 'blocks'],
    ]);
    const fateOf = async (record: string) => fates.get(record) ?? 'blocks';
    expect(await processBatch({ ...batch, fateOf }, MINUTE_MS)).toEqual(failures('a2', 'a4', 'a5'));
    expect(log.filter((line) => !line.endsWith('begins'))).toEqual([
      'a2 fails: a2',
      'a3 ends',
      'a4 fails: a4',
    ]);
  });

  it('stops behind a record whose fate cannot be brought about', async () => {
    const { batch, log } = batchOf(['a1', 'a2'], async () => {
      throw new Error('poison');
    });
    const fateOf = () => Promise.reject(new Error('no queue'));
    expect(await processBatch({ ...batch, fateOf }, MINUTE_MS)).toEqual(failures('a1', 'a2'));
    expect(log).toEqual(['a1 begins', 'a1 fails: Error: no queue']);
  });

  it('counts an error that is thrown synchronously as a failure', async () => {
    const { batch } = batchOf(['a1', 'b1'], (record) => {
      if (record === 'a1') throw new Error('at once');
      return Promise.resolve();
    });
    expect(await processBatch(batch, MINUTE_MS)).toEqual(failures('a1'));
  });

  it('without records has no failures', async () => {
    const { batch } = batchOf([], turn);
    expect(await processBatch(batch, MINUTE_MS)).toEqual(failures());
  });
});

describe('a batch that runs out of time', () => {
  it('aborts the records under way, begins no other, and names all that are left', async () => {
    const { batch, log } = batchOf(['a1', 'a2', 'b1', 'b2'], (record, signal) =>
      record === 'b1' ? Promise.resolve() : untilAborted(record, signal),
    );
    expect(await processBatch(batch, 0)).toEqual(failures('a1', 'a2', 'b2'));
    expect(log.filter((line) => line.endsWith('begins'))).toEqual(['a1 begins', 'b1 begins', 'b2 begins']);
    expect(log).toContain('a1 fails: The operation was aborted due to timeout');
  });

  it('begins no record once its time has passed', async () => {
    const { batch, log } = batchOf(['a1', 'a2'], (_, signal) =>
      signal.aborted
        ? Promise.resolve()
        : new Promise((done) => signal.addEventListener('abort', () => done())),
    );
    expect(await processBatch(batch, 0)).toEqual(failures('a2'));
    expect(log).toEqual(['a1 begins', 'a1 ends', 'a2 fails: The operation was aborted due to timeout']);
  });

  it('reserves the last second of its time for the response', async () => {
    const { batch } = batchOf(['a1'], untilAborted);
    const halfASecond = delay(500, 'too late', { ref: false });
    expect(await Promise.race([processBatch(batch, 1_000), halfASecond])).toEqual(failures('a1'));
  });
});
