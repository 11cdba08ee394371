import { expect, test } from 'vitest';
import { InProgress } from '../../relay/in-progress.ts';
import { LOCALHOST, packetOf, signedRequest } from './support.ts';

const source = { address: LOCALHOST, port: 50_000 };
const gold = packetOf(signedRequest());
const silver = packetOf(
  signedRequest({ attributes: [{ name: 'ERX-Service-Activate', tag: 1, value: 'silver' }] }),
);
const of = (correlationId: string, client = 'policy') => ({ correlationId, client });

test('knows a byte-identical repeat by the request that it repeats', () => {
  const list = new InProgress();
  expect(list.find(source, gold, 0)).toBeUndefined();
  list.begin(source, gold, of('first'), 0);
  expect(list.find(source, gold, 2_000)).toMatchObject({ correlationId: 'first', beganAtMs: 0 });
  expect(list.count(2_000)).toBe(1);
});

test.each([
  ['another port', { ...source, port: 50_001 }, gold],
  ['another address', { ...source, address: '192.0.2.1' }, gold],
  ['another Identifier', source, packetOf(signedRequest({ identifier: 43 }))],
])('takes the same request from %s for another request', (_, otherSource, otherPacket) => {
  const list = new InProgress();
  list.begin(source, gold, of('first'), 0);
  expect(list.find(otherSource, otherPacket, 0)).toBeUndefined();
  list.begin(otherSource, otherPacket, of('second'), 0);
  expect(list.count(1)).toBe(2);
});

test('forgets the old request when its Identifier comes with another authenticator', () => {
  const list = new InProgress();
  list.begin(source, gold, of('gold'), 0);
  list.begin(source, silver, of('silver'), 1);
  expect(list.count(1)).toBe(1);
  expect(list.end(source, gold)).toBeUndefined();
  expect(list.end(source, silver)).toMatchObject({ correlationId: 'silver', beganAtMs: 1 });
});

test('takes a repeat on again once the request is over', () => {
  const list = new InProgress();
  list.begin(source, gold, of('first'), 0);
  list.end(source, gold);
  expect(list.find(source, gold, 1)).toBeUndefined();
});

test('takes a repeat on again when the answer has not come for 30 seconds, counted from the first', () => {
  const list = new InProgress();
  list.begin(source, gold, of('first'), 0);
  expect(list.find(source, gold, 29_999)).toMatchObject({ correlationId: 'first' });
  expect(list.find(source, gold, 30_000)).toBeUndefined();
  expect(list.count(30_000)).toBe(0);
});

test('forgets expired requests without being asked for them', () => {
  const list = new InProgress();
  for (let port = 1; port <= 100; port++) list.begin({ ...source, port }, gold, of(String(port)), port);
  expect(list.count(30_050)).toBe(50);
  expect(list.hasRoom('policy', 30_060)).toBe(true);
  expect(list.count(30_060)).toBe(40);
});

test('a request that took the place of another does not expire with it', () => {
  const list = new InProgress();
  list.begin(source, gold, of('gold'), 0);
  list.begin(source, silver, of('silver'), 20_000);
  expect(list.find(source, silver, 40_000)).toMatchObject({ correlationId: 'silver' });
});

test('has room for one client alone, and for another beside it up to half; it forgets none for that', () => {
  const list = new InProgress({ capacity: 4 });
  for (const port of [1, 2, 3, 4]) {
    expect(list.hasRoom('flood', 0)).toBe(true);
    list.begin({ ...source, port }, gold, of(`flood ${port}`, 'flood'), 0);
  }
  expect(list.hasRoom('flood', 0)).toBe(false);
  for (const port of [5, 6]) {
    expect(list.hasRoom('policy', 0)).toBe(true);
    list.begin({ ...source, port }, gold, of(`policy ${port}`), 0);
  }
  expect(list.hasRoom('policy', 0)).toBe(false);
  expect(list.end({ ...source, port: 1 }, gold)).toMatchObject({ correlationId: 'flood 1' });
  expect(list.hasRoom('flood', 0)).toBe(false);
  expect(list.hasRoom('flood', 30_000)).toBe(true);
});
