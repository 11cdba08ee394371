import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from '../../../core/identity.ts';
import { LOOK_UP_ATTRIBUTES, MAX_CANDIDATES, type StandingOf } from '../../../core/look-up.ts';
import { standingOf } from '../../../core/subscriber/life.ts';
import { createSessionLookUp } from '../../../functions/shared/session-look-up.ts';
import { createSessionStore, type SessionStore } from '../../../functions/shared/session-store.ts';
import { having, NOW, nas } from '../../core/support.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { startTable, type Table } from '../support.ts';

const NONE = 'Session-Context-Not-Found';
const SEVERAL = 'Multiple-Session-Selection-Unsupported';
const EVERYTHING = {
  'User-Name': 'ann@isp',
  'Framed-IP-Address': '198.51.100.7',
  'Framed-IPv6-Address': '2001:db8::7',
  'Framed-IPv6-Prefix': '2001:db8:0:1::/64',
  'Delegated-IPv6-Prefix': '2001:db8:1::/56',
  'Calling-Station-Id': '00-1A-2B-3C-4D-5E',
  'NAS-Port-Id': 'ge-1/0/1:100',
  'Acct-Multi-Session-Id': 'bundle 7',
  'Chargeable-User-Identity': '00ff',
} as const;

describe.skipIf(dynoxide.skip)(dynoxide.title('a look-up'), () => {
  let table: Table;
  let store: SessionStore;
  beforeAll(async () => {
    table = await startTable();
    store = createSessionStore(table.client, table.name);
  });
  afterAll(() => table.stop());

  async function put(acctSessionId: string, identity: Identity, name = 'bng-1') {
    const session = { ...having(['gold'], { nas: nas({ name }), acctSessionId }), identity, revision: 0 };
    expect(await store.write(session)).toBe('written');
    return session;
  }
  interface Options {
    readonly standingOf?: StandingOf;
    readonly pause?: (ms: number) => Promise<void>;
    readonly queuedAtMs?: number;
  }
  function lookUp({ standingOf, pause = async () => {}, queuedAtMs = NOW }: Options = {}) {
    const reads: string[] = [];
    const made = createSessionLookUp({
      dynamodb: table.client,
      tableName: table.name,
      store: {
        read: (key, signal) => {
          reads.push(key.acctSessionId);
          return store.read(key, signal);
        },
      },
      now: () => NOW,
      pause,
      ...(standingOf && { standingOf }),
    });
    const { signal } = new AbortController();
    const find = async (
      identity: Identity,
      nasNames: readonly string[] = ['bng-1'],
      named: { readonly acctSessionId?: string } = {},
    ) => {
      const found = await made.find({ identity, nasNames, ...named }, queuedAtMs, signal);
      return found.ok ? `${found.value.nas} ${found.value.acctSessionId}` : found.refusal.errorCause;
    };
    return { ...made, find, reads, signal };
  }

  it.each(LOOK_UP_ATTRIBUTES)('finds a session by %s alone, at its NAS', async (name) => {
    const identity = { [name]: EVERYTHING[name] };
    const nasName = `bng-of-${name}`;
    await put(`by ${name}`, EVERYTHING, nasName);
    await put(`other of ${name}`, {}, nasName);
    const { find } = lookUp();
    expect(await find(identity, [nasName])).toBe(`${nasName} by ${name}`);
    expect(await find(EVERYTHING, [nasName])).toBe(`${nasName} by ${name}`);
    expect(await find({ ...EVERYTHING, 'NAS-Port': 7 }, [nasName])).toBe(NONE);
    expect(await find(identity, [`${nasName}-too`])).toBe(NONE);
    // The names of a NAS whose name is the beginning of another's.
    expect(await find(identity, [nasName.slice(0, -1)])).toBe(NONE);
  });

  it('finds the NAS of an Acct-Session-Id, and tells two with equal ones apart by what else is given', async () => {
    const nasNames = ['bng-a', 'bng-b'];
    await put('0000a1', { 'User-Name': 'a@isp' }, 'bng-a');
    await put('0000a2', { 'User-Name': 'a2@isp' }, 'bng-a');
    await put('0000a2', { 'User-Name': 'b2@isp' }, 'bng-b');
    const { find } = lookUp();
    expect(await find({}, nasNames, { acctSessionId: '0000a1' })).toBe('bng-a 0000a1');
    expect(await find({}, nasNames, { acctSessionId: '0000a2' })).toBe(SEVERAL);
    expect(await find({ 'User-Name': 'b2@isp' }, nasNames, { acctSessionId: '0000a2' })).toBe('bng-b 0000a2');
    expect(await find({ 'User-Name': 'a@isp' }, nasNames, { acctSessionId: '0000a2' })).toBe(NONE);
    expect(await find({}, nasNames, { acctSessionId: '0000a3' })).toBe(NONE);
  });

  it('refuses several, and one value that is right beside one that is not', async () => {
    await put('line 1', { 'User-Name': 'bob@isp', 'Framed-IP-Address': '198.51.100.21' });
    await put('line 2', { 'User-Name': 'bob@isp', 'Framed-IP-Address': '198.51.100.22' });
    await put('carol', { 'User-Name': 'carol@isp', 'Framed-IP-Address': '198.51.100.23' });
    const { find } = lookUp();
    expect(await find({ 'User-Name': 'bob@isp' })).toBe(SEVERAL);
    expect(await find({ 'User-Name': 'bob@isp', 'Framed-IP-Address': '198.51.100.22' })).toBe('bng-1 line 2');
    expect(await find({ 'User-Name': 'carol@isp', 'Framed-IP-Address': '198.51.100.22' })).toBe(NONE);
  });

  it('finds the sessions of a NAS under each of its names', async () => {
    await put('before', { 'User-Name': 'before@isp' }, 'old');
    await put('after', { 'User-Name': 'after@isp' }, 'new');
    const { find } = lookUp();
    expect(await find({ 'User-Name': 'before@isp' }, ['new', 'old'])).toBe('old before');
    expect(await find({ 'User-Name': 'after@isp' }, ['new', 'old'])).toBe('new after');
  });

  it('finds a session at any of many NASes, and counts those of no others', async () => {
    const nasNames = Array.from({ length: 9 }, (_, index) => `olt-${index}`);
    await put('at one', { 'User-Name': 'roaming@isp' }, 'olt-7');
    await put('elsewhere', { 'User-Name': 'roaming@isp' }, 'olt-of-another-site');
    expect(await lookUp().find({ 'User-Name': 'roaming@isp' }, nasNames)).toBe('olt-7 at one');
    await put('at two', { 'User-Name': 'roaming@isp' }, 'olt-2');
    expect(await lookUp().find({ 'User-Name': 'roaming@isp' }, nasNames)).toBe(SEVERAL);
    expect(await lookUp().find({ 'User-Name': 'roaming@isp' }, nasNames.slice(0, 3))).toBe('olt-2 at two');
  });

  it('follows what is known of a session, and reads it as of now', async () => {
    const session = await put('moving', { 'Framed-IP-Address': '198.51.100.31' });
    const moved = { ...session, identity: { 'Framed-IP-Address': '198.51.100.32' }, revision: 1 };
    expect(await store.write(moved)).toBe('written');
    const { find } = lookUp();
    expect(await find({ 'Framed-IP-Address': '198.51.100.31' })).toBe(NONE);
    expect(await find({ 'Framed-IP-Address': '198.51.100.32' })).toBe('bng-1 moving');
    await store.remove({ ...moved, revision: 2 });
    expect(await find({ 'Framed-IP-Address': '198.51.100.32' })).toBe(NONE);
  });

  it('leaves closed sessions out, and stale ones beside an open one', async () => {
    await put('stale', { 'User-Name': 'dora@isp' });
    await put('open', { 'User-Name': 'dora@isp' });
    await put('closed', { 'User-Name': 'dora@isp' });
    const standingOf: StandingOf = ({ acctSessionId }) =>
      acctSessionId === 'stale' || acctSessionId === 'closed' ? acctSessionId : 'open';
    expect(await lookUp({ standingOf }).find({ 'User-Name': 'dora@isp' })).toBe('bng-1 open');
    expect(await lookUp().find({ 'User-Name': 'dora@isp' })).toBe(SEVERAL);
  });

  it('finds the open session of a line that has redialled more often than a look-up reads sessions', async () => {
    const identity = { 'User-Name': 'flapping@isp', 'Calling-Station-Id': '00-1A-2B-3C-4D-00' };
    const at = { atMs: NOW, isStamped: true };
    const closed = { by: 'stop', at, terminateCause: 1, decidedAtMs: NOW } as const;
    const life = {
      knownBy: 'start',
      latest: at,
      heardAtMs: NOW,
      deferred: [],
      endedServices: [],
      closed,
    } as const;
    for (let index = 0; index <= MAX_CANDIDATES; index++) {
      const session = {
        ...having(['gold'], { acctSessionId: `redialled ${index}` }),
        identity,
        life,
        revision: 0,
      };
      expect(await store.write(session)).toBe('written');
    }
    const { find, reads } = lookUp({ standingOf: (session) => standingOf(session, NOW) });
    expect(await find({ 'User-Name': 'flapping@isp' })).toBe(NONE);
    await put('redialled last', identity);
    for (const one of [{ 'User-Name': 'flapping@isp' }, { 'Calling-Station-Id': '001a.2b3c.4d00' }])
      expect(await find(one)).toBe('bng-1 redialled last');
    expect([...new Set(reads)]).toEqual(['redialled last']);
  });

  it('reads no more than a bounded number of sessions, and finds one by what fewer share', async () => {
    const count = MAX_CANDIDATES + 10;
    for (let index = 0; index < count; index++)
      await put(`of a switch ${index}`, { 'NAS-Port-Id': 'eth0', 'User-Name': `line ${index}` });
    const alone = lookUp();
    expect(await alone.find({ 'NAS-Port-Id': 'eth0' })).toBe(SEVERAL);
    expect(alone.reads).toEqual([]);
    const both = lookUp();
    expect(await both.find({ 'NAS-Port-Id': 'eth0', 'User-Name': 'line 3' })).toBe('bng-1 of a switch 3');
    expect(both.reads).toEqual(['of a switch 3']);
    // More than are read have the first value, and few the second one.
    for (let index = 0; index < count; index++)
      await put(`anonymous ${index}`, { 'NAS-Port-Id': `port ${index % 20}`, 'User-Name': 'anonymous' });
    expect(await lookUp().find({ 'NAS-Port-Id': 'port 19', 'User-Name': 'anonymous' })).toBe(
      'bng-1 anonymous 19',
    );
    expect(await lookUp().find({ 'NAS-Port-Id': 'port 3', 'User-Name': 'anonymous' })).toBe(SEVERAL);
  });

  it('looks once more where it finds none: the index may be behind', async () => {
    let pauses = 0;
    const { find } = lookUp({
      pause: async () => {
        pauses++;
        await put('late', { 'User-Name': 'late@isp' });
      },
    });
    expect(await find({ 'User-Name': 'late@isp' })).toBe('bng-1 late');
    expect(await find({ 'User-Name': 'late@isp' })).toBe('bng-1 late');
    expect(pauses).toBe(1);
  });

  it.each([
    ['at once', NOW, 250],
    ['after 100 ms', NOW - 100, 150],
    ['after 250 ms: what was there before it is in the index', NOW - 250, undefined],
    ['before SQS took it, by a clock that is behind', NOW + 60_000, 250],
  ])('waits until 250 ms after SQS took the request, which it gets %s', async (_, queuedAtMs, expected) => {
    const pauses: number[] = [];
    const { find } = lookUp({ pause: async (ms) => void pauses.push(ms), queuedAtMs });
    expect(await find({ 'User-Name': 'absent@isp' })).toBe(NONE);
    expect(pauses).toEqual(expected === undefined ? [] : [expected]);
  });

  it('keeps to the session that a request was found to mean first', async () => {
    const { bind, signal } = lookUp();
    const [first, next] = [
      { nas: 'bng-1', acctSessionId: 's#1' },
      { nas: 'bng-2', acctSessionId: 's2' },
    ];
    expect(await bind('k1', first, NOW, signal)).toEqual(first);
    expect(await bind('k1', next, NOW, signal)).toEqual(first);
    expect(await bind('k2', next, NOW, signal)).toEqual(next);
  });

  it('keeps a refusal by the request', async () => {
    const { remember, recall, signal } = lookUp();
    await remember('r1', { errorCause: NONE, reason: 'no session has it' }, signal);
    expect(await recall('r1', signal)).toEqual({ errorCause: NONE, reason: 'no session has it' });
    expect(await recall('r2', signal)).toBeUndefined();
  });
});
