// The same request again, with Event-Timestamp: nothing is carried out twice (RFC 5176 section 6.3).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../../core/subscriber/event.ts';
import type { ServiceRequest, Session } from '../../../core/subscriber/session.ts';
import { dueAtMs, transition } from '../../../core/subscriber/transition.ts';
import {
  ack,
  asked,
  brief,
  CLIENT,
  COA,
  NOW,
  nak,
  outcome,
  play,
  record,
  request,
  services,
  stored,
  timeout,
} from '../support.ts';

const NOW_SECONDS = NOW / 1000;
const HOUR = 3_600;

type Over = Parameters<typeof request>[1];

/** A request of that time, in seconds from `NOW`, by the clock of its client. */
const stamped = (id: string, atSeconds: number, over: Over = {}) =>
  request(id, { ...COA, eventAtSeconds: NOW_SECONDS + atSeconds, ...over });

/** The same octets, that many seconds after `NOW`, from another port. */
const replayed = (one: ServiceRequest, seconds: number): Event =>
  asked({
    ...one,
    correlationId: `${one.correlationId} after ${seconds}`,
    queuedAtMs: NOW + seconds * 1000,
    origin: { ...one.origin, client: { ...one.origin.client, port: 50_001 } },
  });

/** What comes of it then. */
const comesOf = (one: ServiceRequest, session: Session | undefined, seconds: number) =>
  brief(play([replayed(one, seconds)], session, NOW + seconds * 1000).last);

/** The session once all that is due until then has happened to it; undefined once its item is removed. */
function untilSeconds(start: Session | undefined, seconds: number): Session | undefined {
  let session = start;
  for (let round = 0; round < 10 && session !== undefined; round++) {
    const dueMs = dueAtMs(session);
    if (dueMs === undefined || dueMs > NOW + seconds * 1000) return session;
    const result = transition(session, { kind: 'due', id: `due ${round}` }, dueMs);
    session = result.isOver ? undefined : result.session === undefined ? session : stored(result.session);
  }
  return session;
}

const gold = (atSeconds = 0) => stamped('gold', atSeconds, { activate: ['gold'] });
const silver = (atSeconds: number, id = 'silver') => stamped(id, atSeconds, { activate: ['silver'] });

/** Activates gold and silver after it, and so has silver. */
const rolledOn = (first: ServiceRequest) => play([asked(first), ack, asked(silver(1)), ack, ack]).session;

