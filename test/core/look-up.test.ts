import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALL_BUCKETS,
  bucketOf,
  INDEX_ATTRIBUTES,
  INDEXES,
  nasBucket,
  TABLE,
} from '../../core/cloud/table.ts';
import type { Identity } from '../../core/identity.ts';
import {
  choose,
  claimedKey,
  indexedKeys,
  LOOK_UP_ATTRIBUTES,
  lookUpKeys,
  type Standing,
} from '../../core/look-up.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { CLOSED_LIFE, having } from './support.ts';

const session = (acctSessionId: string, identity: Identity, claimed: Identity = {}): Session => ({
  ...having(['gold']),
  acctSessionId,
  identity,
  claimed,
});
const ANN = { 'User-Name': 'ann@isp', 'Framed-IP-Address': '198.51.100.7' };
const ann = session('0001', ANN);
/** A second line of the same subscriber. */
const annToo = session('0002', { ...ANN, 'Framed-IP-Address': '198.51.100.8' });
const bob = session('0003', { 'User-Name': 'bob@isp', 'Framed-IP-Address': '198.51.100.9' });
const ALL = [ann, annToo, bob];

const brief = (chosen: ReturnType<typeof choose>) =>
  chosen.ok ? chosen.value.acctSessionId : chosen.refusal.errorCause;
const NONE = 'Session-Context-Not-Found';
const SEVERAL = 'Multiple-Session-Selection-Unsupported';

describe('the session that a request means', () => {
  it.each<[Identity, string]>([
    [{ 'User-Name': 'bob@isp' }, '0003'],
    [{ 'User-Name': 'ann@isp' }, SEVERAL],
    [{ 'User-Name': 'ann@isp', 'Framed-IP-Address': '198.51.100.8' }, '0002'],
    // One value right and another wrong.
    [{ 'User-Name': 'ann@isp', 'Framed-IP-Address': '198.51.100.9' }, NONE],
    [{ 'User-Name': 'Ann@isp' }, NONE],
    [{ 'User-Name': 'carol@isp' }, NONE],
    // What is not known of a session is not equal.
    [{ 'User-Name': 'bob@isp', 'NAS-Port': 7 }, NONE],
    [{ 'User-Name': 'bob@isp', 'ERX-Virtual-Router-Name': 'default' }, NONE],
  ])('with %j: %s', (identity, expected) => {
    expect(brief(choose(ALL, { identity }))).toBe(expected);
  });

  it('is found by a MAC address in any spelling', () => {
    const line = session('0004', { 'Calling-Station-Id': '00-1A-2B-3C-4D-5E' });
    for (const value of ['00:1a:2b:3c:4d:5e', '001a.2b3c.4d5e', '001A2B3C4D5E'])
      expect(brief(choose([line, bob], { identity: { 'Calling-Station-Id': value } }))).toBe('0004');
  });

  it('is not one of which a client has only claimed it', () => {
    expect(brief(choose([session('0004', {}, ANN)], { identity: ANN }))).toBe(NONE);
  });

  it.each<[string, readonly Standing[], string]>([
    ['one that is open and one that is stale', ['open', 'stale'], '0001'],
    ['one that is stale and one that is open', ['stale', 'open'], '0002'],
    ['one that is closed and one that is open', ['closed', 'open'], '0002'],
    ['one that is closed and one that is stale', ['closed', 'stale'], '0002'],
    ['one that is unheard and one that is open', ['unheard', 'open'], '0002'],
    ['one that is stale and one that is unheard', ['stale', 'unheard'], '0002'],
    ['two that are unheard', ['unheard', 'unheard'], SEVERAL],
    ['two that are stale', ['stale', 'stale'], SEVERAL],
    ['two that are closed', ['closed', 'closed'], NONE],
  ])('of %s', (_, standings, expected) => {
    const standingOf = ({ acctSessionId }: Session) => standings[Number(acctSessionId) - 1] ?? 'open';
    expect(brief(choose(ALL, { identity: { 'User-Name': 'ann@isp' } }, standingOf))).toBe(expected);
  });

  it('is one of several with its Acct-Session-Id that has the other values, too', () => {
    const two = [ann, { ...bob, acctSessionId: '0001' }, annToo];
    const acctSessionId = '0001';
    expect(brief(choose(two, { identity: { 'User-Name': 'ann@isp' }, acctSessionId }))).toBe('0001');
    expect(brief(choose(two, { identity: { 'User-Name': 'carol@isp' }, acctSessionId }))).toBe(NONE);
    expect(choose(two, { identity: {}, acctSessionId })).toEqual({
      ok: false,
      refusal: { errorCause: SEVERAL, reason: '2 sessions have Acct-Session-Id 0001' },
    });
  });

  it('says in its refusal how many there are and what was asked', () => {
    expect(choose(ALL, { identity: { 'User-Name': 'ann@isp' } })).toEqual({
      ok: false,
      refusal: { errorCause: SEVERAL, reason: '2 sessions have User-Name ann@isp' },
    });
  });
});

