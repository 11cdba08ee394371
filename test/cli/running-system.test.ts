import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { announceSystem, findSystem } from '../../cli/running-system.ts';
import { LOCAL } from '../local/cloud/emulators.ts';

const systemOn = (port: number) => ({
  tableName: 'interlock',
  dynamodb: { endpoint: `http://127.0.0.1:${port}`, ...LOCAL },
  sqs: { endpoint: `http://127.0.0.1:${port + 1}`, ...LOCAL },
});

/** In a directory that is there, one that is not. */
async function newDirectory(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'interlock-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  return join(parent, 'data');
}

it('finds a system from its start to its stop', async () => {
  const directory = await newDirectory();
  expect(await findSystem(directory)).toBeUndefined();
  const withdraw = await announceSystem(systemOn(4711), directory);
  expect(await findSystem(directory)).toEqual(systemOn(4711));
  await withdraw();
  expect(await findSystem(directory)).toBeUndefined();
});

it('finds the one that started last, also when the one before it stops', async () => {
  const directory = await newDirectory();
  const withdrawFirst = await announceSystem(systemOn(1), directory);
  const withdrawSecond = await announceSystem(systemOn(2), directory);
  await withdrawFirst();
  expect(await findSystem(directory)).toEqual(systemOn(2));
  await withdrawSecond();
  await withdrawSecond();
  expect(await findSystem(directory)).toBeUndefined();
});
