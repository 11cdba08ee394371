import { expect, test } from 'vitest';
import { InProgress } from '../../relay/in-progress.ts';
import { packetOf, signedRequest } from './support.ts';

const gold = packetOf(signedRequest());
/** Requests that differ in their Identifiers alone. */
const numbered = (identifier: number) => packetOf(signedRequest({ identifier }));
const silver = packetOf(
  signedRequest({ attributes: [{ name: 'ERX-Service-Activate', tag: 1, value: 'silver' }] }),
);
const source = { address: '192.0.2.1', port: 50_000 };
const of = (correlationId: string, client = 'policy') => ({ correlationId, client, source });

test('knows a byte-identical repeat by the request that it repeats', () => {
  const list = new InProgress();
  expect(list.find(gold, 0)).toBeUndefined();
  list.begin(gold, of('first'), 0);
  expect(list.find(gold, 2_000)).toMatchObject({ correlationId: 'first', beganAtMs: 0 });
  expect(list.count(2_000)).toBe(1);
});

test('knows a repeat from whatever address and port, and another Identifier for another request', () => {
  const list = new InProgress();
  list.begin(gold, of('first'), 0);
  expect(list.find(numbered(43), 0)).toBeUndefined();
  list.begin(numbered(43), of('second'), 0);
  expect(list.find(packetOf(signedRequest()), 1)).toMatchObject({ correlationId: 'first' });
  expect(list.count(1)).toBe(2);
});

test('keeps the old request when its Identifier comes with another authenticator: it still has an answer', () => {
  const list = new InProgress();
  list.begin(gold, of('gold'), 0);
  list.begin(silver, of('silver'), 1);
  expect(list.count(1)).toBe(2);
  expect(list.end(silver)).toMatchObject({ correlationId: 'silver', beganAtMs: 1 });
  expect(list.end(gold)).toMatchObject({ correlationId: 'gold', beganAtMs: 0 });
  expect(list.end(gold)).toBeUndefined();
});

test('takes a repeat on again once the request is over', () => {
  const list = new InProgress();
  list.begin(gold, of('first'), 0);
  list.end(gold);
  expect(list.find(gold, 1)).toBeUndefined();
});

test('takes a repeat on again when the answer has not come for 30 seconds, counted from the first', () => {
  const list = new InProgress();
  list.begin(gold, of('first'), 0);
  expect(list.find(gold, 29_999)).toMatchObject({ correlationId: 'first' });
  expect(list.find(gold, 30_000)).toBeUndefined();
  expect(list.count(30_000)).toBe(0);
});

test('forgets expired requests without being asked for them', () => {
  const list = new InProgress();
  for (let number = 1; number <= 100; number++) list.begin(numbered(number), of(String(number)), number);
  expect(list.count(30_050)).toBe(50);
  expect(list.hasRoom('policy', 30_060)).toBe(true);
  expect(list.count(30_060)).toBe(40);
});

test('has room for one client alone, and for another beside it up to half; it forgets none for that', () => {
  const list = new InProgress({ capacity: 4 });
  for (const number of [1, 2, 3, 4]) {
    expect(list.hasRoom('flood', 0)).toBe(true);
    list.begin(numbered(number), of(`flood ${number}`, 'flood'), 0);
  }
  expect(list.hasRoom('flood', 0)).toBe(false);
  for (const number of [5, 6]) {
    expect(list.hasRoom('policy', 0)).toBe(true);
    list.begin(numbered(number), of(`policy ${number}`), 0);
  }
  expect(list.hasRoom('policy', 0)).toBe(false);
  expect(list.end(numbered(1))).toMatchObject({ correlationId: 'flood 1' });
  expect(list.hasRoom('flood', 0)).toBe(false);
  expect(list.hasRoom('flood', 30_000)).toBe(true);
});

test('knows where the latest repeat came from', () => {
  const list = new InProgress();
  list.begin(gold, of('first'), 0);
  const other = { ...source, port: 50_001 };
  expect(list.repeat(gold, other, 1)).toMatchObject({ correlationId: 'first' });
  expect(list.repeat(silver, other, 1)).toBeUndefined();
  expect(list.end(gold)).toMatchObject({ correlationId: 'first', source: other });
});
