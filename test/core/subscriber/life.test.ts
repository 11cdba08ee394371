// Facts: RFC 2866 sections 5.1, 5.5 and 5.7, RFC 2869 section 5.3, and RFC 5176 section 3.5.
import { describe, expect, it } from 'vitest';
import type { Event } from '../../../core/subscriber/event.ts';
import { stateOf } from '../../../core/subscriber/event.ts';
import {
  areServicesKnown,
  CLOSED_FOR_MS,
  isStale,
  standingOf,
  UNHEARD_FOR_MS,
} from '../../../core/subscriber/life.ts';
import { accountedService, type SessionRecord } from '../../../core/subscriber/record.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { dueAtMs, transition } from '../../../core/subscriber/transition.ts';
import { SHAPE, upgrade } from '../../../core/subscriber/upgrade.ts';
import {
  accounted,
  accountedAs,
  ack,
  asked,
  brief,
  COA,
  NOW,
  nak,
  nas,
  type Played,
  play,
  record,
  request,
  services,
  timeout,
  told,
} from '../support.ts';

const OTHER = { identity: { 'User-Name': 'client2@isp1.com' } };
const at = (seconds: number) => NOW + seconds * 1000;
/** decide takes each event when it has happened, and what has no time of its own right after the one before. */
function played(events: Parameters<typeof play>[0], start?: Session): Played {
  let { session, results }: Pick<Played, 'session' | 'results'> = { session: start, results: [] };
  for (const one of events) {
    const event = typeof one === 'function' ? one(session) : one;
    const happenedAtMs =
      event.kind === 'record'
        ? event.record.eventAtMs
        : event.kind === 'nas-restart'
          ? event.eventAtMs
          : at(150);
    const result = play([event], session, Math.max(session?.changedAtMs ?? 0, happenedAtMs));
    session = result.session;
    results = [...results, ...result.results];
  }
  return { session, results, last: results.at(-1) ?? { effects: [] } };
}
const restart = (atSeconds: number, scope?: string): Event => ({
  kind: 'nas-restart',
  id: `on ${atSeconds}`,
  eventAtMs: at(atSeconds),
  ...(scope !== undefined && { scope }),
  terminateCause: 11,
});
const activate = (name: string, id = `+${name}`) => asked(request(id, { ...COA, activate: [name] }));
const open = played([record('start', 100)]).session;
const withGold = played([record('start', 100), activate('gold'), ack]).session;
const closed = played([record('stop', 500, { terminateCause: 1 })], withGold).session;

describe('an Acct-Start', () => {
  it('opens a session, which stays without services', () => {
    expect(stateOf(open)).toBe('idle');
    expect(open?.identity).toEqual({ 'User-Name': 'client1@isp1.com' });
    expect(open?.life).toMatchObject({ knownBy: 'start', began: { atMs: at(100), isStamped: true } });
    expect(open && dueAtMs(open)).toBeUndefined();
    expect(open && areServicesKnown(open)).toBe(true);
  });

  it('again changes nothing', () => {
    expect(transition(open, record('start', 100, { id: 'again' }), at(10_000))).toEqual({ effects: [] });
  });

  it('of the same session adds to who the subscriber is, and leaves what it does not say', () => {
    const more = record('start', 100, { id: 'again', identity: { 'Framed-IP-Address': '198.51.100.7' } });
    expect(played([more], open).session?.identity).toEqual({
      'User-Name': 'client1@isp1.com',
      'Framed-IP-Address': '198.51.100.7',
    });
  });

  it.each([
    ['another subscriber', record('start', 203, OTHER)],
    ['the same one more than 5 s later', record('start', 206)],
  ])('of %s ends the session before it opens the new one', (_, start) => {
    const { session, results } = played([start], withGold);
    expect(accounted(withGold, { session, results, last: results[0] ?? { effects: [] } })).toEqual([
      'Stop gold 9',
    ]);
    expect(session?.life?.began?.atMs).toBe(start.record.eventAtMs);
    expect(session?.identity).toEqual(start.record.identity);
    expect(session?.services).toEqual({});
  });

  it.each([
    ['no Event-Timestamps, of the same subscriber', record('start', 160, { isStamped: false })],
    ['a few seconds later, of the same subscriber', record('start', 104)],
    ['an earlier one of another subscriber', record('start', 40, OTHER)],
  ])('does not end the session: %s', (_, start) => {
    expect(services(played([start], withGold).session)).toEqual({ gold: 'active' });
  });

  it.each([
    ['that happened before the Acct-Stop is late', 499, 'closed'],
    ['that happened with it is late', 500, 'closed'],
    ['that happened afterwards opens a new session', 501, 'idle'],
  ])('of a closed session %s', (_, atSeconds, state) => {
    const { session } = played([record('start', atSeconds)], closed);
    expect(stateOf(session)).toBe(state);
    expect(session?.services).toEqual({});
  });

  it('without Event-Timestamp that comes right after the Acct-Stop is late: clients repeat one for 30 s', () => {
    const unstamped = { isStamped: false };
    const { session } = played([record('stop', 500, unstamped), record('start', 520, unstamped)], open);
    expect(stateOf(session)).toBe('closed');
    expect(stateOf(played([record('start', 520, { ...unstamped, ...OTHER })], session).session)).toBe('idle');
    expect(stateOf(played([record('start', 531, unstamped)], session).session)).toBe('idle');
  });
});