describe('the indexes', () => {
  it('have what the NAS has confirmed of a session, and what was claimed besides, marked', () => {
    const keys = indexedKeys(
      session(
        '0001',
        { 'User-Name': 'ann@isp', 'Calling-Station-Id': '00-1A-2B-3C-4D-5E', 'NAS-Port': 7 },
        { 'User-Name': 'bob@isp', 'Framed-IP-Address': '198.51.100.7' },
      ),
    );
    expect(Object.fromEntries(keys.map(({ attribute, key }) => [attribute, key]))).toEqual({
      'User-Name': 'ann@isp',
      'Calling-Station-Id': '001a2b3c4d5e',
      'Framed-IP-Address': 'unchecked 198.51.100.7',
    });
  });

  it('tell what a closed session had from what an open one has', () => {
    const { claimed, identity } = session('0001', ANN, { 'User-Name': 'bob@isp', 'NAS-Port-Id': 'eth0' });
    const keys = indexedKeys({ claimed, identity, life: CLOSED_LIFE });
    expect(Object.fromEntries(keys.map(({ attribute, key }) => [attribute, key]))).toEqual({
      'User-Name': 'closed ann@isp',
      'Framed-IP-Address': 'closed 198.51.100.7',
      'NAS-Port-Id': 'unchecked eth0',
    });
  });

  it('are asked first for what the fewest sessions share, and never for what is claimed', () => {
    const identity = {
      'NAS-Port-Id': 'eth0',
      'User-Name': 'ann@isp',
      'Framed-IP-Address': '198.51.100.7',
    };
    const keys = lookUpKeys({ identity });
    expect(keys.map(({ attribute }) => attribute)).toEqual(['Framed-IP-Address', 'User-Name', 'NAS-Port-Id']);
    expect(lookUpKeys({ identity, acctSessionId: '0001' })).toEqual([
      { attribute: 'Acct-Session-Id', key: '0001' },
      ...keys,
    ]);
    expect(keys.map(({ key }) => key)).not.toContain(claimedKey('ann@isp'));
  });

  it('are one for each attribute that identifies a subscriber, fewer than DynamoDB allows, on keys of their own', () => {
    expect([...LOOK_UP_ATTRIBUTES, 'Acct-Session-Id'].sort()).toEqual(
      Object.keys(TABLE.lookUpIndexes).sort(),
    );
    expect(INDEXES.length).toBeLessThanOrEqual(20);
    const keys = INDEXES.flatMap(({ partitionKey, sortKey }) => [partitionKey, sortKey.name]);
    expect(new Set(keys)).toEqual(new Set([TABLE.partitionKey, TABLE.sessionsIndex, ...INDEX_ATTRIBUTES]));
  });

  it('spread the sessions of a NAS evenly, also where their identifiers count up', () => {
    for (const idOf of [
      (index: number) => index.toString(16).padStart(8, '0'),
      (index: number) => `erx FastEthernet 12/0:${String(index).padStart(10, '0')}`,
    ]) {
      const counts = new Map(ALL_BUCKETS.map((bucket) => [bucket, 0]));
      for (let index = 0; index < 16_000; index++) {
        const bucket = bucketOf(idOf(index));
        counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
      }
      expect(counts.size).toBe(16);
      for (const count of counts.values()) expect(count).toBeGreaterThan(800);
    }
  });

  it('name the part of a NAS in which a session is', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        expect(ALL_BUCKETS).toContain(bucketOf(id));
        expect(nasBucket('bng-1', bucketOf(id))).toMatch(/^bng-1#(0\d|1[0-5])$/);
      }),
    );
  });
});
