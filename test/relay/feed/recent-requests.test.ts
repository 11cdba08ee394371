import { expect, test } from 'vitest';
import { RecentRequests } from '../../../relay/feed/recent-requests.ts';
import { packetOf } from '../support.ts';
import { accountingRequest } from './support.ts';

const SOURCE = { address: '192.0.2.1', port: 1645 };
const packet = (identifier = 1, id = '0001') => packetOf(accountingRequest({ identifier, id }));
const IN_PROGRESS = { state: 'in-progress', arrivedAtMs: 7 } as const;
const ANSWERED = { state: 'answered', arrivedAtMs: 7, answer: Buffer.from('answer') } as const;
const UNANSWERED = { state: 'unanswered', arrivedAtMs: 7 } as const;

test('finds what is in progress, answered or unanswered, byte for byte and for 30 s', () => {
  const recent = new RecentRequests();
  recent.put(SOURCE, packet(), 0, IN_PROGRESS);
  expect(recent.find(SOURCE, packet(), 1)).toBe(IN_PROGRESS);
  expect(recent.find({ ...SOURCE, port: 1646 }, packet(), 1)).toBeUndefined();
  expect(recent.find(SOURCE, packet(1, '0002'), 1)).toBeUndefined();
  recent.put(SOURCE, packet(), 10_000, UNANSWERED);
  expect(recent.find(SOURCE, packet(), 39_999)).toBe(UNANSWERED);
  recent.put(SOURCE, packet(), 39_999, ANSWERED);
  expect(recent.find(SOURCE, packet(), 69_998)).toBe(ANSWERED);
  expect(recent.find(SOURCE, packet(), 69_999)).toBeUndefined();
});

test('counts what is in progress, also when it is replaced, ends or expires', () => {
  const recent = new RecentRequests({ capacity: 3 });
  for (const identifier of [1, 2, 3, 4]) recent.put(SOURCE, packet(identifier), identifier, IN_PROGRESS);
  expect(recent.inProgress).toBe(3);
  recent.put(SOURCE, packet(4, '0002'), 5, IN_PROGRESS);
  expect(recent.inProgress).toBe(3);
  recent.put(SOURCE, packet(3), 6, ANSWERED);
  // Of a request that another one with its Identifier has replaced.
  recent.put(SOURCE, packet(4, '0001'), 7, UNANSWERED);
  expect(recent.find(SOURCE, packet(4, '0002'), 7)).toBe(IN_PROGRESS);
  expect(recent.inProgress).toBe(2);
  recent.put(SOURCE, packet(4, '0002'), 8, UNANSWERED);
  expect(recent.inProgress).toBe(1);
  recent.find(SOURCE, packet(9), 60_000);
  expect(recent.inProgress).toBe(0);
});
