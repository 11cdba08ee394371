// For how long an answer is given again (RFC 5080 section 2.2.2).
import fc from 'fast-check';
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

describe('the same bytes again behind another request', () => {
  const A = { ...COA, activate: ['gold'], sequence: '18870000000000000099' };
  const a = request('a', A);
  const b = request('b', { ...COA, activate: ['silver'], sequence: '18870000000000000100' });
  const { session } = play([asked(a), ack, asked(b), ack, ack]);
  const elsewhere = { ...COA.nas, site: 'another' };

  it.each([
    { what: 'delivered again, from before the other one', over: {}, reply: ['ack'] },
    { what: 'sent after the other one', over: { sequence: '18870000000000000101' } },
    // The number alone decides, whichever relay of the site took the request on, and by what clock.
    { what: 'delivered again, late', over: { queuedAtMs: NOW + 900 }, reply: ['ack'] },
    { what: 'of another site, whose inbox has numbers of its own', over: { nas: elsewhere, sequence: '1' } },
    {
      what: 'sent after the other one to a queue that was made anew and counts from 1',
      over: { sequence: '1', queuedAtMs: NOW + 1_001 },
    },
    { what: 'without a number', over: { sequence: undefined } },
  ])('are $what', ({ over, reply = ['activate gold'] }) => {
    const { sequence, ...rest } = { ...a, ...over };
    const again = { ...rest, ...(sequence !== undefined && { sequence }), correlationId: 'a again' };
    expect(brief(play([asked(again)], session).last)).toEqual(reply);
  });

  it('are judged the same while the other one is under way or waits', () => {
    const c = request('c', { ...COA, activate: ['bronze'], sequence: '18870000000000000101' });
    const before = asked({ ...a, correlationId: 'a again' });
    const after = asked({ ...a, correlationId: 'a again', sequence: '18870000000000000102' });
    const busy = play([asked(a), ack, asked(b), asked(c)]).session;
    expect(brief(play([before], busy).last)).toEqual(['ack']);
    expect(play([after], busy).session?.waiting.map(({ correlationId }) => correlationId)).toEqual([
      'c',
      'a again',
    ]);
  });

  it('end as the order of their numbers has it, in whatever order deliveries repeat', () => {
    const wishes = fc.array(fc.constantFrom('gold', 'silver', 'bronze'), { minLength: 2, maxLength: 8 });
    const repeats = fc.array(fc.nat(7), { maxLength: 8 });
    fc.assert(
      fc.property(wishes, repeats, (names, indices) => {
        const requests = names.map((name, index) =>
          asked({
            ...request(name, { ...COA, activate: [name], sequence: String(95 + index) }),
            correlationId: `r${index}`,
          }),
        );
        const carriedOut = requests.flatMap((one) => [one, ack, ack]);
        const { session: end } = play(carriedOut);
        const again = indices.flatMap((index) => requests[index] ?? []);
        const { session: still, results } = play(again, end);
        expect(services(still)).toEqual(services(end));
        expect(results.flatMap(({ effects }) => effects).filter(({ kind }) => kind === 'command')).toEqual(
          [],
        );
      }),
    );
  });
});

describe('a request with Event-Timestamp', () => {
  it('has the answer that it got for as long as that is kept: the clock that lets it through may be wrong', () => {
    const asking = { activate: ['gold'], timestamped: true };
    const { session } = play([asked(request('r1', { ...COA, ...asking })), nak(503)], having(['silver']));
    expect(brief(again('r1', session, 300, asking))).toEqual(['nak 503']);
    expect(brief(again('r1', session, 345, asking))).toEqual(['nak 503']);
    expect(brief(again('r1', session, 3600, asking))).toEqual(['nak 503']);
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
