import { expect, test } from 'vitest';
import { Gate } from '../../relay/concurrency-limit.ts';

test('lets as many in as there is room, then as many wait as may, then nobody', async () => {
  const gate = new Gate({ room: 2, maxWaiting: 1 });
  await gate.enter();
  await gate.enter();
  expect(gate.enter()).toBeInstanceOf(Promise);
  expect(gate.enter()).toBeUndefined();
  expect(gate.size).toBe(2);
});

test('lets those in who waited, in their order, and has room again when all have left', async () => {
  const gate = new Gate({ room: 1, maxWaiting: 2 });
  const entered: string[] = [];
  await gate.enter();
  const first = gate.enter()?.then(() => entered.push('first'));
  const second = gate.enter()?.then(() => entered.push('second'));
  gate.leave();
  await first;
  expect(entered).toEqual(['first']);
  gate.leave();
  await second;
  expect(entered).toEqual(['first', 'second']);
  gate.leave();
  expect(gate.size).toBe(0);
  await gate.enter();
  expect(gate.size).toBe(1);
});
