import { expect, test } from 'vitest';
import { Identifiers } from '../../../relay/radius/identifiers.ts';

test('hands out each of the 256 once, then none', () => {
  const identifiers = new Identifiers();
  const taken = new Set(Array.from({ length: 256 }, () => identifiers.take()));
  expect(taken.size).toBe(256);
  expect(identifiers.take()).toBeUndefined();
});

test('hands out the one that has been free for the longest time', () => {
  const identifiers = new Identifiers();
  const first = identifiers.take() ?? -1;
  const second = identifiers.take() ?? -1;
  identifiers.free(second);
  identifiers.free(first);
  const rest = Array.from({ length: 254 }, () => identifiers.take());
  expect(rest).not.toContain(first);
  expect([identifiers.take(), identifiers.take()]).toEqual([second, first]);
});

test('refuses to free one that is not taken', () => {
  const identifiers = new Identifiers();
  const identifier = identifiers.take() ?? -1;
  identifiers.free(identifier);
  expect(() => identifiers.free(identifier)).toThrow(`Identifier ${identifier} is not taken`);
});
