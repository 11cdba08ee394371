// Requests without Acct-Session-Id: their session was looked up, and may have changed since.
import { describe, expect, it } from 'vitest';
import type { Identity } from '../../../core/identity.ts';
import { ack, asked, brief, COA, nak, play, request, services } from '../support.ts';

const ANN = { 'User-Name': 'ann@isp' };
const found = (id: string, identity: Identity, activate: readonly string[], over: object = COA) =>
  asked(request(id, { ...over, identity, activate, lookedUpAt: 'bng-1' }));
const named = (id: string, identity: Identity, activate: readonly string[]) =>
  asked(request(id, { ...COA, identity, activate }));
const established = () => play([named('r0', ANN, ['voice']), ack]).session;

describe('a request whose session was looked up', () => {
  it('is carried out where the session is still the one', () => {
    const { results, session } = play([found('r1', ANN, ['gold']), ack], established());
    expect(results.map(brief)).toEqual([['activate gold'], ['ack']]);
    expect(services(session)).toEqual({ voice: 'active', gold: 'active' });
  });

  it.each([
    ['another subscriber has it', { 'User-Name': 'bob@isp' }],
    ['it is no longer known of it', { ...ANN, 'Framed-IP-Address': '198.51.100.7' }],
  ])('is refused with 503, and the NAS is not asked, where %s', (_, identity) => {
    const { last, session } = play([found('r1', identity, ['gold'])], established());
    expect(brief(last)).toEqual(['nak 503']);
    expect(services(session)).toEqual({ voice: 'active' });
  });

  it.each([
    ['coa', COA],
    ['none', {}],
  ])('makes no session where the session is gone since (enforcement: %s)', (_, over) => {
    const { last, session } = play([found('r1', ANN, ['gold'], over)]);
    expect(brief(last)).toEqual(['nak 503']);
    expect(session).toBeUndefined();
  });

  it('is refused with 503 when it has waited for one that finds that the session is gone', () => {
    const { last } = play(
      [named('r1', ANN, ['gold']), found('r2', ANN, ['silver']), nak(503)],
      established(),
    );
    expect(brief(last)).toEqual(['nak 503', 'nak 503']);
  });

  it('gets the stored answer when it is repeated', () => {
    const { results } = play(
      [
        found('r1', ANN, ['gold']),
        ack,
        asked(request('r2', { ...COA, key: 'r1', identity: ANN, activate: ['gold'], lookedUpAt: 'bng-1' })),
      ],
      established(),
    );
    expect(results.map(brief)).toEqual([['activate gold'], ['ack'], ['ack']]);
  });

  it('is a repeat while it is in progress', () => {
    const repeated = request('r2', {
      ...COA,
      key: 'r1',
      identity: ANN,
      activate: ['gold'],
      lookedUpAt: 'bng-1',
    });
    const { results } = play([found('r1', ANN, ['gold']), asked(repeated), ack], established());
    expect(results.map(brief)).toEqual([['activate gold'], [], ['ack']]);
  });

  it('claims nothing that is known of the session', () => {
    const known = { ...ANN, 'Framed-IP-Address': '198.51.100.7' };
    const before = established();
    if (before === undefined) throw new Error('there is a session');
    const { session } = play([found('r1', known, ['gold']), ack], { ...before, identity: known });
    expect(session).toMatchObject({ identity: known, claimed: {} });
  });
});