describe('an Interim-Update', () => {
  const interim = (atSeconds: number, sessionTimeSeconds: number, over: Partial<SessionRecord> = {}) =>
    record('interim', atSeconds, { sessionTimeSeconds, ...over });

  it('opens a session whose Acct-Start is lost, and whose services are not known', () => {
    const { session } = played([interim(700, 600)]);
    expect(session?.life).toMatchObject({ knownBy: 'interim', began: { atMs: at(100) } });
    expect(session && areServicesKnown(session)).toBe(false);
    const { session: found } = played([record('start', 101)], session);
    expect(found?.life).toMatchObject({ knownBy: 'start', began: { atMs: at(101) } });
  });

  it('says who the subscriber is: the latest counts, whatever the NAS was told before', () => {
    const claims = { 'User-Name': 'client1@isp1.com', 'Framed-IP-Address': '198.51.100.1' };
    const { session } = played([asked(request('r1', { ...COA, activate: ['gold'], identity: claims })), ack]);
    expect(session?.claimed).toEqual({ 'Framed-IP-Address': '198.51.100.1' });
    const told = { 'User-Name': 'renamed', 'Framed-IP-Address': '198.51.100.7' };
    const learned = played([interim(200, 100, { identity: told })], session).session;
    expect(learned?.identity).toEqual(told);
    expect(learned?.claimed).toEqual({});
    const late = interim(150, 50, { identity: { 'User-Name': 'renamed', 'NAS-Port-Id': 'ge-1' } });
    expect(played([late], learned).session?.identity).toEqual({ ...told, 'NAS-Port-Id': 'ge-1' });
  });

  it.each([
    ['before the Acct-Stop is late', 500, 'closed'],
    ['after it opens the session again, with no services', 501, 'idle'],
  ])('of a closed session that happened %s', (_, atSeconds, state) => {
    const { session } = played([interim(atSeconds, 400)], closed);
    expect(stateOf(session)).toBe(state);
    expect(session?.services).toEqual({});
  });

  it('of a later session whose Acct-Start is lost ends the one that is known', () => {
    const { session } = played([interim(900, 100, OTHER)], withGold);
    expect(session?.life?.began?.atMs).toBe(at(800));
    expect(session?.services).toEqual({});
  });
});

