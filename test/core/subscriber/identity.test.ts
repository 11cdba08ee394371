// Identity is learned from what the NAS has confirmed, of what it was told. A refused or unanswered request leaves
// nothing behind.
import { describe, expect, it } from 'vitest';
import { IDENTITY_ATTRIBUTES, type Identity, type IdentityAttribute } from '../../../core/identity.ts';
import type { Event } from '../../../core/subscriber/event.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { ack, asked, brief, COA, nak, nas, play, request, services, timeout, told } from '../support.ts';

type Step = Event | ((session: Session | undefined) => Event);

const RIGHT: Readonly<Record<IdentityAttribute, string | number>> = {
  'User-Name': 'right',
  'NAS-Port': 7,
  'Framed-IP-Address': '198.51.100.7',
  'Called-Station-Id': 'right',
  'Calling-Station-Id': '00-00-5e-00-53-01',
  'Acct-Multi-Session-Id': 'right',
  'NAS-Port-Id': 'ge-1/0/1:100',
  'Chargeable-User-Identity': '00ff',
  'Framed-Interface-Id': '0:0:0:1',
  'Framed-IPv6-Prefix': '2001:db8:1::/48',
  'Delegated-IPv6-Prefix': '2001:db8:1:100::/56',
  'Framed-IPv6-Address': '2001:db8:1::7',
  'ERX-Virtual-Router-Name': 'right',
};
const WRONG: Readonly<Record<IdentityAttribute, string | number>> = {
  'User-Name': 'wrong',
  'NAS-Port': 8,
  'Framed-IP-Address': '198.51.100.8',
  'Called-Station-Id': 'wrong',
  'Calling-Station-Id': '00-00-5e-00-53-02',
  'Acct-Multi-Session-Id': 'wrong',
  'NAS-Port-Id': 'ge-1/0/1:200',
  'Chargeable-User-Identity': '00aa',
  'Framed-Interface-Id': '0:0:0:2',
  'Framed-IPv6-Prefix': '2001:db8:2::/48',
  'Delegated-IPv6-Prefix': '2001:db8:2:100::/56',
  'Framed-IPv6-Address': '2001:db8:2::7',
  'ERX-Virtual-Router-Name': 'wrong',
};
/** What a NAS of the dialect erx is told of these. */
const TOLD: readonly IdentityAttribute[] = ['User-Name', 'ERX-Virtual-Router-Name'];

const activating = (id: string, identity: Identity, activate: readonly string[]) =>
  asked(request(id, { ...COA, identity, activate }));
const deactivating = (id: string, identity: Identity, deactivate: readonly string[]) =>
  asked(request(id, { ...COA, identity, deactivate }));

describe.each(IDENTITY_ATTRIBUTES)('a wrong %s', (name) => {
  const [right, wrong]: readonly [Identity, Identity] = [{ [name]: RIGHT[name] }, { [name]: WRONG[name] }];
  const established = () => play([activating('r0', {}, ['voice']), ack]).session;

  it.each<{ what: string; start: () => Session | undefined; events: readonly Step[] }>([
    {
      what: 'refused on a new session',
      start: () => undefined,
      events: [activating('w', wrong, ['gold']), nak(503)],
    },
    {
      what: 'unanswered on a new session',
      start: () => undefined,
      events: [activating('w', wrong, ['gold']), timeout],
    },
    {
      what: 'refused with a deactivation on a new session',
      start: () => undefined,
      events: [deactivating('w', wrong, ['gold']), nak(503)],
    },
    {
      what: 'refused on an established session',
      start: established,
      events: [activating('w', wrong, ['gold']), nak(503)],
    },
    {
      what: 'unanswered on an established session',
      start: established,
      events: [activating('w', wrong, ['gold']), timeout],
    },
    {
      what: 'refused with a deactivation of what is known',
      start: established,
      events: [deactivating('w', wrong, ['voice']), nak(503)],
    },
  ])('$what leaves nothing: the right one is asked at the NAS, and gets its ACK', ({ start, events }) => {
    const left = play(events, start()).session;
    expect(left?.identity ?? {}).toEqual({});
    expect(left?.claimed ?? {}).toEqual({});
    const { session, results } = play([activating('r', right, ['silver']), ack], left);
    expect(results[0] && brief(results[0])).toEqual(['activate silver']);
    const lines = (results[0] && told(results[0])) ?? [];
    expect(lines.some((line) => line.includes('wrong'))).toBe(false);
    expect(lines.some((line) => line.startsWith(`${name} = "right"`))).toBe(TOLD.includes(name));
    expect(results[1] && brief(results[1])[0]).toMatch(/ack|deactivate gold/);
    expect(services(session)).toMatchObject({ silver: 'active' });
  });

  it('is not told to the NAS by a later request that has Acct-Session-Id alone', () => {
    const { last } = play([activating('w', wrong, ['gold']), nak(503), activating('r', {}, ['silver'])]);
    expect(told(last).filter((line) => line.startsWith(name))).toEqual([]);
  });

  const isTold = TOLD.includes(name);
  it(
    isTold ? 'is refused with 503 once the NAS has confirmed another' : 'is nothing that anybody could check',
    () => {
      const { session, last } = play([
        activating('r', right, ['gold']),
        ack,
        activating('w', wrong, ['silver']),
      ]);
      expect(brief(last)).toEqual([isTold ? 'nak 503' : 'activate silver']);
      expect(session?.identity).toEqual(isTold ? right : {});
      expect(session?.claimed).toEqual(isTold ? {} : right);
    },
  );

  it('is believed where no NAS is told, once the request was acknowledged, and not before', () => {
    const start = play([asked(request('r', { identity: right, activate: ['gold'] }))]).session;
    expect(start?.identity).toEqual(right);
    const refused = play([asked(request('w', { identity: wrong, activate: ['silver'] }))], start);
    expect(brief(refused.last)).toEqual(['nak 503']);
    expect(refused.session?.identity).toEqual(right);
  });
});

