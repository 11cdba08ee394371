// A Disconnect-Request: the NAS ends the session, and then its services end here.
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../core/subscriber/session.ts';
import {
  accounted,
  ack,
  asked,
  brief,
  COA,
  having,
  NOW,
  nak,
  play,
  record,
  request,
  services,
  timeout,
  told,
  unsent,
} from '../support.ts';

const disconnect = (over: Parameters<typeof request>[1] = {}) =>
  asked(request('d1', { ...COA, isDisconnect: true, ...over }));
const confirmed = () => {
  const { session } = play([asked(request('r1', { ...COA, activate: ['gold', 'video'] })), ack]);
  if (session === undefined) throw new Error('a request makes a session');
  return session;
};
const end = (session: Session | undefined, ...events: Parameters<typeof play>[0]) =>
  play([disconnect(), ...events], session);

describe('a Disconnect-Request at a NAS that is told', () => {
  it('tells the NAS of the session, and of no service', () => {
    const { last } = end(confirmed());
    expect(brief(last)).toEqual(['disconnect']);
    expect(told(last)).toEqual([
      'Acct-Session-Id = "s1"',
      'User-Name = "client1@isp1.com"',
      'NAS-IP-Address = 192.0.2.1',
      'NAS-Identifier = "bng-1"',
    ]);
  });

  it('passes Class on', () => {
    const { last } = play([disconnect({ classes: ['676f6c64'] })], confirmed());
    expect(told(last).at(-1)).toBe('Class = 0x676f6c64');
  });

  it('is acknowledged by the Acct-Stop of its session, which may overtake the ACK', () => {
    const before = confirmed();
    const waiting = asked(request('r2', { ...COA, activate: ['silver'] }));
    const played = end(before, waiting, record('stop', 10, { terminateCause: 6 }), ack);
    expect(played.results.map(brief).slice(-2)).toEqual([['ack', 'nak 503'], []]);
    expect(accounted(before, played)).toEqual(['Stop gold 6', 'Stop video 6']);
    expect(played.session?.life?.closed?.by).toBe('stop');
  });

  it('is refused when the NAS restarts meanwhile, or its Acct-Session-Id begins anew', () => {
    const restart = { kind: 'nas-restart', id: 'on', eventAtMs: NOW + 600_000, terminateCause: 11 } as const;
    for (const event of [restart, record('start', 10, { identity: { 'User-Name': 'bob' } })])
      expect(brief(end(confirmed(), event).last)).toEqual(['nak 503']);
  });

  it('ends all services with the ACK of the NAS: Stops with cause 6, Admin-Reset', () => {
    const before = confirmed();
    const played = end(before, ack);
    expect(brief(played.last)).toEqual(['ack']);
    expect(services(played.session)).toEqual({});
    expect(accounted(before, played)).toEqual(['Stop gold 6', 'Stop video 6']);
  });

  it('keeps what is there when the NAS refuses, and passes its Error-Cause on', () => {
    const before = confirmed();
    const played = end(before, nak(504));
    expect(brief(played.last)).toEqual(['nak 504']);
    expect(services(played.session)).toEqual({ gold: 'active', video: 'active' });
    expect(accounted(before, played)).toEqual([]);
  });

  it('ends the session at 503, if the NAS has confirmed what identifies it: cause 9, NAS-Error', () => {
    const before = confirmed();
    const played = end(before, nak(503));
    expect(brief(played.last)).toEqual(['nak 503']);
    expect(accounted(before, played)).toEqual(['Stop gold 9', 'Stop video 9']);
  });

  it('leaves all in doubt when the NAS does not answer; an ACK to the next one settles that', () => {
    const before = confirmed();
    const unanswered = end(before, timeout);
    expect(brief(unanswered.last)).toEqual(['nak 505']);
    expect(services(unanswered.session)).toEqual({ gold: 'unconfirmed', video: 'unconfirmed' });
    expect(accounted(before, unanswered)).toEqual([]);
    const again = play([disconnect({ correlationId: 'd2', key: 'd2' }), ack], unanswered.session);
    expect(brief(again.last)).toEqual(['ack']);
    expect(accounted(unanswered.session, again)).toEqual(['Stop gold 6', 'Stop video 6']);
  });

  it('changes nothing when the relay has not sent it', () => {
    const { session, last } = end(confirmed(), unsent('nas-overloaded', 506));
    expect(brief(last)).toEqual(['nak 506']);
    expect(services(session)).toEqual({ gold: 'active', video: 'active' });
  });

  it('is the answer of the NAS for a session that the table does not know', () => {
    expect(brief(end(undefined, ack).last)).toEqual(['ack']);
    const refused = end(undefined, nak(503));
    expect([brief(refused.last), refused.last.isOver]).toEqual([['nak 503'], true]);
  });

  it('waits for the request in progress, and goes before those behind it', () => {
    const { session } = play([asked(request('r2', { ...COA, activate: ['silver'] }))], confirmed());
    const waiting = play([disconnect(), asked(request('r3', { ...COA, activate: ['bronze'] }))], session);
    const { results } = play([ack, ack, ack], waiting.session);
    expect(results.map(brief)).toEqual([
      ['deactivate gold'],
      ['ack', 'disconnect'],
      ['ack', 'activate bronze'],
    ]);
  });

  it('is refused for another subscriber, without the NAS', () => {
    const { last } = play([disconnect({ identity: { 'User-Name': 'other' } })], confirmed());
    expect(brief(last)).toEqual(['nak 503']);
  });
});

describe('a Disconnect-Request where the NAS is not told', () => {
  it('ends the session at once', () => {
    const before = having(['gold', 'video']);
    const played = play([asked(request('d1', { isDisconnect: true }))], before);
    expect(brief(played.last)).toEqual(['ack']);
    expect(accounted(before, played)).toEqual(['Stop gold 6', 'Stop video 6']);
  });

  it('gets 503 for a session that is not known', () => {
    const { session, last } = play([asked(request('d1', { isDisconnect: true }))]);
    expect([brief(last), session]).toEqual([['nak 503'], undefined]);
  });
});
