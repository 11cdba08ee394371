import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IDENTITY_ATTRIBUTES } from '../../../core/identity.ts';
import { type KnownNasRecord, KnownSessions } from '../../../relay/feed/known-sessions.ts';

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

function having(...records: readonly KnownNasRecord[]): KnownSessions {
  const known = new KnownSessions();
  for (const one of records) known.learn(one);
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
    expect(having(...before).judge(asked)).toBe(novelty);
  });

  it('is every change of an identification attribute', () => {
    const value = fc.oneof(fc.string(), fc.nat());
    fc.assert(
      fc.property(fc.constantFrom(...IDENTITY_ATTRIBUTES), value, value, (name, one, other) => {
        const known = having(record({ identity: { [name]: one } }));
        const expected = String(one) === String(other) ? 'unchanged' : 'new';
        expect(known.judge(interim({ identity: { [name]: other } }))).toBe(expected);
      }),
    );
  });
});

it('forgets the session that was used least recently', () => {
  const known = new KnownSessions({ capacity: 2 });
  known.learn(record({ acctSessionId: '1' }));
  known.learn(record({ acctSessionId: '2' }));
  expect(known.judge(interim({ acctSessionId: '1' }))).toBe('unchanged');
  known.learn(record({ acctSessionId: '3' }));
  expect(known.size).toBe(2);
  expect(known.judge(interim({ acctSessionId: '1' }))).toBe('unchanged');
  expect(known.judge(interim({ acctSessionId: '2' }))).toBe('new');
});