describe('a deactivation that is refused with 503', () => {
  it('means another subscriber where it names one that the NAS has not confirmed: the service stays', () => {
    const { session } = play([activating('r0', {}, ['voice']), ack]);
    const { session: after, last } = play(
      [deactivating('w', { 'User-Name': 'wrong' }, ['voice']), nak(503)],
      session,
    );
    expect(brief(last)).toEqual(['nak 503']);
    expect(services(after)).toEqual({ voice: 'active' });
  });
});

describe('what the NAS is not told', () => {
  const claim: Identity = { 'Framed-IP-Address': '198.51.100.7' };
  const other: Identity = { 'Framed-IP-Address': '198.51.100.8' };

  it('goes with the services that this request activated, and with no others', () => {
    const { session } = play([
      activating('r1', claim, ['gold']),
      ack,
      activating('r2', other, ['voice']),
      ack,
    ]);
    const startOf = (name: string) => session?.accountedAs[session.services[name]?.account?.as ?? ''];
    expect(startOf('gold')?.identity).toMatchObject(claim);
    expect(startOf('voice')?.identity).toMatchObject(other);
  });
});

describe('the spelling of a MAC address', () => {
  const spellings = ['00-1a-2b-3c-4d-5e', '00:1A:2B:3C:4D:5E', '001a.2b3c.4d5e', '001A2B3C4D5E'];
  it.each(spellings)('%s means the same station as the other ones', (one) => {
    const start = play([
      asked(request('r', { identity: { 'Calling-Station-Id': one }, activate: ['gold'] })),
    ]).session;
    for (const other of spellings) {
      const asking = request(`as ${other}`, {
        identity: { 'Calling-Station-Id': other },
        activate: ['silver'],
      });
      expect(brief(play([asked(asking)], start).last)).toEqual(['ack']);
    }
    const stranger = request('s', {
      identity: { 'Calling-Station-Id': '00-1a-2b-3c-4d-5f' },
      activate: ['silver'],
    });
    expect(brief(play([asked(stranger)], start).last)).toEqual(['nak 503']);
  });

  it('matters in every other attribute', () => {
    const [one = '', other = ''] = spellings;
    const start = play([asked(request('r', { identity: { 'User-Name': one }, activate: ['gold'] }))]).session;
    const asking = request('s', { identity: { 'User-Name': other }, activate: ['silver'] });
    expect(brief(play([asked(asking)], start).last)).toEqual(['nak 503']);
  });
});