describe('a request with Event-Timestamp that is replayed', () => {
  it('from another port has its stored answer, and changes nothing', () => {
    const session = rolledOn(gold());
    expect(services(session)).toEqual({ silver: 'active' });
    expect(comesOf(gold(), session, 2)).toEqual(['ack']);
  });

  it.each([
    ['is dropped', gold(), []],
    ['is another one from another client with another secret', stamped('own', 0, { activate: ['gold'] }), []],
  ])('while it is in progress %s or waits', (_, one, expected) => {
    const busy = play([asked(gold()), asked(silver(1)), asked(stamped('own', 0, { activate: ['gold'] }))]);
    expect(comesOf(one, busy.session, 2)).toEqual(expected);
  });

  it.each([17, 40])('behind %i further answers is not carried out', (answers) => {
    const more = Array.from({ length: answers }, (_, index) => [
      asked(silver(1 + index, `further ${index}`)),
      ack,
      ack,
    ]);
    const { session } = play([asked(gold()), ack, ...more.flat()]);
    expect(session?.answered.some(({ key }) => key === 'gold')).toBe(false);
    expect(comesOf(gold(), session, 60)).toEqual([]);
  });

  it('is not carried out either behind answers of another client or without Event-Timestamp', () => {
    const other = { ...CLIENT, name: 'another' };
    const more = Array.from({ length: 17 }, (_, index) => [
      asked(request(`further ${index}`, { ...COA, activate: ['silver'], client: other })),
      ack,
      ack,
    ]);
    const { session } = play([asked(gold(299)), ack, ...more.flat()]);
    expect(comesOf(gold(299), session, 400)).toEqual([]);
  });

  // The session is empty after 1 s, and was removed after 301 s.
  const emptied = (first: ServiceRequest) =>
    play([asked(first), ack, asked(stamped('off', 1, { deactivate: ['gold'] })), ack]).session;

  it.each([
    ['299 s ahead, after 306 s', 299, 306],
    ['299 s ahead, after 598 s', 299, 598],
    ['of now, with a window of 3,600 s, after 301 s', 0, 301],
    ['of now, with a window of 3,600 s, after 3,600 s', 0, HOUR],
    ['3,600 s ahead, with that window, after 7,199 s', HOUR, 2 * HOUR - 1],
  ])('%s, has its answer though its session is gone', (_, atSeconds, afterSeconds) => {
    const left = untilSeconds(emptied(gold(atSeconds)), afterSeconds);
    expect(left).toMatchObject({ isForgotten: true, services: {}, identity: {}, recentEvents: [] });
    expect(comesOf(gold(atSeconds), left, afterSeconds)).toEqual(['ack']);
  });

  it('is known for no longer than a relay may take it for current', () => {
    expect(untilSeconds(emptied(gold(299)), 299 + HOUR + 299)).toBeDefined();
    expect(untilSeconds(emptied(gold(299)), 299 + HOUR + 300)).toBeUndefined();
  });

  it.each([
    ['has ended, by its NAS', [record('stop', 2)]],
    ['has ended, and has begun again', [record('stop', 2), record('start', 20)]],
    ['has ended, and is another one of that Acct-Session-Id', [record('start', 20, otherOne())]],
    ['has ended with a Disconnect-Request', [asked(stamped('end', 2, { isDisconnect: true })), ack]],
  ])('has its answer where the session %s', (_, events) => {
    const { session } = play(events, rolledOn(gold()), NOW + 30_000);
    expect(comesOf(gold(), session, 31)).toEqual(['ack']);
    expect(comesOf(gold(), untilSeconds(session, 1_000), 1_001)).toEqual(['ack']);
  });

  it.each([
    ['another request has made', [asked(silver(400)), ack]],
    ['the accounting of its NAS has opened', [record('start', 400)]],
    ['the accounting of a service has opened', [record('start', 400, videoOf())]],
    ['its NAS has ended before anything was known of it', [record('stop', 400)]],
  ])('has its answer in a session that %s since', (_, events) => {
    const left = untilSeconds(emptied(gold()), 400);
    const { session } = play(events, left, NOW + 400_000);
    expect(session?.isForgotten).toBeUndefined();
    expect(comesOf(gold(), session, 401)).toEqual(['ack']);
  });

  it.each([
    ['refused by the NAS', nak(503), 'nak 503'],
    ['refused by the NAS without a cause', nak(), 'nak'],
  ])('is not told to the NAS again where it was %s', (_, outcome, answer) => {
    const { session, last } = play([asked(gold()), outcome]);
    expect(last.isOver).toBeUndefined();
    expect(session?.isForgotten).toBe(true);
    expect(comesOf(gold(), session, 200)).toEqual([answer]);
    // The message that the queue delivers again has its effects.
    expect(
      brief(play([{ ...outcomeOf(outcome), id: session?.recentEvents.at(-1)?.id ?? '' }], session).last),
    ).toEqual([answer]);
  });

  it('is not told to the NAS again where that did not answer', () => {
    const { session } = play([asked(gold()), timeout, ack]);
    expect(comesOf(gold(), session, 60)).toEqual(['nak 505']);
  });

  it('and ends a session has its answer, and ends no later one', () => {
    const end = stamped('end', 0, { isDisconnect: true });
    const { session } = play([asked(silver(-1, 'before')), ack, asked(end), ack]);
    const again = play([record('start', 60)], session, NOW + 60_000).session;
    expect(comesOf(end, again, 61)).toEqual(['ack']);
    const left = untilSeconds(session, 1_000);
    expect(left?.isForgotten).toBe(true);
    const made = play([asked(silver(1_000)), ack], left, NOW + 1_000_000).session;
    expect(services(made)).toEqual({ silver: 'active' });
    expect(comesOf(end, made, 1_001)).toEqual(['ack']);
  });

  it('has its answer where its session was looked up', () => {
    const one = stamped('by name', 1, { activate: ['silver'], lookedUpAt: 'bng-1' });
    const { session } = play([asked(gold()), ack, asked(one), ack, ack]);
    expect(comesOf(one, session, 30)).toEqual(['ack']);
    expect(comesOf(one, untilSeconds(play([record('stop', 40)], session).session, 1_000), 1_000)).toEqual([
      'ack',
    ]);
  });
});

