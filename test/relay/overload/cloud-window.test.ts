import { describe, expect, test } from 'vitest';
import { CloudWindow } from '../../../relay/overload/cloud-window.ts';

/** A cloud that works off one request every `msEach`, each for `baseMs` at least, for clients that always have another one. */
function overloaded(
  window: CloudWindow,
  {
    msEach,
    baseMs,
    forMs,
    fromMs = 0,
  }: {
    readonly msEach: number;
    readonly baseMs: number;
    readonly forMs: number;
    readonly fromMs?: number;
  },
) {
  const inCloud: { readonly id: string; readonly doneMs: number }[] = [];
  let freeMs = fromMs;
  let done = 0;
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs++) {
    while (inCloud[0] !== undefined && inCloud[0].doneMs <= nowMs) {
      window.ended(inCloud.shift()?.id ?? '', nowMs);
      done++;
    }
    while (window.hasRoom(nowMs)) {
      freeMs = Math.max(freeMs + msEach, nowMs);
      const id = `${nowMs} ${inCloud.length} ${done}`;
      window.sent(id, id, nowMs);
      inCloud.push({ id, doneMs: Math.max(freeMs, nowMs + baseMs) });
    }
  }
  for (const { id } of inCloud) window.ended(id, fromMs + forMs);
  return { donePerSecond: (done * 1000) / forMs };
}

describe('the window', () => {
  test.each([
    ['slow', 10, 60],
    ['fast', 0.5, 60],
    ['far away', 2, 300],
  ])(
    'keeps a cloud busy that is %s, and lets requests wait there for little more than they take',
    (_, msEach, baseMs) => {
      const window = new CloudWindow();
      overloaded(window, { msEach, baseMs, forMs: 20_000 });
      const { donePerSecond } = overloaded(window, { msEach, baseMs, forMs: 60_000, fromMs: 20_000 });
      expect(donePerSecond).toBeGreaterThan(0.9 * (1000 / msEach));
      expect(window.limit * msEach).toBeLessThan(4 * baseMs);
    },
  );

  test('grows again when a slow cloud is fast again', () => {
    const window = new CloudWindow();
    overloaded(window, { msEach: 50, baseMs: 60, forMs: 20_000 });
    const narrow = window.limit;
    overloaded(window, { msEach: 1, baseMs: 60, forMs: 5_000, fromMs: 20_000 });
    expect(window.limit).toBeGreaterThan(4 * narrow);
  });

  test('stays as it is while clients ask for less than there is room for', () => {
    const window = new CloudWindow();
    for (let nowMs = 0; nowMs < 10_000; nowMs += 20) {
      window.hasRoom(nowMs);
      window.sent(String(nowMs), 'group', nowMs);
      window.ended(String(nowMs), nowMs + 15);
    }
    expect(window.limit).toBe(new CloudWindow().limit);
  });

  test('narrows while clients leave room, where requests wait in the cloud all the same', () => {
    const window = new CloudWindow();
    const take = (tookMs: number, fromMs: number, forMs: number) => {
      for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 30) {
        window.sent(String(nowMs), String(nowMs), nowMs - tookMs);
        window.ended(String(nowMs), nowMs);
      }
    };
    take(60, 0, 5_000);
    expect(window.limit).toBe(new CloudWindow().limit);
    take(300, 5_000, 5_000);
    expect(window.limit).toBe(4);
  });

  test('narrows when nothing is heard of the cloud, and gives up what it has lost', () => {
    const window = new CloudWindow();
    for (let index = 0; window.hasRoom(0); index++) window.sent(String(index), String(index), 0);
    const { limit } = window;
    expect(window.hasRoom(4_999)).toBe(false);
    expect(window.hasRoom(5_000)).toBe(true);
    expect([window.size, window.limit]).toEqual([0, limit / 2]);
  });
});

describe('a request', () => {
  test('is not in the cloud while its NAS has the command, and is again with the outcome', () => {
    const window = new CloudWindow();
    window.sent('a', 'session', 0);
    expect(window.size).toBe(1);
    window.atNas('a', 10);
    expect(window.size).toBe(0);
    window.back('a', 40_000);
    expect(window.size).toBe(1);
    window.ended('a', 40_010);
    expect(window.size).toBe(0);
  });

  test('that waits for a session at its NAS does not count, up to eight of them', () => {
    const window = new CloudWindow();
    window.sent('first', 'session', 0);
    for (let index = 0; index < 10; index++) window.sent(String(index), 'session', 0);
    expect(window.size).toBe(11);
    window.atNas('first', 10);
    expect(window.size).toBe(2);
    window.ended('first', 20);
    expect(window.size).toBe(10);
  });

  test('that ends at its NAS, or that the window does not know, changes nothing else', () => {
    const window = new CloudWindow();
    window.sent('a', 'session', 0);
    window.atNas('a', 1);
    window.atNas('stranger', 1);
    window.back('stranger', 1);
    window.ended('stranger', 1);
    window.ended('a', 2);
    window.back('a', 3);
    expect(window.size).toBe(0);
  });
});
