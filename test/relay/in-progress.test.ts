import { expect, test } from 'vitest';
import { InProgress } from '../../relay/in-progress.ts';
import { LOCALHOST, packetOf, signedRequest } from './support.ts';

const source = { address: LOCALHOST, port: 50_000 };
const gold = packetOf(signedRequest());
const silver = packetOf(
  signedRequest({ attributes: [{ name: 'ERX-Service-Activate', tag: 1, value: 'silver' }] }),
);

test('knows a byte-identical repeat by the request that it repeats', () => {
  const list = new InProgress();
  expect(list.begin(source, gold, 'first', 0)).toBeUndefined();
  expect(list.begin(source, gold, 'second', 2_000)).toMatchObject({ correlationId: 'first', beganAtMs: 0 });
  expect(list.count(2_000)).toBe(1);
});

test.each([
  ['another port', { ...source, port: 50_001 }, gold],
  ['another address', { ...source, address: '192.0.2.1' }, gold],
  ['another Identifier', source, packetOf(signedRequest({ identifier: 43 }))],
])('takes the same request from %s for another request', (_, otherSource, otherPacket) => {
  const list = new InProgress();
  list.begin(source, gold, 'first', 0);
  expect(list.begin(otherSource, otherPacket, 'second', 0)).toBeUndefined();
  expect(list.count(1)).toBe(2);
});

test('forgets the old request when its Identifier comes with another authenticator', () => {
  const list = new InProgress();
  list.begin(source, gold, 'gold', 0);
  expect(list.begin(source, silver, 'silver', 1)).toBeUndefined();
  expect(list.count(1)).toBe(1);
  expect(list.end(source, gold)).toBeUndefined();
  expect(list.end(source, silver)).toMatchObject({ correlationId: 'silver', beganAtMs: 1 });
});

test('takes a repeat on again once the request is over', () => {
  const list = new InProgress();
  list.begin(source, gold, 'first', 0);
  list.end(source, gold);
  expect(list.begin(source, gold, 'second', 1)).toBeUndefined();
});

test('takes a repeat on again when the answer has not come for 30 seconds, counted from the first', () => {
  const list = new InProgress();
  list.begin(source, gold, 'first', 0);
  expect(list.begin(source, gold, 'second', 29_999)).toMatchObject({ correlationId: 'first' });
  expect(list.begin(source, gold, 'third', 30_000)).toBeUndefined();
  expect(list.count(30_000)).toBe(1);
});

test('forgets expired requests without being asked for them', () => {
  const list = new InProgress();
  for (let port = 1; port <= 100; port++) list.begin({ ...source, port }, gold, String(port), port);
  expect(list.count(30_050)).toBe(50);
  list.begin(source, silver, 'late', 30_060);
  expect(list.count(30_060)).toBe(41);
});

test('a request that took the place of another does not expire with it', () => {
  const list = new InProgress();
  list.begin(source, gold, 'gold', 0);
  list.begin(source, silver, 'silver', 20_000);
  expect(list.begin(source, silver, 'repeat', 40_000)).toMatchObject({ correlationId: 'silver' });
});

test('forgets the oldest when there are too many', () => {
  const list = new InProgress({ capacity: 2 });
  for (const port of [1, 2, 3]) list.begin({ ...source, port }, gold, String(port), 0);
  expect(list.count(1)).toBe(2);
  expect(list.end({ ...source, port: 1 }, gold)).toBeUndefined();
  expect(list.end({ ...source, port: 3 }, gold)).toMatchObject({ correlationId: '3' });
});
