import { expect, test } from 'vitest';
import { ConcurrencyLimit } from '../../relay/concurrency-limit.ts';

test('lets so many run, lets so many more wait, and refuses the rest', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrent: 2, maxWaiting: 1 });
  await limit.acquire();
  await limit.acquire();
  expect(limit.acquire()).toBeInstanceOf(Promise);
  expect(limit.acquire()).toBeUndefined();
  expect(limit.active).toBe(2);
});

test('lets those run that waited, in their order, and counts none when all have released', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrent: 1, maxWaiting: 2 });
  const entered: string[] = [];
  await limit.acquire();
  const first = limit.acquire()?.then(() => entered.push('first'));
  const second = limit.acquire()?.then(() => entered.push('second'));
  limit.release();
  await first;
  expect(entered).toEqual(['first']);
  limit.release();
  await second;
  expect(entered).toEqual(['first', 'second']);
  limit.release();
  expect(limit.active).toBe(0);
  await limit.acquire();
  expect(limit.active).toBe(1);
});
