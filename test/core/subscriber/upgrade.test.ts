import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ServiceRequest, Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import { SHAPE, UnreadableItem, upgrade } from '../../../core/subscriber/upgrade.ts';
import { asked, brief, COA, having, outcome, play, request, services, stored } from '../support.ts';

type Item = Readonly<Record<string, unknown>>;

/** Items as 0.1.0 wrote them, by what was under way. */
const ITEMS_010: Readonly<Record<string, Item>> = JSON.parse(
  readFileSync(join(import.meta.dirname, 'items/0.1.0.json'), 'utf8'),
);

/** What of an item a session is made of. */
function attributes({ pk: _pk, sk: _sk, userName: _user, dueBucket: _bucket, dueAt: _due, ...item }: Item) {
  return item;
}

function read(name: string): Session {
  return upgrade(attributes(ITEMS_010[name] ?? {}), name);
}

/** A session as it is in the table and comes back. */
function again(session: Session): Session {
  return upgrade(JSON.parse(JSON.stringify({ ...session, shape: SHAPE })), 'again');
}

describe('an item of 0.1.0', () => {
  it.each(Object.keys(ITEMS_010))('%s: is read, and what is written of it is read as the same', (name) => {
    const session = read(name);
    expect(again(session)).toStrictEqual(session);
    expect(session.revision).toBe(ITEMS_010[name]?.['version']);
  });

  it('names the clients of what waits by their addresses', () => {
    const [first] = read('activating').waiting;
    expect(first?.origin).toEqual({
      kind: 'radius',
      client: { name: '127.0.0.1', address: '127.0.0.1', port: 4000 },
      packet: Buffer.from('r3').toString('base64'),
      key: 'r3',
      timestamped: false,
    });
  });

  it('goes on where it was: the switch under way is answered, and what waited follows', () => {
    const { session, results } = play(
      Array.from({ length: 4 }, () => (s) => outcome(s, 'ack')),
      read('activating'),
    );
    expect(results.map(brief)).toEqual([
      ['deactivate gold'],
      ['ack', 'activate bronze'],
      ['deactivate video'],
      ['deactivate silver'],
    ]);
    expect(services(session)).toEqual({ silver: 'deactivating', bronze: 'active' });
  });

  it('has its deactivations retried', () => {
    const session = read('idle with deactivations to retry');
    const { last } = play([{ kind: 'due', id: 'd1' }], session, dueAtMs(session));
    expect(brief(last)).toEqual(['deactivate gold bronze']);
  });

  it('has accounts for what was accounted: its Stops say what the session knew, and keep the numbers', () => {
    const session = read('idle');
    const { gold } = session.services;
    expect(gold?.account).toEqual({
      number: gold?.number,
      startedAtMs: gold?.activatedAtMs,
      as: expect.any(String),
    });
    const { nas, identity, classes } = session;
    expect(session.accountedAs[gold?.account?.as ?? '']).toEqual({
      identity: { ...identity, ...nas.identity },
      classes,
    });
    // What is learned now is not said of it.
    const asking = { identity: { 'NAS-Port-Id': 'ge-1/0/0.7' }, nas, acctSessionId: session.acctSessionId };
    const learned = play(
      [asked(request('r9', { ...asking, activate: ['voice'] })), (s) => outcome(s, 'ack')],
      session,
    );
    expect(learned.session?.accountedAs[gold?.account?.as ?? '']?.identity).not.toHaveProperty('NAS-Port-Id');
    expect(learned.session?.services['gold']?.account).toEqual(gold?.account);
    expect(session.nas.serviceAccounting).toBe('interlock');
  });

  it('without recentEvents is one whose events are forgotten', () => {
    const { recentEvents: _, ...item } = attributes(ITEMS_010['idle'] ?? {});
    expect(upgrade(item, 'idle')).toMatchObject({
      recentEvents: [],
      services: { gold: { state: 'active' } },
    });
  });
});

describe('an item that cannot be read', () => {
  const item = (over: object) => ({ ...read('deactivating'), shape: SHAPE, ...over });

  it.each<[what: string, item: Item, problem: string]>([
    ['of a later shape', item({ shape: SHAPE + 1 }), `shape ${SHAPE + 1} is later than ${SHAPE}`],
    ['of a shape that is no number', item({ shape: 'new' }), 'shape new is later than'],
    ['with a step that no release has', item({ transition: { step: 'switch' } }), 'transition.step'],
    ['with an attribute that no release has', item({ colour: 'red' }), 'colour'],
    ['without services', item({ services: undefined }), 'services'],
    [
      'of 0.1.0, without a version',
      { ...attributes(ITEMS_010['idle'] ?? {}), version: undefined },
      'version',
    ],
  ])('%s is refused by name', (_, refused, problem) => {
    const reading = () => upgrade(refused, 'SESSION#bng-1#s1');
    expect(reading).toThrow(UnreadableItem);
    expect(reading).toThrow(`SESSION#bng-1#s1: ${problem}`);
  });
});

it('an item from before accounts were kept is read without what it had for them', () => {
  const { accountedAs: _, services: known, ...session } = read('idle');
  const entries = Object.entries(known).map(([name, { account: __, ...service }]) => [
    name,
    { ...service, claimed: { 'NAS-Port': 7 } },
  ]);
  const item = { ...session, services: Object.fromEntries(entries), wasAccounted: true, shape: SHAPE };
  expect(upgrade(item, 'before')).toStrictEqual(read('idle'));
});

it('an item from before requests were known by their authenticators alone has these as keys', () => {
  const AUTHENTICATOR = '0123456789abcdef0123456789abcdef';
  const keyed = (one: ServiceRequest, key: string) => ({ ...one, origin: { ...one.origin, key } });
  const [asking, waits] = [
    request('r1', { ...COA, activate: ['gold'] }),
    request('r2', { ...COA, activate: ['silver'] }),
  ];
  const before = having(['bronze']);
  const of = (key: string) => {
    const { session } = play(
      [asked(keyed(asking, key)), asked(keyed(waits, key.replace(/.$/, '0')))],
      before,
    );
    const answered = before.answered.map((given) => ({ ...given, key }));
    return { ...session, answered, shape: SHAPE };
  };
  const item = of(`2001:db8::1 50000 7 ${AUTHENTICATOR}`);
  expect(item.waiting).toHaveLength(1);
  const { shape: _, recentEvents: __, ...expected } = of(AUTHENTICATOR);
  const read = upgrade(JSON.parse(JSON.stringify(item)), 'keyed');
  expect(read).toMatchObject({ answered: expected.answered, transition: expected.transition });
  expect(read.waiting[0]?.origin.key).toBe(AUTHENTICATOR.replace(/.$/, '0'));
});

it('a session that has just been written is read as it was', () => {
  const session = read('activating with a failed deactivation');
  const { session: next } = play([(s) => outcome(s, 'nak', 506)], session);
  expect(next && again(next)).toStrictEqual(next);
  expect(next && stored(next).revision).toBe((next?.revision ?? 0) + 1);
});
