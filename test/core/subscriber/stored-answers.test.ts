// For how long an answer is given again (RFC 5080 section 2.2.2).
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../core/subscriber/session.ts';
import { ack, asked, brief, COA, having, NOW, nak, play, request, services, timeout } from '../support.ts';

/** The same bytes from the same port, so many seconds after the answer. */
const again = (id: string, session: Session | undefined, seconds: number, over = {}) =>
  play(
    [
      asked({
        ...request(id, { ...COA, activate: ['gold'], ...over }),
        correlationId: `again after ${seconds}`,
        queuedAtMs: NOW + seconds * 1000,
      }),
    ],
    session,
    NOW + seconds * 1000,
  ).last;

describe('the same bytes from the same port', () => {
  it.each([
    { what: 'a NAK of the NAS', answered: nak(503), reply: 'nak 503' },
    { what: 'an unanswered command', answered: timeout, reply: 'nak 505' },
    { what: 'an ACK of the NAS', answered: ack, reply: 'ack' },
  ])('get the answer that came of $what for 30 s, and then the NAS is asked again', ({ answered, reply }) => {
    const { session } = play(
      [asked(request('r1', { ...COA, activate: ['gold'] })), answered],
      having(['silver']),
    );
    // What is left to be told afterwards is not what this is about.
    const settled = session?.transition === undefined ? session : play([ack], session).session;
    const holds = settled && {
      ...settled,
      answered: settled.answered.map((one) => ({ ...one, version: settled.version })),
    };
    expect(brief(again('r1', holds, 30))).toEqual([reply]);
    expect(brief(again('r1', holds, 31))).toEqual(['activate gold']);
  });

  it('get it for as long as nothing changes where no NAS is told', () => {
    const { session } = play([asked(request('r1', { activate: ['gold'] }))]);
    expect(brief(again('r1', session, 3600, { nas: session?.nas }))).toEqual(['ack']);
  });

  it('that change a subscriber from A to B and back end at A', () => {
    const a = request('a', { ...COA, activate: ['gold'] });
    const b = request('b', { ...COA, activate: ['silver'] });
    const { session } = play([asked(a), ack, asked(b), ack, ack]);
    const back = { ...a, correlationId: 'a again', queuedAtMs: NOW + 5_000 };
    const { session: end } = play([asked(back), ack, ack], session, NOW + 5_000);
    expect(services(end)).toEqual({ gold: 'active' });
  });
});

describe('a request with Event-Timestamp', () => {
  it('has the answer that it got for 300 s: it is the same request', () => {
    const asking = { activate: ['gold'], timestamped: true };
    const { session } = play([asked(request('r1', { ...COA, ...asking })), nak(503)], having(['silver']));
    expect(brief(again('r1', session, 300, asking))).toEqual(['nak 503']);
    expect(brief(again('r1', session, 301, asking))).toEqual(['activate gold']);
  });
});

describe('a request that is delivered again behind the one that created the session', () => {
  const numbered = (id: string, sequence: string, over: object) =>
    asked({ ...request(id, { ...COA, ...over }), sequence });
  const { session } = play([numbered('r2', '10000000000000000000', { activate: ['gold'] }), ack]);

  it('was refused before, and is not carried out late', () => {
    const late = numbered('r1', '9999999999999999999', { deactivate: ['gold'] });
    expect(play([late], session).results).toEqual([{ effects: [] }]);
  });

  it.each([
    ['later', '10000000000000000001', {}],
    ['of another site, whose inbox has numbers of its own', '1', { nas: { ...COA.nas, site: 'another' } }],
    ['later, in a queue that was made anew and counts from 1', '1', { queuedAtMs: NOW + 1_001 }],
  ])('is carried out where it is %s', (_, sequence, over) => {
    const asking = numbered('r3', sequence, { ...over, deactivate: ['gold'] });
    expect(brief(play([asking], session).last)).toEqual(['deactivate gold']);
  });
});
