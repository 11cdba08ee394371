import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IDENTITY_ATTRIBUTES } from '../../../core/identity.ts';
import {
  type Arrival,
  type KnownNasRecord,
  KnownSessions,
  type Novelty,
  type StaleSession,
} from '../../../relay/feed/known-sessions.ts';

const record = (over: Partial<KnownNasRecord> = {}): KnownNasRecord => ({
  kind: 'start',
  status: 1,
  nas: 'bng-1',
  nasIdentity: {},
  acctSessionId: '1',
  identity: { 'User-Name': 'ann' },
  classes: [],
  eventAtMs: 100_000,
  isStamped: true,
  ...over,
});
const interim = (over: Partial<KnownNasRecord> = {}) =>
  record({ kind: 'interim', eventAtMs: 200_000, ...over });

const MINUTE = 60_000;
const arrival = (atMs = 0): Arrival => ({ feed: 'aaa', atMs, receivedAtMs: 1_700_000_000_000 + atMs });

function having(...records: readonly KnownNasRecord[]): KnownSessions {
  const known = new KnownSessions();
  for (const one of records) known.learn(one, arrival());
  return known;
}

describe('what the cloud has to hear', () => {
  it.each<[string, readonly KnownNasRecord[], KnownNasRecord, string]>([
    ['a first Start', [], record(), 'new'],
    ['the same Start', [record()], record(), 'repeat'],
    ['a Start of another second', [record()], record({ eventAtMs: 101_000 }), 'new'],
    [
      'a Start without a stamp, 5 s apart',
      [record({ isStamped: false })],
      record({ eventAtMs: 105_000 }),
      'repeat',
    ],
    ['a Start without a stamp, later', [record({ isStamped: false })], record({ eventAtMs: 105_001 }), 'new'],
    ['a Stop', [record()], record({ kind: 'stop' }), 'new'],
    ['an Interim of a known session', [record()], interim(), 'unchanged'],
    ['an Interim of an unknown one', [], interim(), 'new'],
    ['an Interim after a Stop', [record(), record({ kind: 'stop', eventAtMs: 150_000 })], interim(), 'new'],
    ['an Interim of another NAS', [record()], interim({ nas: 'bng-2' }), 'new'],
    ['an Interim with less', [record()], interim({ identity: {} }), 'unchanged'],
    ['an Interim with more', [record()], interim({ identity: { 'NAS-Port': 0 } }), 'new'],
    [
      'an Interim with what another one had',
      [record(), interim({ identity: { 'NAS-Port': 0 } })],
      interim({ identity: { 'User-Name': 'ann', 'NAS-Port': 0 }, eventAtMs: 300_000 }),
      'unchanged',
    ],
    [
      'an Interim after a Stop that came late',
      [record({ eventAtMs: 180_000 }), record({ kind: 'stop', eventAtMs: 150_000 })],
      interim(),
      'unchanged',
    ],
    [
      'an Interim after a Start that may have happened before the Stop',
      [
        record({ isStamped: false }),
        record({ kind: 'stop', eventAtMs: 150_000, isStamped: false }),
        record({ eventAtMs: 160_000, isStamped: false }),
      ],
      interim(),
      'new',
    ],
    [
      'an Interim after an Interim that may have happened before the Stop',
      [
        record({ kind: 'stop', eventAtMs: 150_000 }),
        record({ isStamped: false, eventAtMs: 160_000 }),
        interim({ isStamped: false, eventAtMs: 180_000 }),
      ],
      interim(),
      'new',
    ],
    [
      'an Interim after a Start that happened after the Stop',
      [record({ kind: 'stop', eventAtMs: 150_000 }), record({ eventAtMs: 151_000 })],
      interim(),
      'unchanged',
    ],
    [
      'an Interim after a Start that happened before an Accounting-On',
      [record({ kind: 'on', eventAtMs: 150_000 }), record()],
      interim(),
      'new',
    ],
    [
      'an Interim after a Start that happened after an Accounting-On',
      [record({ kind: 'on', eventAtMs: 150_000 }), record({ eventAtMs: 151_000 })],
      interim(),
      'unchanged',
    ],
    [
      'the Start of another subscriber, 2 s later and without a stamp',
      [record({ isStamped: false })],
      record({ isStamped: false, eventAtMs: 102_000, identity: { 'User-Name': 'bob' } }),
      'new',
    ],
    [
      'an Interim of a service whose session moves',
      [record({ service: { name: 'gold', serviceSessionId: '1:1' } })],
      interim({ service: { name: 'gold', serviceSessionId: '1:1' }, identity: { 'User-Name': 'bob' } }),
      'unchanged',
    ],
    ['an Interim after Accounting-On', [record(), record({ kind: 'on' })], interim(), 'new'],
    ['the same Accounting-On', [record({ kind: 'on' })], record({ kind: 'on' }), 'repeat'],
    [
      'the Accounting-On of another virtual router',
      [record({ kind: 'on' })],
      record({ kind: 'on', identity: { 'ERX-Virtual-Router-Name': 'isp1' } }),
      'new',
    ],
    ['Accounting-Off after On', [record({ kind: 'on' })], record({ kind: 'off', eventAtMs: 1 }), 'new'],
  ])('%s', (_, before, asked, novelty) => {
    expect(having(...before).judge(asked, arrival())).toBe(novelty);
  });

  it('is every change of an identification attribute', () => {
    const value = fc.oneof(fc.string(), fc.nat());
    fc.assert(
      fc.property(fc.constantFrom(...IDENTITY_ATTRIBUTES), value, value, (name, one, other) => {
        const known = having(record({ identity: { [name]: one } }));
        const expected = String(one) === String(other) ? 'unchanged' : 'new';
        expect(known.judge(interim({ identity: { [name]: other } }), arrival())).toBe(expected);
      }),
    );
  });
});