describe('a request that is older than what was carried out', () => {
  it('is not carried out, and gets no answer', () => {
    const { session } = play([asked(gold(0)), ack], undefined, NOW);
    expect(comesOf(stamped('late', -6, { activate: ['silver'] }), session, 1)).toEqual([]);
  });

  it('is not carried out behind one that is in progress or waits', () => {
    const { session } = play([asked(gold(0)), asked(silver(10))], undefined, NOW + 10_000);
    const waiting = session && {
      ...session,
      waiting: session.waiting.map((one) => ({ ...one, queuedAtMs: NOW + 10_000 })),
    };
    expect(comesOf(stamped('late', 3, { activate: ['bronze'] }), waiting, 11)).toEqual([]);
  });

  it('is carried out where it is so by 5 s at most: packets overtake each other', () => {
    const { session } = play([asked(gold(0)), ack]);
    expect(comesOf(stamped('late', -5, { activate: ['silver'] }), session, 1)).toEqual(['activate silver']);
  });

  it('is carried out where another client made the newer one', () => {
    const { session } = play([asked(gold(0)), ack]);
    const other = stamped('other', -200, { activate: ['silver'], client: { ...CLIENT, name: 'another' } });
    expect(comesOf(other, session, 1)).toEqual(['activate silver']);
  });

  it('is carried out where the newer one is ahead of the clock: its host may be wrong, and this one right', () => {
    const { session } = play([asked(gold(299)), ack]);
    expect(comesOf(silver(1), session, 1)).toEqual(['activate silver']);
  });

  it('is carried out once the clock of the relay is right, which was a year ahead', () => {
    const year = 365 * 86_400;
    const ahead = Array.from({ length: 20 }, (_, index) => [
      asked(silver(year + index, `n${index}`)),
      ack,
      ack,
    ]);
    const { session } = play([asked(gold(year)), ack, ...ahead.flat()]);
    expect(comesOf(stamped('right', 60, { activate: ['bronze'] }), session, 60)).toEqual(['activate bronze']);
  });
});

describe('requests of one client', () => {
  it('in the same second are all carried out, and none of them twice', () => {
    const both = [gold(0), stamped('video', 0, { activate: ['video'] })] as const;
    const { session } = play([asked(both[0]), ack, asked(both[1]), ack]);
    expect(services(session)).toEqual({ gold: 'active', video: 'active' });
    for (const one of both) expect(comesOf(one, session, 1)).toEqual(['ack']);
  });

  it.each([299, 0, -299])('whose clock is %i s ahead are carried out one after the other', (ahead) => {
    let session: Session | undefined;
    for (let second = 0; second < 40; second++) {
      const name = second % 2 === 0 ? 'gold' : 'silver';
      const one = stamped(`r${second}`, second + ahead, { activate: [name] });
      const { results, session: next } = play(
        [asked({ ...one, queuedAtMs: NOW + second * 1000 }), ack, ack],
        session,
        NOW + second * 1000,
      );
      expect(results[0] && brief(results[0])).toEqual([`activate ${name}`]);
      session = next;
    }
  });

  it('leave no more in the item, however many there are', () => {
    const sizeOf = (count: number) => {
      const all = Array.from({ length: count }, (_, index) => [
        asked(
          index % 2 === 0
            ? silver(index, `r${10_000 + index}`)
            : {
                ...gold(index),
                correlationId: `r${10_000 + index}`,
                origin: { ...gold(index).origin, key: `k${10_000 + index}` },
              },
        ),
        ack,
        ack,
      ]);
      return JSON.stringify(play(all.flat()).session).length;
    };
    expect(sizeOf(500)).toBeLessThan(sizeOf(50) + 200);
  });

  it('without Event-Timestamp leave nothing behind when the session is over', () => {
    const { session } = play([
      asked(request('on', { ...COA, activate: ['gold'] })),
      ack,
      asked(request('off', { ...COA, deactivate: ['gold'] })),
      ack,
    ]);
    expect(untilSeconds(session, 300)).toBeUndefined();
  });
});