describe('an Acct-Stop', () => {
  it('ends the services with its cause, when it says, and then the session', () => {
    const { session, last, results } = played(
      [record('stop', 500, { sessionTimeSeconds: 400, terminateCause: 2 })],
      withGold,
    );
    expect(accounted(withGold, { session, results, last })).toEqual(['Stop gold 2']);
    expect(session?.ended['gold']?.atMs).toBe(at(500));
    expect(stateOf(session)).toBe('closed');
  });

  it('is remembered for 15 minutes, and then the session goes', () => {
    const due = at(500) + CLOSED_FOR_MS;
    expect(closed && dueAtMs(closed)).toBe(due);
    expect(transition(closed, { kind: 'due', id: 'd' }, due - 1).isOver).toBeUndefined();
    expect(transition(closed, { kind: 'due', id: 'd' }, due).isOver).toBe(true);
  });

  it('of an unknown session is remembered, so that its Acct-Start is late', () => {
    const { session } = played([record('stop', 500), record('start', 400)]);
    expect(stateOf(session)).toBe('closed');
  });

  it.each([
    ['it happened before the session began', { sessionTimeSeconds: 30 }, 90],
    ['its session began much earlier', { sessionTimeSeconds: 1000, isStamped: false }, 140],
    ['it is of another subscriber, and nothing tells when', { ...OTHER }, 140],
  ])('of an earlier session does not touch the one that is known: %s', (_, over, atSeconds) => {
    const { session } = played([record('stop', atSeconds, over)], withGold);
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it('that happened before an Interim-Update that has come is late', () => {
    const { session } = played([record('interim', 600), record('stop', 500)], withGold);
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it('of a closed session changes nothing when it comes again', () => {
    const again = record('stop', 500, { id: 'again' });
    expect(transition(closed, again, at(600))).toEqual({ effects: [] });
  });
});

it('a session of a renamed NAS that begins anew stays under the key that it has', () => {
  const renamed = { nas: nas({ name: 'bng-new', enforcement: 'coa' }) };
  for (const before of [withGold, closed]) {
    const { session } = played([record('start', 600, renamed)], before);
    expect(session).toMatchObject({
      nas: { name: 'bng-new' },
      storedUnder: 'bng-1',
      life: { knownBy: 'start' },
    });
  }
});

it('what a request has activated since a session began, the next one may have', () => {
  expect(services(played([record('start', 106)], withGold).session)).toEqual({ gold: 'unconfirmed' });
});

describe('a session that has ended', () => {
  it.each(['implicit', 'accounting'] as const)('is 503 without asking the NAS (%s)', (sessions) => {
    const profile = nas({ enforcement: 'coa', sessions });
    const { last } = played([asked(request('r', { nas: profile, activate: ['gold'] }))], closed);
    expect(brief(last)).toEqual(['nak 503']);
  });

  it('answers the request under way and those that wait, and tells the NAS no more', () => {
    const start = played([activate('silver'), activate('video')], withGold);
    const { session, last, results } = played([record('stop', 500)], start.session);
    expect(brief(last)).toEqual(['nak 503', 'nak 503']);
    expect(stateOf(session)).toBe('closed');
    expect(accounted(start.session, { session, results, last })).toEqual(['Stop gold 9']);
    const outcome = ack(start.session);
    expect(played([outcome], session).last.effects).toEqual([]);
    // Delivered again, it is answered again.
    expect(brief(played([record('stop', 500)], session).last)).toEqual(['nak 503', 'nak 503']);
  });

  it('is never acknowledged, not even when everything but the last deactivation was done', () => {
    const { session } = played([activate('silver'), ack], withGold);
    expect(session?.transition?.step).toBe('exclude');
    expect(brief(played([record('stop', 500)], session).last)).toEqual(['nak 503']);
  });

  it('leaves in doubt what a command that was under way may have activated in the next one', () => {
    const under = played([activate('silver')], open);
    const over = played([record('stop', 500)], under.session);
    expect(services(played([record('start', 600)], over.session).session)).toEqual({ silver: 'unconfirmed' });
    const refused = played([nak(501)(under.session)], over.session);
    expect(services(played([record('start', 600)], refused.session).session)).toEqual({});
  });

  it('ends also where the NAS is not told', () => {
    const profile = nas({ enforcement: 'none' });
    const { session, results, last } = played([
      record('start', 100, { nas: profile }),
      asked(request('r', { nas: profile, activate: ['gold'] })),
      record('stop', 500, { nas: profile }),
    ]);
    expect(accounted(undefined, { session, results, last })).toEqual(['Start gold', 'Stop gold 9']);
    expect(stateOf(session)).toBe('closed');
  });
});

describe('Accounting-On', () => {
  it('ends what began before it, with its cause', () => {
    const { session, results, last } = played([restart(500)], withGold);
    expect(accounted(withGold, { session, results, last })).toEqual(['Stop gold 11']);
    expect(stateOf(session)).toBe('closed');
  });

  it.each([
    ['began later', [restart(99)]],
    ['began with it', [restart(100)]],
    ['has had a record since', [record('interim', 600, { sessionTimeSeconds: 500 }), restart(500)]],
    ['is of another virtual router', [restart(500, 'blue')]],
  ])('does not end a session that %s', (_, events) => {
    expect(services(played(events, withGold).session)).toEqual({ gold: 'active' });
  });

  it('ends the sessions of the virtual router that it names', () => {
    const blue = { identity: { 'ERX-Virtual-Router-Name': 'blue' } };
    const { session } = played([record('start', 100, blue), restart(500, 'blue')]);
    expect(stateOf(session)).toBe('closed');
  });

  it('does not keep a session from going on with its services, once a later record shows that it was there before', () => {
    const { session: over } = played([restart(500)], withGold);
    const { session, results, last } = played([record('interim', 700, { sessionTimeSeconds: 600 })], over);
    expect(services(session)).toEqual({ gold: 'active' });
    // Its account was closed, so this is another one.
    expect(accounted(over, { session, results, last })).toEqual(['Start gold']);
    expect(session?.services['gold']?.number).not.toBe(withGold?.services['gold']?.number);
  });

  it('leaves nothing of it to a session that began afterwards', () => {
    const { session } = played([restart(500), record('interim', 700, { sessionTimeSeconds: 100 })], withGold);
    expect(services(session)).toEqual({});
  });

  it('leaves in doubt, of a session that goes on, what a request under way may have changed', () => {
    const { session: under } = played([activate('silver')], withGold);
    const over = played([restart(500)], under);
    expect(brief(over.last)).toEqual(['nak 503']);
    const { session } = played([record('interim', 700, { sessionTimeSeconds: 600 })], over.session);
    expect(services(session)).toEqual({ gold: 'active', silver: 'unconfirmed' });
  });

  it('keeps a record of an earlier event from opening a session', () => {
    const late = record('start', 400, { restartedAtMs: at(500) });
    expect(transition(undefined, late, at(10_000))).toEqual({ effects: [] });
    expect(transition(undefined, restart(500), at(10_000))).toEqual({ effects: [] });
  });
});

describe('a session that a request has made', () => {
  const { session: implicit } = played([activate('gold'), ack]);

  it('is the one that its first record tells of', () => {
    const { session } = played([record('start', 150)], implicit);
    expect(services(session)).toEqual({ gold: 'active' });
    expect(session?.life?.knownBy).toBe('start');
  });

  it.each([
    ['is of another subscriber', record('start', 151, OTHER)],
    ['began long after its services', record('start', 451)],
  ])('has ended when an Acct-Start %s', (_, start) => {
    expect(services(played([start], implicit).session)).toEqual({});
  });

  it('may have begun after a restart of the NAS, as far as the clocks tell', () => {
    expect(services(played([restart(140)], implicit).session)).toEqual({ gold: 'unconfirmed' });
    expect(services(played([restart(-200)], implicit).session)).toEqual({ gold: 'active' });
    expect(stateOf(played([restart(151)], implicit).session)).toBe('closed');
  });
});

describe('with `sessions: accounting`', () => {
  const profile = nas({ enforcement: 'coa', sessions: 'accounting' });
  const wish = asked(request('r', { nas: profile, activate: ['gold'] }));

  it('a session that no record has opened is 503 without asking the NAS, and leaves no trace', () => {
    const result = transition(undefined, wish, NOW);
    expect(brief(result)).toEqual(['nak 503']);
    expect(result.session).toBeUndefined();
  });

  it('one that a record has opened is asked', () => {
    expect(brief(played([wish], open).last)).toEqual(['activate gold']);
  });
});

describe('503 of the NAS to an activation', () => {
  it('ends the session and its services; with `implicit` the NAS is asked again', () => {
    const { session, last } = played([activate('silver'), nak(503)], withGold);
    expect(brief(last)).toEqual(['nak 503']);
    expect(session?.life?.closed?.by).toBe('not-found');
    expect(brief(played([activate('video')], session).last)).toEqual(['activate video']);
    const profile = nas({ enforcement: 'coa', sessions: 'accounting' });
    const refused = asked(request('r', { nas: profile, activate: ['video'] }));
    expect(brief(played([refused], session).last)).toEqual(['nak 503']);
    expect(stateOf(played([record('start', 600)], session).session)).toBe('idle');
  });

  it('does not end a session of which no service is known, unless it is stale', () => {
    const end = (start: Session | undefined) => play([activate('gold'), nak(503)], start, at(4000)).session;
    expect(stateOf(end(open))).toBe('idle');
    expect(stateOf(end(played([record('stale', 400)], open).session))).toBe('closed');
  });

  it('does not end a session of which a record has come since', () => {
    const under = play([activate('silver')], withGold, at(200)).session;
    const heard = play([record('interim', 300)], under, at(300)).session;
    expect(services(play([nak(503)], heard, at(301)).session)).toEqual({ gold: 'active' });
  });
});

describe('a session is stale', () => {
  const { session: heard } = played([record('interim', 400)], open);
  const { session: stale } = played([record('stale', 400, { receivedAtMs: at(2200) })], heard);
  const threeDays = UNHEARD_FOR_MS / 1000;
  const isNow = (session: Session | undefined, atSeconds = 4000) =>
    session && isStale(session, at(atSeconds));

  it('once the relay says that no record has come for three intervals', () => {
    expect(isNow(heard)).toBe(false);
    expect(isNow(stale)).toBe(true);
    expect(stale?.life?.staleSinceMs).toBe(at(400));
    // The relay has had Interim-Updates since, which stayed at the site.
    expect(isNow(played([record('stale', 9000)], heard).session)).toBe(true);
  });

  it.each([
    ['it is open, and was heard of since', heard, record('stale', 398)],
    ['it is about a service', heard, record('stale', 9000, { service: accountedAs('gold') })],
    ['it is stale already', stale, record('stale', 500)],
    ['it has ended', closed, record('stale', 9000)],
    ['there is none', undefined, record('stale', 9000)],
    ['no record has opened it', played([activate('gold'), ack]).session, record('stale', 9000)],
  ])('not by a notice that is late: %s', (_, start, notice) => {
    const { last } = play([notice], start, at(9000));
    expect([last.session, last.effects]).toEqual([undefined, []]);
  });

  it.each([
    ['an Interim-Update', record('interim', 2300)],
    ['an Acct-Start', record('start', 2300)],
    ['the record of a service', record('interim', 2300, { service: accountedAs('gold') })],
    // Another relay has received it before this one had missed three.
    ['an Interim-Update that came before the notice was written', record('interim', 900)],
  ])('no longer once %s has come', (_, event) => {
    const { session } = played([event], stale);
    expect(session?.life).not.toHaveProperty('staleSinceMs');
    expect(isNow(session)).toBe(false);
  });

  it('still when a record comes that the relay had received before', () => {
    const earlier = record('interim', 300, { identity: { 'NAS-Port-Id': 'ge-0/0/1' } });
    const { session } = played([earlier], stale);
    expect(session?.identity).toHaveProperty('NAS-Port-Id');
    expect(isNow(session)).toBe(true);
  });

  it.each([
    ['where there were Interim-Updates', heard, 400 + threeDays + 1, true],
    ['not before', heard, 400 + threeDays, false],
    ['not where the NAS sends none', open, 1_000_000, false],
    ['not where it has ended', closed, 1_000_000, false],
    ['also with those alone', played([record('interim', 400)]).session, 1_000_000, true],
  ])('when nothing has been heard for 3 days: %s', (_, session, atSeconds, expected) => {
    expect(isNow(session, atSeconds)).toBe(expected);
  });

  it('as one change of its version, which ends no service', () => {
    expect(stale?.version).toBe((heard?.version ?? 0) + 1);
    expect(services(played([record('stale', 600)], withGold).session)).toEqual({ gold: 'active' });
  });

  it('in an item that has the interval of an earlier form', () => {
    const { hasInterims: _, ...life } = heard?.life ?? {};
    const item = { ...heard, shape: SHAPE, life: { ...life, interimIntervalSeconds: 600 } };
    expect(upgrade(item as never, 'key').life).toEqual(heard?.life);
  });
});

describe('a service that the NAS accounts', () => {
  const start = (name: string, atSeconds: number, id?: string, over: Partial<SessionRecord> = {}) =>
    record('start', atSeconds, { service: accountedAs(name, id), ...over });
  const stop = (name: string, atSeconds: number, id?: string, over: Partial<SessionRecord> = {}) =>
    record('stop', atSeconds, { service: accountedAs(name, id), ...over });
  const silver = played([start('silver', 100)], open).session;

  it('is known with its group, in the spelling of the NAS, and Interlock accounts it never', () => {
    const named = { ...accountedAs('tiered(1,2)'), spelling: 'tiered(1, 2)', groups: [12] };
    const { session, results, last } = played([record('start', 100, { service: named })], open);
    expect(accounted(open, { session, results, last })).toEqual([]);
    const off = played([asked(request('r', { ...COA, deactivate: ['tiered(1,2)'] }))], session);
    expect(told(off.last)).toContain('ERX-Service-Deactivate = "tiered(1, 2)"');
    const over = played([ack], off.session);
    expect(accounted(off.session, over)).toEqual([]);
  });

  it('is replaced by the first plan change', () => {
    const { results } = played([activate('gold'), ack, ack], silver);
    expect(results.map(brief)).toEqual([['activate gold'], ['deactivate silver'], ['ack']]);
  });

  it('opens the session whose Acct-Start has not come, and gets its groups from the catalogue', () => {
    expect(services(played([start('silver', 100)]).session)).toEqual({ silver: 'active' });
    const catalogue = {
      services: { tiered: { parameters: ['in'], groups: [3], ...TERMS } },
      refusingGroups: [],
      clearedGroups: [],
    };
    const name = { name: 'tiered( 1 )', serviceSessionId: 's1:1' };
    expect(accountedService(name, catalogue)).toEqual({
      activation: 'tiered(1)',
      spelling: 'tiered( 1 )',
      groups: [3],
      serviceSessionId: 's1:1',
    });
    expect(accountedService({ ...name, name: 'a(' }, catalogue)).toBeUndefined();
  });

  it('is gone with its Acct-Stop, and a repeat of its Acct-Start does not bring it back', () => {
    const { session } = played([stop('silver', 300, undefined, { terminateCause: 5 })], silver);
    expect(services(session)).toEqual({});
    expect(services(played([start('silver', 100)], session).session)).toEqual({});
    expect(services(played([start('silver', 400, 's1:2')], session).session)).toEqual({ silver: 'active' });
  });

  it('that Interlock accounts is ended by the record with its cause', () => {
    const over = played([stop('gold', 300, undefined, { terminateCause: 4 })], withGold);
    expect(accounted(withGold, over)).toEqual(['Stop gold 4']);
    const again = played([activate('gold'), ack], over.session);
    expect(again.session?.services['gold']?.number).not.toBe(withGold?.services['gold']?.number);
  });

  it('is not ended by the Acct-Stop of an earlier service session', () => {
    const { session } = played([start('silver', 400, 's1:2'), stop('silver', 300, 's1:silver')], silver);
    expect(services(session)).toEqual({ silver: 'active' });
  });

  it('has to go where it was there from log-in, and a request has activated another of its group', () => {
    const { session, last } = played([start('silver', 101)], withGold);
    expect(brief(last)).toEqual(['deactivate silver']);
    expect(services(played([nak(503)], session).session)).toEqual({ gold: 'active' });
  });

  it('does not disturb the request under way', () => {
    const { session: under } = played([activate('gold')], silver);
    const { session, last } = played([stop('silver', 200)], under);
    expect(last.effects).toEqual([]);
    expect(services(session)).toEqual({ silver: 'active' });
    const done = played([ack], session);
    expect(services(done.session)).toEqual({ gold: 'active', silver: 'deactivating' });
    expect(services(played([ack], done.session).session)).toEqual({ gold: 'active' });
  });

  it.each([
    [
      'an Interim-Update since then',
      record('interim', 300, { service: accountedAs('gold') }),
      { gold: 'active' },
    ],
    ['one from before', record('interim', 120, { service: accountedAs('gold') }), { gold: 'unconfirmed' }],
    ['an Acct-Stop since then', stop('gold', 300), {}],
  ])('that is in doubt is settled by %s', (_, event, expected) => {
    const { session: doubtful } = played([activate('gold'), timeout], open);
    expect(services(doubtful)).toEqual({ gold: 'unconfirmed' });
    expect(
      services(
        played([{ ...event, record: { ...event.record, receivedAtMs: at(20_000) } }], doubtful).session,
      ),
    ).toEqual(expected);
  });
});

const TERMS = {
  statistics: 'time',
  timeoutSeconds: 0,
  volumeMegabytes: 0,
  interimIntervalSeconds: 0,
} as const;

describe('a record that contradicts the table', () => {
  const silver = record('start', 650, { service: accountedAs('silver'), receivedAtMs: at(20_000) });
  const { session: drifted, last } = played([silver], withGold);

  it('is a drift: the service is in doubt, and the next request of its group settles that', () => {
    expect(last.effects).toEqual([]);
    expect(drifted?.drift).toEqual({ silver: { sinceMs: at(650), instead: ['gold'] } });
    expect(services(drifted)).toEqual({ gold: 'active', silver: 'unconfirmed' });
    const { session, results } = played([activate('bronze'), ack, ack], drifted);
    expect(results.map(brief)).toEqual([['activate bronze'], ['deactivate gold silver'], ['ack']]);
    expect(session?.drift).toBeUndefined();
  });

  it('is settled when the NAS has ended the service', () => {
    const over = record('stop', 700, { service: accountedAs('silver') });
    const { session } = played([over], drifted);
    expect(session?.drift).toBeUndefined();
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it('can be settled for the table: the NAS is told what it has', () => {
    const { results, session } = played([{ kind: 'resync', id: 'told', to: 'table' }, ack, ack], drifted);
    expect(results.map(brief)).toEqual([['activate gold'], ['deactivate silver'], []]);
    expect(services(session)).toEqual({ gold: 'active' });
    expect(session?.drift).toBeUndefined();
  });

  it('can be settled for the NAS: the table takes what the records say', () => {
    const { session, last } = played([{ kind: 'resync', id: 'told', to: 'nas' }], drifted);
    expect(last.effects).toEqual([]);
    expect(services(session)).toEqual({ gold: 'unconfirmed', silver: 'active' });
    expect(session?.drift).toBeUndefined();
  });
});

describe("a record of a session that 0.1.0 began, with Interlock's own number", () => {
  const of010 = play([record('start', -100), activate('gold'), ack]).session;
  if (of010 === undefined) throw new Error('an Acct-Start opens a session');
  const { gold } = of010.services;
  if (gold?.account === undefined) throw new Error('gold is accounted');
  const numbered: Session = {
    ...of010,
    nextServiceNumber: 2,
    services: { gold: { ...gold, number: 1, account: { ...gold.account, number: 1 } } },
  };
  const copied = accountedAs('gold', 's1:000001');

  it.each(['start', 'stop'] as const)('is ignored: %s', (kind) => {
    const event = record(kind, 100, { service: copied });
    expect(transition(numbered, event, at(101))).toEqual({ effects: [] });
  });

  it('is one of the NAS if it is of another service, or of another number', () => {
    const other = record('start', 100, { service: accountedAs('voice', 's1:000001') });
    expect(services(transition(numbered, other, at(101)).session)).toEqual({
      gold: 'active',
      voice: 'active',
    });
    const stop = record('stop', 100, { service: accountedAs('gold', 's1:000002') });
    expect(services(transition(numbered, stop, at(101)).session)).toEqual({});
  });
});

describe('the item of a session that the feed knows', () => {
  const under = played([activate('silver')], withGold).session;
  const deferred = played([record('stop', 200, { service: accountedAs('silver') })], under).session;
  const drifting = played([record('start', 650, { service: accountedAs('silver') })], withGold).session;
  it.each([
    ['open', open],
    ['with services', withGold],
    ['closed', closed],
    ['with a record that waits', deferred],
    ['closed by a restart with a command under way', played([restart(500)], under).session],
    ['with a drift', drifting],
  ])('%s: is read as it was written', (_, session) => {
    const item = JSON.parse(JSON.stringify({ ...session, shape: SHAPE }));
    expect(upgrade(item, 'item')).toStrictEqual(JSON.parse(JSON.stringify(session)));
  });
});

function permutations<T>(list: readonly T[]): readonly (readonly T[])[] {
  if (list.length < 2) return [list];
  return list.flatMap((one, index) =>
    permutations(list.toSpliced(index, 1)).map((others) => [one, ...others]),
  );
}

describe('whatever the order in which its records come', () => {
  const silver = accountedAs('silver', 's1:1');
  const earlier = [
    record('start', 100),
    record('start', 100, { service: silver }),
    record('stop', 300, { service: silver, sessionTimeSeconds: 200 }),
    record('stop', 300, { sessionTimeSeconds: 200 }),
  ];
  const gold = accountedAs('gold', 's1:2');

  it('a session that has ended is closed, and has nothing', () => {
    for (const events of permutations(earlier)) {
      const { session } = played(events);
      expect(stateOf(session), events.map(({ id }) => id).join()).toBe('closed');
      expect(session?.services).toEqual({});
    }
  });

  it('the next one is open, and has its services alone', () => {
    const next = [record('start', 400), record('start', 401, { service: gold })];
    for (const events of permutations([...earlier, ...next])) {
      const { session } = played(events);
      const order = events.map(({ id }) => id).join();
      expect(stateOf(session), order).toBe('idle');
      expect(session?.life?.began?.atMs, order).toBe(at(400));
      expect(services(session), order).toEqual({ gold: 'active' });
    }
  });
});

describe('what happens in one second with something else', () => {
  it('a session that begins in the second of the Accounting-On is open after it', () => {
    const next = record('start', 500, { id: 'next', restartedAtMs: at(500) });
    const { session } = played([restart(500), next], withGold);
    expect(stateOf(session)).toBe('idle');
    expect(session?.life?.began?.atMs).toBe(at(500));
  });

  it('an Interim-Update of a session that began before the restart opens nothing', () => {
    const late = record('interim', 500, { sessionTimeSeconds: 400, restartedAtMs: at(500) });
    expect(stateOf(played([late]).session)).toBe('absent');
  });

  it('the late Acct-Stop of the session before does not keep the next one from opening', () => {
    const next = record('start', 500, { id: 'next', restartedAtMs: at(500) });
    const { session } = played([restart(500), record('stop', 300), next], withGold);
    expect(stateOf(session)).toBe('idle');
  });
});

describe('the records of one account', () => {
  const gold = accountedAs('gold', 's1:1');

  it('do not bring back what Interlock has deactivated since', () => {
    const start = record('start', 110, { service: gold });
    const deactivate = asked(request('-gold', { ...COA, deactivate: ['gold'] }));
    const known = played([start], open).session;
    const late = record('interim', 120, { service: gold });
    for (const events of [
      [deactivate, ack, late],
      [deactivate, late, ack],
    ])
      expect(services(played(events, known).session)).toEqual({});
  });

  it('are in the order of the clock of the NAS, though the clock of a relay is behind', () => {
    const behind = (seconds: number) => ({ service: gold, receivedAtMs: at(seconds - 45) });
    const stop = record('stop', 157, { ...behind(157), sessionTimeSeconds: 47 });
    const late = record('interim', 142, { service: gold, receivedAtMs: at(118) });
    expect(services(played([record('start', 110, { service: gold }), stop, late], open).session)).toEqual({});
  });

  it('leave in doubt, and do not end, what was activated again after they happened', () => {
    const profile = nas({ enforcement: 'coa', serviceAccounting: 'nas' });
    const again = asked(request('+gold', { nas: profile, activate: ['gold'] }));
    const session = played([record('start', 100, { nas: profile }), again, ack]).session;
    const stop = record('stop', 148, { nas: profile, service: gold, sessionTimeSeconds: 0 });
    const start = record('start', 148, { nas: profile, service: gold });
    expect(services(played([start, stop], session).session)).toEqual({ gold: 'unconfirmed' });
  });
});

it('a NAS that is told nothing has confirmed nothing: the Acct-Stop ends what a client activated later', () => {
  const profile = nas({ enforcement: 'none' });
  const wanted = asked(request('+gold', { nas: profile, activate: ['gold'] }));
  const start = record('start', 0, { nas: profile });
  const { session } = play([wanted], undefined, at(400));
  const begun = play([start], session, at(401)).session;
  expect(stateOf(play([record('stop', 10, { nas: profile })], begun, at(402)).session)).toBe('closed');
});

describe('a session that no record has opened, at a NAS that is told nothing', () => {
  const profile = nas({ enforcement: 'none' });
  const asks = (id: string, service: string) =>
    asked(request(id, { nas: profile, activate: [service], sequence: id }));
  const stop = record('stop', 10, { nas: profile });

  it('ends by the Acct-Stop, also when a client has activated a service since', () => {
    const { session } = play([asks('1', 'gold')], undefined, NOW);
    const since = play([asks('2', 'silver')], session, at(400)).session;
    expect(stateOf(play([stop], since, at(402)).session)).toBe('closed');
  });

  it('does not end by an Acct-Stop of long before its first request', () => {
    const { session } = play([asks('1', 'gold')], undefined, at(400));
    expect(stateOf(play([stop], session, at(402)).session)).toBe('idle');
  });
});

describe('in a look-up, a session whose NAS sends no Interim-Updates', () => {
  const DAYS = 24 * 60 * 60;
  const { session } = play([record('start', 0)]);
  const standing = (one: Session | undefined, seconds: number) => one && standingOf(one, at(seconds));

  it('is unheard 3 days after its latest record', () => {
    expect(standing(session, 3 * DAYS)).toBe('open');
    expect(standing(session, 3 * DAYS + 1000)).toBe('unheard');
  });

  it('is open when its NAS has confirmed an activation since', () => {
    const asks = play([asked(request('r1', { ...COA, activate: ['gold'] }))], session, at(2 * DAYS)).session;
    const later = play([ack], asks, at(2 * DAYS + 1)).session;
    expect(standing(later, 3 * DAYS + 1000)).toBe('open');
    expect(standing(later, 5 * DAYS + 1000)).toBe('unheard');
  });
});