describe('an activation that the NAS did not answer', () => {
  const userNamed = (name: string) => `User-Name = "${name}"`;

  it('is undone under the name that it was told with, which may be that of another subscriber', () => {
    const { session, last } = play([activating('w', { 'User-Name': 'wrong' }, ['voice']), timeout]);
    expect(brief(last)).toEqual(['nak 505', 'deactivate voice']);
    expect(told(last)).toContain(userNamed('wrong'));
    expect(services(play([nak(503)], session).session)).toEqual({});
  });

  it('is undone under no other name that the NAS confirms meanwhile, beside what is undone under that', () => {
    const late = play([activating('w', { 'User-Name': 'wrong' }, ['voice']), timeout, timeout]);
    const right = { 'User-Name': 'right' };
    const { results } = play([activating('r', right, ['gold']), ack, nak(503)], late.session);
    expect(results.map(brief)).toEqual([['activate gold'], ['deactivate voice'], ['ack']]);
    expect(results[1] && told(results[1])).toContain(userNamed('wrong'));
  });

  it('is told under the confirmed name once it has to go for another reason', () => {
    const doubt = play([activating('w', { 'User-Name': 'wrong' }, ['gold']), timeout]).session;
    expect(services(doubt)).toEqual({ gold: 'unconfirmed' });
    const { last } = play([activating('r', { 'User-Name': 'right' }, ['silver']), ack], doubt);
    expect(brief(last)).toEqual(['deactivate gold']);
    expect(told(last)).toContain(userNamed('right'));
  });

  const wrong = (id: string, activate: string[]) => activating(id, { 'User-Name': 'wrong' }, activate);
  const right = (id: string, activate: string[]) => activating(id, { 'User-Name': 'right' }, activate);
  const deactivating = (id: string, deactivate: string[]) =>
    asked(request(id, { ...COA, identity: { 'User-Name': 'right' }, deactivate }));
  /** `voice` was asked for as "wrong", and neither that nor its undo was answered. */
  const phantom = () => play([wrong('w', ['voice']), timeout, timeout]).session;

  it('is undone under each name that it was told with, until the NAS has it under none', () => {
    const { results } = play([right('r', ['voice']), timeout, nak(503), nak(503)], phantom());
    expect(results.map(brief)).toEqual([
      ['activate voice'],
      ['nak 505', 'deactivate voice'],
      ['deactivate voice'],
      [],
    ]);
    expect(results[1] && told(results[1])).toContain(userNamed('wrong'));
    expect(results[2] && told(results[2])).toContain(userNamed('right'));
    expect(services(play([right('r', ['voice']), timeout, nak(503)], phantom()).session)).toEqual({
      voice: 'deactivating',
    });
  });

  it('does not count what the NAS said before it', () => {
    const doubted = play([right('r1', ['voice']), timeout, nak()]).session;
    expect(doubted?.services['voice']?.retry).toMatchObject({ alsoGone: 1 });
    const again = play([right('r2', ['voice']), timeout], doubted).session;
    expect(again?.services['voice']).not.toHaveProperty('retry');
  });

  it('of a wrong name is nothing that a deactivation of the right one means', () => {
    const unanswered = play([deactivating('r', ['voice']), timeout], phantom());
    expect(services(unanswered.session)).toEqual({ voice: 'unconfirmed' });
    const refused = play([deactivating('r', ['voice', 'video']), nak(503), ack, nak(503)], phantom());
    expect(brief(refused.last)).toEqual(['nak 503', 'activate voice']);
  });

  it('leaves in doubt what was in doubt before: it may be there from log-in', () => {
    const doubted = play([deactivating('r', ['voice']), timeout]).session;
    const { last, session } = play([wrong('w', ['voice']), timeout], doubted);
    expect(brief(last)).toEqual(['nak 505']);
    expect(services(session)).toEqual({ voice: 'unconfirmed' });
  });
});

describe('a NAS of the dialect generic, which is told all that a session has', () => {
  const GENERIC = { nas: nas({ enforcement: 'coa', dialect: 'generic', order: 'together' }) };
  const asking = (id: string, identity: Identity, activate: string[], deactivate: string[] = []) =>
    asked(request(id, { ...GENERIC, identity, activate, deactivate }));
  const NAMED = { 'User-Name': 'somebody' };

  it('is not told to have what was asked for under a name that nothing confirms', () => {
    const doubt = play([asking('r1', NAMED, ['gold']), timeout]).session;
    expect(services(doubt)).toEqual({ gold: 'unconfirmed' });
    const filters = (identity: Identity) =>
      told(play([asking('r2', identity, ['voice'])], doubt).last).filter((one) =>
        one.startsWith('Filter-Id'),
      );
    expect(filters({})).toEqual(['Filter-Id = "voice"']);
    expect(filters(NAMED)).toEqual(['Filter-Id = "gold"', 'Filter-Id = "voice"']);
  });

  it('is told to keep what was asked for under the same name as what is undone', () => {
    const { last } = play([asking('r1', NAMED, ['gold', 'voice']), timeout]);
    expect(brief(last)).toEqual(['nak 505', 'deactivate voice']);
    expect(told(last)).toContain('Filter-Id = "gold"');
  });

  it('has confirmed for the session what it has restored, whoever asked for it', () => {
    const doubt = play([asking('r1', NAMED, ['gold']), timeout, asking('r2', {}, ['silver']), timeout, ack]);
    expect(services(doubt.session)).toMatchObject({ gold: 'active' });
    const { results } = play([ack, asking('r3', {}, [], ['gold']), ack], doubt.session);
    expect(results.slice(1).map(brief)).toEqual([['deactivate gold'], ['ack']]);
  });
});

describe('a NAS that never answers', () => {
  const asking = (index: number, id = `r${index}`) => {
    const identity = { 'User-Name': `user${index}` };
    return asked(request(id, { ...COA, identity, activate: ['gold'] }));
  };
  const sixteen = Array.from({ length: 16 }, (_, index) => [asking(index), timeout]).flat();

  it('is told of a service under 16 names at most, so that the item keeps its size', () => {
    const { session, last } = play([...sixteen, asking(16)]);
    expect(session?.services['gold']?.named).toHaveLength(16);
    expect(brief(last)).toEqual(['nak 506']);
    expect(session?.answered.at(-1)?.reason).toBe(
      'the NAS may have gold under 16 names, and has confirmed none of them',
    );
  });

  it('is told again under one of them, and to deactivate it', () => {
    expect(brief(play([...sixteen, asking(15, 'again')]).last)).toEqual(['activate gold']);
    const deactivate = asked(request('r17', { ...COA, identity: {}, deactivate: ['gold'] }));
    expect(brief(play([...sixteen, deactivate]).last)).toEqual(['deactivate gold']);
  });
});
