import { expect, test } from 'vitest';
import { HandledMessages } from '../../relay/handled-messages.ts';

const ids = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

test('knows the latest ids, of any length, and no others', () => {
  const handled = new HandledMessages(100);
  const added = [...ids(50), 'x'.repeat(100_000)];
  for (const id of added) handled.add(id);
  expect(added.filter((id) => !handled.has(id))).toEqual([]);
  expect(handled.has('message 50')).toBe(false);
  expect(handled.has(`${'x'.repeat(100_000)}y`)).toBe(false);
});

test.each([100, 150, 199, 200, 201, 1_000])('remembers the latest 100 of %i, and at most 200', (count) => {
  const handled = new HandledMessages(100);
  const added = ids(count);
  for (const id of added) handled.add(id);
  const known = added.map((id) => handled.has(id));
  expect(known.slice(-100)).toEqual(Array(Math.min(count, 100)).fill(true));
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(200);
});
