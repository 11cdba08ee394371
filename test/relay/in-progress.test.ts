import { expect, test } from 'vitest';
import { InProgress } from '../../relay/in-progress.ts';
import { packetOf, signedRequest } from './support.ts';

const gold = packetOf(signedRequest());
/** Requests that differ in their Identifiers alone. */
const numbered = (identifier: number) => packetOf(signedRequest({ identifier }));
const silver = packetOf(
  signedRequest({ attributes: [{ name: 'ERX-Service-Activate', tag: 1, value: 'silver' }] }),
);

test('knows a byte-identical repeat by the request that it repeats', () => {
  const list = new InProgress();
  expect(list.begin(gold, 'first', 0)).toBeUndefined();
  expect(list.begin(gold, 'second', 2_000)).toMatchObject({ correlationId: 'first', beganAtMs: 0 });
  expect(list.count(2_000)).toBe(1);
});

test('knows a repeat from whatever address and port, and another Identifier for another request', () => {
  const list = new InProgress();
  list.begin(gold, 'first', 0);
  expect(list.begin(numbered(43), 'second', 0)).toBeUndefined();
  expect(list.begin(packetOf(signedRequest()), 'third', 1)).toMatchObject({ correlationId: 'first' });
  expect(list.count(1)).toBe(2);
});

test('keeps the old request when its Identifier comes with another authenticator: it still has an answer', () => {
  const list = new InProgress();
  list.begin(gold, 'gold', 0);
  expect(list.begin(silver, 'silver', 1)).toBeUndefined();
  expect(list.count(1)).toBe(2);
  expect(list.end(silver)).toMatchObject({ correlationId: 'silver', beganAtMs: 1 });
  expect(list.end(gold)).toMatchObject({ correlationId: 'gold', beganAtMs: 0 });
  expect(list.end(gold)).toBeUndefined();
});

test('takes a repeat on again once the request is over', () => {
  const list = new InProgress();
  list.begin(gold, 'first', 0);
  list.end(gold);
  expect(list.begin(gold, 'second', 1)).toBeUndefined();
});

test('takes a repeat on again when the answer has not come for 30 seconds, counted from the first', () => {
  const list = new InProgress();
  list.begin(gold, 'first', 0);
  expect(list.begin(gold, 'second', 29_999)).toMatchObject({ correlationId: 'first' });
  expect(list.begin(gold, 'third', 30_000)).toBeUndefined();
  expect(list.count(30_000)).toBe(1);
});

test('forgets expired requests without being asked for them', () => {
  const list = new InProgress();
  for (let number = 1; number <= 100; number++) list.begin(numbered(number), String(number), number);
  expect(list.count(30_050)).toBe(50);
  list.begin(silver, 'late', 30_060);
  expect(list.count(30_060)).toBe(41);
});

test('forgets the oldest when there are too many', () => {
  const list = new InProgress({ capacity: 2 });
  for (const number of [1, 2, 3]) list.begin(numbered(number), String(number), 0);
  expect(list.count(1)).toBe(2);
  expect(list.end(numbered(1))).toBeUndefined();
  expect(list.end(numbered(3))).toMatchObject({ correlationId: '3' });
});
