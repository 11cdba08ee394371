import { expect, test } from 'vitest';
import { WaitingRoom } from '../../../relay/overload/waiting-room.ts';

const item = (name: string, untilMs = 0) => ({ client: name.charAt(0), name, untilMs });

function all(room: WaitingRoom<ReturnType<typeof item>>): readonly string[] {
  const names: string[] = [];
  for (let next = room.next(); next !== undefined; next = room.next()) names.push(next.name);
  return names;
}

test('gives each client its turn, and the requests of each in order', () => {
  const room = new WaitingRoom<ReturnType<typeof item>>(10);
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) expect(room.enter(item(name))).toBeUndefined();
  expect(all(room)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  expect([room.size, room.sizes]).toEqual([0, []]);
});

test('is all for one client alone, and two have half of it each', () => {
  const room = new WaitingRoom<ReturnType<typeof item>>(4);
  for (const name of ['a1', 'a2', 'a3', 'a4']) expect(room.enter(item(name))).toBeUndefined();
  expect(room.enter(item('a5'))?.name).toBe('a5');
  expect(room.enter(item('b1'))?.name).toBe('a4');
  expect(room.enter(item('b2'))?.name).toBe('a3');
  expect(room.enter(item('b3'))?.name).toBe('b3');
  expect(room.enter(item('a6'))?.name).toBe('a6');
  expect(room.sizes).toEqual([
    ['a', 2],
    ['b', 2],
  ]);
  expect(room.enter(item('c1'))?.name).toMatch(/^[ab]2$/);
  expect(room.size).toBe(4);
});

test('turns out what has waited too long, of every client', () => {
  const room = new WaitingRoom<ReturnType<typeof item>>(10);
  for (const [name, untilMs] of [
    ['a1', 10],
    ['a2', 20],
    ['b1', 5],
    ['b2', 30],
    ['c1', 10],
  ] as const)
    room.enter(item(name, untilMs));
  expect(room.expire(4)).toEqual([]);
  expect(room.expire(10).map(({ name }) => name)).toEqual(['a1', 'b1', 'c1']);
  expect(room.size).toBe(2);
  expect(all(room)).toEqual(['a2', 'b2']);
});