it('forgets the session that was used least recently', () => {
  const known = new KnownSessions({ capacity: 2 });
  known.learn(record({ acctSessionId: '1' }), arrival());
  known.learn(record({ acctSessionId: '2' }), arrival());
  expect(known.judge(interim({ acctSessionId: '1' }), arrival())).toBe('unchanged');
  known.learn(record({ acctSessionId: '3' }), arrival());
  expect(known.size).toBe(2);
  expect(known.judge(interim({ acctSessionId: '1' }), arrival())).toBe('unchanged');
  expect(known.judge(interim({ acctSessionId: '2' }), arrival())).toBe('new');
});

it('a session that its NAS has denied is heard of until it has gone on for certain', () => {
  const known = having(record(), record({ acctSessionId: '2' }));
  known.doubt({ nas: 'bng-1', acctSessionId: '1' }, 200_000);
  known.doubt({ nas: 'bng-2', acctSessionId: '2' }, 200_000);
  known.doubt({ nas: 'bng-1', acctSessionId: 'unknown' }, 200_000);
  for (const [eventAtMs, expected] of [
    [190_000, 'new'],
    [230_000, 'new'],
    [290_000, 'new'],
    [350_000, 'unchanged'],
  ] as const) {
    const one = interim({ eventAtMs });
    expect(known.judge(one, arrival()), String(eventAtMs)).toBe(expected);
    if (expected === 'new') known.learn(one, arrival());
  }
  expect(known.judge(interim({ acctSessionId: '2' }), arrival())).toBe('unchanged');
  expect(known.size).toBe(2);
});

/** What a relay makes of records that come one after the other, and which sessions it then calls stale. */
class Site {
  readonly known = new KnownSessions();

  /** Takes a record; the cloud gets it if it has to. */
  take(atMs: number, over: Partial<KnownNasRecord> = {}): Novelty {
    const one = interim({ eventAtMs: 200_000 + atMs, ...over });
    const novelty = this.known.judge(one, arrival(atMs));
    if (novelty === 'new') this.known.learn(one, arrival(atMs));
    return novelty;
  }

  takeEach(minutes: readonly number[], over: Partial<KnownNasRecord> = {}): readonly Novelty[] {
    return minutes.map((minute) => this.take(minute * MINUTE, over));
  }

  stale(nowMs: number): readonly StaleSession[] {
    return [...this.known.stale(nowMs)].flat();
  }

  ids(nowMs: number): readonly string[] {
    return this.stale(nowMs).map(({ acctSessionId }) => acctSessionId);
  }
}

const START = { kind: 'start', eventAtMs: 100_000 } as const;
const OF_SERVICE = {
  service: { name: 'gold', serviceSessionId: '1:1', parentSessionId: '1' },
  acctSessionId: '1:1',
};
const EVERY_TEN = [0, 10, 20];

