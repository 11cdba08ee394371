// What was told in vain is told again, each service in its own time.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../../core/subscriber/event.ts';
import type { Retry, Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import {
  ack,
  asked,
  brief,
  COA,
  having,
  NOW,
  nak,
  nas,
  play,
  request,
  services,
  timeout,
  unsent,
} from '../support.ts';

const SECOND_MS = 1000;
const activating = (id: string, activate: readonly string[]) => asked(request(id, { ...COA, activate }));
const due = (id: string): Event => ({ kind: 'due', id });
const retriesOf = (session: Session | undefined): ReadonlyMap<string, Retry> =>
  new Map(
    Object.values(session?.services ?? {}).flatMap(({ activation, retry }) =>
      retry ? [[activation, retry]] : [],
    ),
  );

describe('a NAS that refuses every first deactivation, with a switch every 10 s', () => {
  it('never holds more than three members of the group', () => {
    let session: Session | undefined = having(['gold(0)']);
    const refused = new Set<string>();
    const atNas = new Set(['gold(0)']);
    let most = 0;
    for (let tick = 1; tick <= 60; tick++) {
      const nowMs = NOW + tick * SECOND_MS;
      const dueMs = session && dueAtMs(session);
      const events: Event[] = [];
      if (dueMs !== undefined && dueMs <= nowMs) events.push(due(`due ${tick}`));
      if (tick % 10 === 0) events.push(activating(`r${tick}`, [`gold(${tick / 10})`]));
      for (const event of events) {
        let played = play([event], session, nowMs);
        for (;;) {
          session = played.session;
          const command = played.last.effects.find((effect) => effect.kind === 'command');
          if (command === undefined) break;
          const { operation, services: named } = command;
          const isRefused = operation === 'deactivate' && named.some((one) => !refused.has(one));
          if (operation === 'deactivate') for (const one of named) refused.add(one);
          if (!isRefused)
            for (const one of named) operation === 'activate' ? atNas.add(one) : atNas.delete(one);
          most = Math.max(most, atNas.size);
          played = play([isRefused ? nak(506) : ack], session, nowMs);
        }
      }
    }
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });
});

describe('each service', () => {
  it('has a pause of its own', () => {
    const first = play([activating('r1', ['gold']), ack, nak(506)], having(['silver', 'video'])).session;
    const later = NOW + 10 * SECOND_MS;
    // Another group: the command of this request takes silver along, too; both are refused, together and by themselves.
    const both = play([activating('r2', ['video(1)'])], first, later);
    expect(both.results.map(brief)).toEqual([['activate video(1)']]);
    const { session, last } = play([ack, nak(506), nak(506), nak(506)], both.session, later);
    expect(brief(last)).toEqual(['ack']);
    expect(retriesOf(session).get('video')).toMatchObject({ attempts: 1, atMs: later + 15 * SECOND_MS });
    const silver = retriesOf(session).get('silver');
    expect(silver?.attempts).toBe(2);
    expect(silver?.atMs).toBeGreaterThanOrEqual(later + 24 * SECOND_MS);
    expect(silver?.atMs).toBeLessThanOrEqual(later + 30 * SECOND_MS);
  });

  it('is told again when its own time has come, and no other with it', () => {
    const first = play([activating('r1', ['gold']), ack, nak(506)], having(['silver'])).session;
    const atMs = NOW + 15 * SECOND_MS;
    const once = play([due('d1'), nak(506)], first, atMs).session;
    const second = play([due('d2')], once, atMs + 1);
    expect(second.last).toEqual({ effects: [] });
  });

  it('that the NAS refuses for ever is told for ever, at most every quarter of an hour', () => {
    let session = play([activating('r1', ['gold']), ack, nak(506)], having(['silver'])).session;
    let nowMs = NOW;
    for (let attempt = 2; attempt < 20; attempt++) {
      const dueMs = (session && dueAtMs(session)) ?? 0;
      expect(dueMs - nowMs).toBeGreaterThan(0);
      expect(dueMs - nowMs).toBeLessThanOrEqual(15 * 60 * SECOND_MS);
      nowMs = dueMs;
      ({ session } = play([due(`d${attempt}`), nak(506)], session, nowMs));
      expect(retriesOf(session).get('silver')?.attempts).toBe(attempt);
    }
    expect(services(session)).toEqual({ gold: 'active', silver: 'deactivating' });
  });
});

describe('a refusal that may mean "not there"', () => {
  it.each([
    { dialect: 'erx', what: 'without a cause', refusal: nak() },
    { dialect: 'erx', what: '404 with a reason in words', refusal: nak(404, 'no such service') },
    { dialect: 'cisco', what: 'without a cause', refusal: nak() },
  ] as const)('means that when it comes three times: $dialect, $what', ({ dialect, refusal }) => {
    const who = { nas: nas({ enforcement: 'coa', dialect }) };
    let session = play(
      [asked(request('r1', { ...who, activate: ['gold'] })), ack, refusal],
      having(['silver']),
    ).session;
    for (const attempt of [2, 3]) {
      expect(services(session)).toEqual({ gold: 'active', silver: 'deactivating' });
      ({ session } = play([due(`d${attempt}`), refusal], session, session && dueAtMs(session)));
    }
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it('does not mean it when other refusals come', () => {
    let session = play([activating('r1', ['gold']), ack, nak(404)], having(['silver'])).session;
    for (let attempt = 2; attempt < 6; attempt++)
      ({ session } = play([due(`d${attempt}`), nak(404)], session, session && dueAtMs(session)));
    expect(services(session)).toEqual({ gold: 'active', silver: 'deactivating' });
  });
});

describe('a command that the relay did not send', () => {
  const overloaded = unsent('nas-overloaded', 506);

  it('refuses the request that it was for, and there is nothing to undo', () => {
    const { session, last } = play(
      [asked(request('r1', { ...COA, activate: ['gold'] })), overloaded],
      having(['silver']),
    );
    expect(brief(last)).toEqual(['nak 506']);
    expect(session?.answered.at(-1)?.reason).toBe(
      'the NAS was not told: too many commands to the NAS are in progress',
    );
    expect(services(session)).toEqual({ silver: 'active' });
  });

  it('does not end a restoration: the NAS has not answered it', () => {
    const asking = asked(request('r1', { ...COA, deactivate: ['silver'] }));
    const { session } = play([asking, timeout, overloaded], having(['silver']));
    expect(services(session)).toEqual({ silver: 'restoring' });
    const later = play([due('d1'), ack], session, NOW + 15 * SECOND_MS);
    expect(services(later.session)).toEqual({ silver: 'active' });
  });

  it('never counts as a service that is gone', () => {
    const asking = asked(request('r1', { ...COA, activate: ['gold'] }));
    let { session } = play([asking, ack, overloaded], having(['silver']));
    for (let hour = 1; hour <= 4; hour++) {
      session = play([due(`d${hour}`), overloaded], session, NOW + hour * 3_600_000).session;
      expect(services(session)).toEqual({ gold: 'active', silver: 'deactivating' });
    }
    expect(session?.services['silver']?.retry).not.toHaveProperty('alsoGone');
  });
});

describe('sessions that failed together', () => {
  it('are told again at times of their own', () => {
    const times = Array.from({ length: 50 }, (_, index) => {
      const who = { ...COA, acctSessionId: `s${index}` };
      const start = having(['silver'], { acctSessionId: `s${index}` });
      const failed = play(
        [asked(request('r1', { ...who, activate: ['gold'] })), ack, timeout],
        start,
      ).session;
      const again = play([due('d1'), timeout], failed, NOW + 15 * SECOND_MS).session;
      return again && dueAtMs(again);
    });
    expect(new Set(times).size).toBeGreaterThan(40);
  });
});

describe('laws, over random requests and answers', () => {
  const SERVICES = ['gold', 'silver', 'bronze', 'video', 'both', 'voice', 'gold(1)'];
  const name = fc.constantFrom(...SERVICES);
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        activate: fc.uniqueArray(name, { maxLength: 2 }),
        deactivate: fc.uniqueArray(name, { maxLength: 2 }),
      }),
    },
    { weight: 6, arbitrary: fc.constantFrom('ack', 'nak 506', 'nak 503', 'nak', 'timeout') },
    { weight: 2, arbitrary: fc.record({ afterSeconds: fc.nat(60) }) },
  );
  const order = fc.constantFrom('activate-first', 'together', 'deactivate-first');

  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  /** Plays the steps, and shows each change: the event, and the session before and after it. */
  function changes(
    steps: readonly Step[],
    orderOf: string,
    see: (before: Session | undefined, after: Session | undefined, nowMs: number) => void,
  ) {
    const who = { nas: nas({ enforcement: 'coa', order: orderOf as never }) };
    let session: Session | undefined;
    let nowMs = NOW;
    steps.forEach((one, index) => {
      const event = eventOf(one, index);
      if (event === undefined) return;
      const { session: after } = play([event], session, nowMs);
      see(session, after, nowMs);
      session = after;
    });

    function eventOf(one: Step, index: number): Event | undefined {
      if (typeof one === 'string') {
        if (session?.transition === undefined) return undefined;
        const [result, cause] = one.split(' ');
        const { commandId } = session.transition;
        const errorCause = cause === undefined ? {} : { errorCause: Number(cause) };
        return {
          kind: 'outcome',
          id: `${commandId}/outcome`,
          commandId,
          result: result as 'ack',
          ...errorCause,
        };
      }
      if ('afterSeconds' in one) {
        nowMs += one.afterSeconds * SECOND_MS;
        return due(`due ${index}`);
      }
      const deactivate = one.deactivate.filter((other) => !one.activate.includes(other));
      if (one.activate.length + deactivate.length === 0) return undefined;
      return asked(request(`r${index}`, { ...who, activate: one.activate, deactivate, receivedAtMs: nowMs }));
    }
  }

  it('no event but its own failure pushes out the retry of a service', () => {
    let pushes = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), order, (steps, orderOf) => {
        changes(steps, orderOf, (before, after, nowMs) => {
          const told = before?.transition?.underWay ?? [];
          const later = retriesOf(after);
          const pushed = [...retriesOf(before)]
            .filter(([activation, { atMs }]) => (later.get(activation)?.atMs ?? 0) > atMs)
            .map(([activation]) => activation);
          pushes += pushed.length;
          const others = pushed.filter((activation) => !told.includes(activation));
          // What was to be told next is not told to a NAS that has just not answered, for 15 s.
          const next = before?.transition?.remaining.flat() ?? [];
          expect(others.filter((activation) => !next.includes(activation))).toEqual([]);
          for (const activation of others) {
            expect(later.get(activation)?.attempts).toBe(retriesOf(before).get(activation)?.attempts);
            expect(later.get(activation)?.atMs).toBeLessThanOrEqual(nowMs + 15 * SECOND_MS);
          }
        });
      }),
      { numRuns: 300 },
    );
    expect(pushes).toBeGreaterThan(0);
  });

  it('a session that is idle and has something to tell is due for it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), order, (steps, orderOf) => {
        changes(steps, orderOf, (_, after) => {
          if (after === undefined || after.transition !== undefined) return;
          const pending = Object.values(after.services).filter(({ state }) =>
            ['deactivating', 'restoring'].includes(state),
          );
          if (pending.length > 0) expect(dueAtMs(after)).toBeGreaterThan(0);
          // What would be refused beside one that still has to go waits for that one.
          const waits = pending.filter(({ retry }) => retry === undefined);
          expect(waits.filter(({ state }) => state !== 'restoring')).toEqual([]);
          expect(waits.length).toBeLessThan(Math.max(1, pending.length));
        });
      }),
      { numRuns: 300 },
    );
  });
});
