import { expect, test } from 'vitest';
import { RecentRequests } from '../../../relay/feed/recent-requests.ts';
import { packetOf } from '../support.ts';
import { accountingRequest } from './support.ts';

const SOURCE = { address: '192.0.2.1', port: 1645 };
const packet = (identifier = 1, id = '0001') => packetOf(accountingRequest({ identifier, id }));

test('finds what is in progress or answered, byte for byte and for 30 s', () => {
  const recent = new RecentRequests();
  recent.begin(SOURCE, packet(), 0);
  expect(recent.find(SOURCE, packet(), 1)).toMatchObject({ atMs: 0 });
  expect(recent.find({ ...SOURCE, port: 1646 }, packet(), 1)).toBeUndefined();
  expect(recent.find(SOURCE, packet(1, '0002'), 1)).toBeUndefined();
  const answer = Buffer.from('answer');
  recent.answered(SOURCE, packet(), 10_000, answer);
  expect(recent.find(SOURCE, packet(), 39_999)?.answer).toBe(answer);
  expect(recent.find(SOURCE, packet(), 40_000)).toBeUndefined();
});

test('counts what is in progress, also when it is replaced, forgotten or expires', () => {
  const recent = new RecentRequests({ capacity: 3 });
  for (const identifier of [1, 2, 3, 4]) recent.begin(SOURCE, packet(identifier), identifier);
  expect(recent.inProgress).toBe(3);
  recent.begin(SOURCE, packet(4, '0002'), 5);
  expect(recent.inProgress).toBe(3);
  recent.answered(SOURCE, packet(3), 6, Buffer.from('answer'));
  recent.forget(SOURCE, packet(4, '0001'));
  expect(recent.inProgress).toBe(2);
  recent.forget(SOURCE, packet(4, '0002'));
  expect(recent.inProgress).toBe(1);
  recent.find(SOURCE, packet(9), 60_000);
  expect(recent.inProgress).toBe(0);
});