describe('a session is stale', () => {
  it('after three of the intervals that were seen, with the arrival of its latest record', () => {
    const site = new Site();
    site.take(0, START);
    site.takeEach([10, 20]);
    expect(site.ids(50 * MINUTE)).toEqual([]);
    expect(site.stale(50 * MINUTE + 1)).toEqual([
      { nas: 'bng-1', acctSessionId: '1', latest: arrival(20 * MINUTE) },
    ]);
  });

  it.each<[string, number, (site: Site) => void]>([
    ['three of what Acct-Interim-Interval says', 15, (site) => site.take(0, { interimIntervalSeconds: 300 })],
    ['180 s where that is less than 60 s', 3, (site) => site.take(0, { interimIntervalSeconds: 1 })],
    [
      'three of the longest interval that was seen, also where Acct-Interim-Interval is shorter',
      35 + 60,
      (site) => site.takeEach([0, 10, 30, 35], { interimIntervalSeconds: 600 }),
    ],
    [
      'three intervals after the record of a service',
      26 + 30,
      (site) => {
        site.takeEach(EVERY_TEN);
        site.takeEach([25, 26], OF_SERVICE);
      },
    ],
    [
      '30 minutes where the one before said something new',
      33,
      (site) => {
        site.take(0, START);
        site.take(MINUTE, { identity: { 'NAS-Port': 1 } });
        site.take(3 * MINUTE);
      },
    ],
  ])('after %s', (_, minutes, happens) => {
    const site = new Site();
    happens(site);
    expect(site.ids(minutes * MINUTE)).toEqual([]);
    expect(site.ids(minutes * MINUTE + 1)).toEqual(['1']);
  });

  it.each<[string, (site: Site) => void]>([
    ['without two Interim-Updates', (site) => site.take(0, START)],
    [
      'where each of them says something new',
      (site) => {
        for (const minute of [0, 2, 4]) site.take(minute * MINUTE, { identity: { 'NAS-Port': minute } });
      },
    ],
    [
      'because of what is repeated at once',
      (site) => {
        site.take(0, START);
        site.take(1_000);
        site.take(31_000);
      },
    ],
    [
      'after its Acct-Stop',
      (site) => {
        site.takeEach(EVERY_TEN);
        site.take(21 * MINUTE, { kind: 'stop' });
      },
    ],
    [
      'after Accounting-On: the relay knows it no longer',
      (site) => {
        site.takeEach(EVERY_TEN);
        site.take(21 * MINUTE, { kind: 'on' });
      },
    ],
    ['if it is a service', (site) => site.takeEach(EVERY_TEN, OF_SERVICE)],
  ])('never %s', (_, happens) => {
    const site = new Site();
    happens(site);
    // Another one, so that there is an interval to search by.
    site.takeEach([22, 32, 42], { acctSessionId: 'other' });
    expect(site.ids(100_000 * MINUTE)).toEqual(['other']);
  });

  it('once, and then the cloud hears of its next Interim-Update', () => {
    const site = new Site();
    site.takeEach(EVERY_TEN);
    const [stale] = site.stale(60 * MINUTE);
    if (stale === undefined) throw new Error('nothing is stale');
    expect(site.known.tell(stale)).toBeDefined();
    expect(site.ids(61 * MINUTE)).toEqual([]);
    // It was there all the time: 42 minutes were its interval.
    expect(site.takeEach([62, 72])).toEqual(['new', 'unchanged']);
    expect(site.ids((72 + 3 * 42) * MINUTE)).toEqual([]);
    expect(site.ids((72 + 3 * 42) * MINUTE + 1)).toEqual(['1']);
  });

  it('again at the next search, if the cloud could not be told', () => {
    const site = new Site();
    site.takeEach(EVERY_TEN);
    const [stale] = site.stale(60 * MINUTE);
    if (stale === undefined) throw new Error('nothing is stale');
    site.known.tell(stale)?.();
    expect(site.ids(61 * MINUTE)).toEqual(['1']);
    // It was heard of after the search had found it.
    site.take(61 * MINUTE);
    expect(site.known.tell(stale)).toBeUndefined();
  });

  it('and goes up with an Interim-Update that comes while the notice is under way, also where that fails', () => {
    const site = new Site();
    site.takeEach(EVERY_TEN);
    const [stale] = site.stale(60 * MINUTE);
    if (stale === undefined) throw new Error('nothing is stale');
    const takeBack = site.known.tell(stale);
    expect(site.take(61 * MINUTE)).toBe('new');
    takeBack?.();
    expect(site.take(71 * MINUTE)).toBe('unchanged');
  });

  it('among many, each once, in parts, and without those that were heard of since', () => {
    const site = new Site();
    const ids = Array.from({ length: 12_000 }, (_, index) => `s${index}`);
    for (const minute of [0, 10])
      for (const acctSessionId of ids) site.take(minute * MINUTE, { acctSessionId });
    for (const acctSessionId of ids.slice(0, 1_000)) site.take(20 * MINUTE, { acctSessionId });
    const parts = [...site.known.stale(41 * MINUTE)].map(({ length }) => length);
    expect(parts).toEqual([...Array(11).fill(1_000), 0]);
    expect(new Set(site.ids(41 * MINUTE))).toEqual(new Set(ids.slice(1_000)));
  });
});

describe('the cloud hears of a session that goes on', () => {
  it('once a day', () => {
    const site = new Site();
    const minutes = Array.from({ length: 3 * 144 }, (_, index) => index * 10);
    expect(minutes.filter((minute) => site.take(minute * MINUTE) === 'new')).toEqual([0, 1440, 2880]);
  });

  it('when Interim-Updates are missing: another relay may have had them, and then calls the session stale', () => {
    const heard = new Site().takeEach([0, 10, 20, 35, 50, 73, 96]);
    expect(heard).toEqual(['new', 'unchanged', 'unchanged', 'unchanged', 'unchanged', 'new', 'unchanged']);
  });

  it('not of its services', () => {
    const { service } = OF_SERVICE;
    expect(new Site().takeEach([0, 2 * 1440], { service })).toEqual(['new', 'unchanged']);
  });
});