describe('whatever happens', () => {
  const NAMES = ['gold', 'silver', 'bronze', 'video'] as const;
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('ask' as const),
      name: fc.constantFrom(...NAMES),
      verb: fc.constantFrom('activate', 'deactivate', 'isDisconnect'),
      ahead: fc.constantFrom(0, 0, 0, 299, -2),
    }),
    fc.record({ kind: fc.constant('replay' as const), which: fc.nat(60) }),
    fc.record({ kind: fc.constantFrom('ack', 'ack', 'nak', 'timeout', 'stop', 'start') }),
    fc.record({ kind: fc.constant('wait' as const), seconds: fc.constantFrom(1, 20, 301, 901) }),
  );

  it('no request with Event-Timestamp is carried out twice while a relay may take it for current', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let session: Session | undefined;
        let seconds = 0;
        const requests: ServiceRequest[] = [];
        const carriedOutAs = new Map<string, string>();
        const happens = (event: Event) => {
          const atMs = NOW + seconds * 1000;
          const result = transition(session, event, atMs);
          for (const { kind, correlationId } of result.effects) {
            const one = requests.find(
              ({ correlationId: id }) => correlationId.replace(/ after.*/, '') === id,
            );
            if (kind !== 'command' || one === undefined) continue;
            const as = carriedOutAs.get(one.origin.key) ?? correlationId;
            carriedOutAs.set(one.origin.key, as);
            expect(correlationId).toBe(as);
          }
          const next = result.session === undefined ? session : stored(result.session);
          session = result.isOver ? undefined : next;
        };
        steps.forEach((one, index) => {
          if (one.kind === 'wait') {
            seconds += one.seconds;
            session = untilSeconds(session, seconds);
          } else if (one.kind === 'ask') {
            const wish =
              one.verb === 'isDisconnect' ? { isDisconnect: true as const } : { [one.verb]: [one.name] };
            const asking = stamped(`r${index}`, seconds + one.ahead, {
              ...wish,
              queuedAtMs: NOW + seconds * 1000,
            });
            requests.push(asking);
            happens(asked(asking));
          } else if (one.kind === 'replay') {
            const again = requests.at(one.which % Math.max(1, requests.length));
            const madeAt = (again?.origin.eventAtSeconds ?? 0) - NOW_SECONDS;
            if (again !== undefined && Math.abs(seconds - madeAt) <= HOUR)
              happens(replayed(again, seconds + index / 100));
          } else if (one.kind === 'start' || one.kind === 'stop') {
            happens(record(one.kind, seconds, { id: `f${index}` }));
          } else if (session?.transition !== undefined) {
            happens(outcome(session, one.kind as 'ack', one.kind === 'nak' ? 506 : undefined));
          }
        });
      }),
      { numRuns: 400 },
    );
  });
});

/** Another subscriber, under the same Acct-Session-Id. */
function otherOne() {
  return { identity: { 'User-Name': 'client2@isp1.com' } };
}

function videoOf() {
  return { service: { activation: 'video', spelling: 'video', groups: [7], serviceSessionId: 's1:video' } };
}

function outcomeOf(made: (session: Session | undefined) => Event): Event {
  return made(undefined);
}
