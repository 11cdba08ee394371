import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountingRecords } from '../../../core/service-accounting.ts';
import { nameOf } from '../../../core/services/activation.ts';
import {
  type Event,
  type EventName,
  type EventsOf,
  eventName,
  type State,
  stateOf,
} from '../../../core/subscriber/event.ts';
import { MAX_SERVICES } from '../../../core/subscriber/exclusion.ts';
import type { ServiceRequest, Session } from '../../../core/subscriber/session.ts';
import { dueAtMs, MAX_WAITING, transition } from '../../../core/subscriber/transition.ts';
import {
  accounted,
  accountedAs,
  ack,
  asked,
  brief,
  NOW,
  nak,
  nas,
  outcome,
  play,
  record,
  request,
  service,
  services,
  stored,
  timeout,
  unsent,
} from '../support.ts';

const COA = { nas: nas({ enforcement: 'coa' }) };
const MINUTE_MS = 60_000;

/** A session at rest with the given services active, at a NAS that is told or not. */
function having(activate: readonly string[], over: Partial<ServiceRequest> = {}): Session {
  const { session } = play([asked(request('before', { activate }))]);
  if (session === undefined) throw new Error('a request always makes a session');
  return { ...session, ...over };
}

describe('a switch at a NAS that is not told', () => {
  it('activates and removes in one write, and acknowledges', () => {
    const { session, last } = play(
      [asked(request('r1', { activate: ['gold'] }))],
      having(['bronze', 'voice']),
    );
    expect(services(session)).toEqual({ voice: 'active', gold: 'active' });
    expect(brief(last)).toEqual(['ack']);
    expect(session?.ended).toEqual({ bronze: { terminateCause: 10, correlationId: 'r1' } });
  });

  it('creates the session with its first request', () => {
    const { session, last } = play([asked(request('r1', { activate: ['gold'] }))]);
    expect(session).toMatchObject({
      version: 1,
      revision: 1,
      acctSessionId: 's1',
      services: { gold: { number: NOW, activatedAtMs: NOW } },
    });
    expect(brief(last)).toEqual(['ack']);
  });

  it.each<{
    rule: string;
    before: string[];
    ask: { activate?: string[]; deactivate?: string[] };
    after: string[];
  }>([
    {
      rule: 'other groups and none stay',
      before: ['video', 'voice', 'silver'],
      ask: { activate: ['gold'] },
      after: ['video', 'voice', 'gold'],
    },
    {
      rule: 'newcomers of one group stay together',
      before: ['bronze'],
      ask: { activate: ['gold', 'silver'] },
      after: ['gold', 'silver'],
    },
    {
      rule: 'all members go with the next request',
      before: ['gold', 'silver'],
      ask: { activate: ['bronze'] },
      after: ['bronze'],
    },
    {
      rule: 'several groups at once',
      before: ['gold', 'video'],
      ask: { activate: ['both'] },
      after: ['both'],
    },
    {
      rule: 'a service of several groups goes for any of them',
      before: ['both'],
      ask: { activate: ['video'] },
      after: ['video'],
    },
    {
      rule: 'other parameters are another service',
      before: ['gold(1)'],
      ask: { activate: ['gold(2)'] },
      after: ['gold(2)'],
    },
    {
      rule: 'without a group both instances stay',
      before: ['voice(1)'],
      ask: { activate: ['voice(2)'] },
      after: ['voice(1)', 'voice(2)'],
    },
    {
      rule: 'the old members go on re-activation',
      before: ['gold', 'silver'],
      ask: { activate: ['gold'] },
      after: ['gold'],
    },
    {
      rule: 'explicit deactivation',
      before: ['gold', 'voice'],
      ask: { deactivate: ['voice'] },
      after: ['gold'],
    },
    {
      rule: 'deactivation of what the group removes anyway',
      before: ['gold'],
      ask: { activate: ['silver'], deactivate: ['gold'] },
      after: ['silver'],
    },
    {
      rule: 'deactivation of what is not there',
      before: ['gold'],
      ask: { deactivate: ['voice'] },
      after: ['gold'],
    },
  ])('$rule', ({ before, ask, after }) => {
    const { session, last } = play([asked(request('r1', ask))], having(before));
    expect(Object.keys(session?.services ?? {}).sort()).toEqual([...after].sort());
    expect(brief(last)).toEqual(['ack']);
  });

  it('refreshes the thresholds of a service that is active already, and keeps the service session', () => {
    const before = having(['gold']);
    const later = NOW + MINUTE_MS;
    const again = request('r1', { activate: [service('gold', { timeoutSeconds: 60 })] });
    const { session } = play([asked(again)], before, later);
    expect(session?.services['gold']).toEqual({
      ...before.services['gold'],
      timeoutSeconds: 60,
      expiresAtMs: later + MINUTE_MS,
    });
  });

  it('keeps the mutex group that a service was activated with', () => {
    const moved = service('gold', { groups: [99] });
    const { session } = play(
      [asked(request('r1', { activate: ['silver'] })), asked(request('r2', { activate: [moved] }))],
      having(['gold']),
    );
    // gold had left with silver, so r2 activates it anew: in group 99, beside silver.
    expect(services(session)).toEqual({ silver: 'active', gold: 'active' });
    const { session: refreshed } = play(
      [asked(request('r3', { activate: [moved] })), asked(request('r4', { activate: ['bronze'] }))],
      having(['gold']),
    );
    expect(services(refreshed)).toEqual({ bronze: 'active' });
  });

  it('gives each service session its own number, also to the same service activated again', () => {
    const { session } = play(
      ['gold', 'silver', 'gold'].map((activation, index) =>
        asked(request(`r${index}`, { activate: [activation] })),
      ),
    );
    expect(session?.services['gold']?.number).toBe(NOW + 2);
  });
});

describe('a refusal', () => {
  const refusing = service('gold', { refusingGroups: [12] });
  it.each<{ why: string; ask: ServiceRequest; errorCause: number }>([
    {
      why: '501 while a member of a refusing group is active',
      ask: request('r1', { activate: [refusing] }),
      errorCause: 501,
    },
    {
      why: '503 for another User-Name',
      ask: request('r1', { activate: ['gold'], identity: { 'User-Name': 'x' } }),
      errorCause: 503,
    },
    {
      why: '506 above the number of services that an item holds',
      ask: request('r1', { activate: Array.from({ length: MAX_SERVICES }, (_, index) => `voice(${index})`) }),
      errorCause: 506,
    },
  ])('$why, and nothing changes', ({ ask, errorCause }) => {
    const before = having(['silver']);
    const { session, last } = play([asked(ask)], before);
    expect(brief(last)).toEqual([`nak ${errorCause}`]);
    expect(session).toEqual({
      ...before,
      ended: {},
      version: 2,
      revision: 2,
      answered: expect.any(Array),
      recentEvents: expect.any(Array),
    });
    expect(session?.answered.at(-1)?.reason).toMatch(/./);
  });

  it('does not stop a member of a refusing group from being refreshed', () => {
    expect(brief(play([asked(request('r1', { activate: [refusing] }))], having(['gold'])).last)).toEqual([
      'ack',
    ]);
  });
});

describe('a switch at a NAS that confirms', () => {
  const begun = () =>
    play([asked(request('r1', { ...COA, activate: ['gold'] }))], having(['silver', 'voice']));

  it('tells it to activate, and touches nothing before it has confirmed', () => {
    const { session, last } = begun();
    expect(brief(last)).toEqual(['activate gold']);
    expect(services(session)).toEqual({ silver: 'active', voice: 'active' });
  });

  it('makes the newcomer active and the victim deactivating in one write, and only then tells it to deactivate', () => {
    const { session, last } = play([(s) => outcome(s, 'ack')], begun().session);
    expect(services(session)).toEqual({ silver: 'deactivating', voice: 'active', gold: 'active' });
    expect(brief(last)).toEqual(['deactivate silver']);
  });

  it('acknowledges when the victim is gone', () => {
    const { session, last } = play([(s) => outcome(s, 'ack'), (s) => outcome(s, 'ack')], begun().session);
    expect(services(session)).toEqual({ voice: 'active', gold: 'active' });
    expect(session?.transition).toBeUndefined();
    expect(brief(last)).toEqual(['ack']);
  });

  it('acknowledges at once when there is no victim', () => {
    const { last } = play([asked(request('r1', { ...COA, activate: ['gold'] })), (s) => outcome(s, 'ack')]);
    expect(brief(last)).toEqual(['ack']);
  });

  it("passes the NAS's refusal on, and nothing has changed", () => {
    const { session, last } = play([(s) => outcome(s, 'nak', 506)], begun().session);
    expect(brief(last)).toEqual(['nak 506']);
    expect(services(session)).toEqual({ silver: 'active', voice: 'active' });
    expect(session?.transition).toBeUndefined();
  });

  it.each(['timeout', 'unreachable'] as const)(
    'answers 505 to silence (%s) and takes the newcomer back',
    (silence) => {
      const { session, last } = play([(s) => outcome(s, silence)], begun().session);
      expect(brief(last)).toEqual(['nak 505', 'deactivate gold']);
      expect(services(session)).toEqual({ silver: 'active', voice: 'active', gold: 'deactivating' });
      const undone = play([(s) => outcome(s, 'ack')], session);
      expect(services(undone.session)).toEqual({ silver: 'active', voice: 'active' });
      expect(brief(undone.last)).toEqual([]);
    },
  );

  it('gives what was active before the request its former terms again', () => {
    const { session, last } = play(
      [asked(request('r1', { ...COA, activate: ['silver'] })), (s) => outcome(s, 'timeout')],
      having(['silver']),
    );
    expect(brief(last)).toEqual(['nak 505', 'activate silver']);
    expect(services(session)).toEqual({ silver: 'restoring' });
    const again = play([(s) => outcome(s, 'ack')], session);
    expect(brief(again.last)).toEqual([]);
    expect(again.session?.services).toEqual(having(['silver']).services);
  });

  it('counts 503 for a deactivation as done', () => {
    const { session, last } = play(
      [(s) => outcome(s, 'ack'), (s) => outcome(s, 'nak', 503)],
      begun().session,
    );
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ voice: 'active', gold: 'active' });
  });

  it('asks for each by itself when the NAS says that one of several victims is not there', () => {
    const before = having(['silver', 'bronze', 'voice']);
    const two = play([asked(request('r0', { activate: ['silver', 'bronze'] }))], before).session;
    const told = play([asked(request('r1', { ...COA, activate: ['gold'] })), (s) => outcome(s, 'ack')], two);
    expect(brief(told.last)).toEqual(['deactivate silver bronze']);
    const { session, results } = play(
      [(s) => outcome(s, 'nak', 503), (s) => outcome(s, 'nak', 503), (s) => outcome(s, 'ack')],
      told.session,
    );
    expect(results.map(brief)).toEqual([['deactivate silver'], ['deactivate bronze'], ['ack']]);
    expect(services(session)).toEqual({ voice: 'active', gold: 'active' });
  });

  it.each([['nak', 506] as const, ['timeout', undefined] as const])(
    'acknowledges when the deactivation fails (%s), and tries it again with growing pauses until it is answered',
    (result, errorCause) => {
      let { session, last } = play(
        [(s) => outcome(s, 'ack'), (s) => outcome(s, result, errorCause)],
        begun().session,
      );
      expect(brief(last)).toEqual(['ack']);
      expect(services(session)).toMatchObject({ silver: 'deactivating', gold: 'active' });
      const pauses: number[] = [];
      let nowMs = NOW;
      for (let attempt = 1; attempt <= 8; attempt++) {
        const dueMs = session === undefined ? undefined : dueAtMs(session);
        if (dueMs === undefined) throw new Error('a failed deactivation has to become due again');
        pauses.push(dueMs - nowMs);
        nowMs = dueMs;
        ({ session, last } = play([{ kind: 'due', id: `due ${attempt}` }], session, nowMs));
        expect(brief(last)).toEqual(['deactivate silver']);
        ({ session, last } = play([(s) => outcome(s, result, errorCause)], session, nowMs));
        expect(brief(last)).toEqual([]);
      }
      // From the second pause on up to a fifth less, so that sessions that failed together are not told together.
      const fullMs = [15, 30, 60, 120, 240, 480, 900, 900].map((seconds) => seconds * 1000);
      expect(pauses[0]).toBe(fullMs[0]);
      pauses.forEach((pauseMs, index) => {
        expect(pauseMs).toBeLessThanOrEqual(fullMs[index] ?? 0);
        expect(pauseMs).toBeGreaterThanOrEqual(0.8 * (fullMs[index] ?? 0));
      });
      const dueMs = session === undefined ? undefined : dueAtMs(session);
      ({ session } = play([{ kind: 'due', id: 'due at last' }, (s) => outcome(s, 'ack')], session, dueMs));
      expect(services(session)).toEqual({ voice: 'active', gold: 'active' });
      expect(session && dueAtMs(session)).toBeUndefined();
    },
  );

  it('tells again what is stuck with the next command of the session', () => {
    const failed = play([(s) => outcome(s, 'ack'), (s) => outcome(s, 'nak', 506)], begun().session).session;
    expect(failed?.services['silver']?.retry).toMatchObject({ attempts: 1, atMs: NOW + 15_000 });
    const { session, results } = play(
      [
        asked(request('r2', { ...COA, activate: ['bronze'] })),
        (s) => outcome(s, 'ack'),
        (s) => outcome(s, 'ack'),
      ],
      failed,
      NOW + 5_000,
    );
    expect(results.map(brief)).toEqual([['activate bronze'], ['deactivate silver gold'], ['ack']]);
    expect(services(session)).toEqual({ voice: 'active', bronze: 'active' });
  });

  it('makes a service active again that was being deactivated, as the same service session', () => {
    const stuck = play([(s) => outcome(s, 'ack'), (s) => outcome(s, 'timeout')], begun().session).session;
    const { session, last } = play(
      [
        asked(request('r2', { ...COA, activate: ['silver'] })),
        (s) => outcome(s, 'ack'),
        (s) => outcome(s, 'ack'),
      ],
      stuck,
    );
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ silver: 'active', voice: 'active' });
    expect(session?.services['silver']).toEqual(stuck && { ...having(['silver']).services['silver'] });
    expect(session && dueAtMs(session)).toBeUndefined();
  });

  it('gives a command up when nobody reports its outcome by the deadline', () => {
    const { session } = begun();
    const deadlineMs = session && dueAtMs(session);
    expect(brief(play([{ kind: 'due', id: 'early' }], session, (deadlineMs ?? 0) - 1).last)).toEqual([]);
    expect(brief(play([{ kind: 'due', id: 'late' }], session, deadlineMs).last)).toEqual([
      'nak 505',
      'deactivate gold',
    ]);
  });

  it('ignores the outcome of a command that it no longer waits for', () => {
    const { session } = begun();
    const old = outcome(session, 'ack');
    const after = play([(s) => outcome(s, 'timeout')], session).session;
    const { session: unchanged, effects } = transition(after, { ...old, id: 'late' }, NOW);
    expect(unchanged).toBeUndefined();
    expect(effects).toEqual([]);
  });
});

describe('the Error-Cause of a NAS', () => {
  it.each([
    [503, 503],
    [undefined, undefined],
    [0, 505],
    [7, 505],
    [199, 505],
    [200, 505],
    [409, 505],
    [551, 505],
    [0xffff_ffff, 505],
  ])('%s is passed on as %s, and the reason has a number that no client knows', (given, passedOn) => {
    const { session, last } = play([
      asked(request('r1', { ...COA, activate: ['gold'] })),
      (s) => outcome(s, 'nak', given),
    ]);
    expect(brief(last)).toEqual([passedOn === undefined ? 'nak' : `nak ${passedOn}`]);
    const { reason = '' } = session?.answered.at(-1) ?? {};
    expect(reason.includes(`Error-Cause ${given}`)).toBe(given !== passedOn);
  });
});

describe('requests that arrive during a transition', () => {
  const busy = () => play([asked(request('r0', { ...COA, activate: ['gold'] }))]).session;

  it('wait in order and are carried out one after the other', () => {
    const { session } = play(
      [
        asked(request('r1', { ...COA, activate: ['silver'] })),
        asked(request('r2', { ...COA, activate: ['bronze'] })),
      ],
      busy(),
    );
    expect(session?.waiting.map(({ correlationId }) => correlationId)).toEqual(['r1', 'r2']);
    const acks = Array.from({ length: 5 }, () => (s: Session | undefined) => outcome(s, 'ack'));
    const { session: end, results } = play(acks, session);
    expect(results.map(brief)).toEqual([
      ['ack', 'activate silver'],
      ['deactivate gold'],
      ['ack', 'activate bronze'],
      ['deactivate silver'],
      ['ack'],
    ]);
    expect(services(end)).toEqual({ bronze: 'active' });
  });

  it(`are refused with 506 when ${MAX_WAITING} wait already`, () => {
    const many = Array.from({ length: MAX_WAITING + 1 }, (_, index) =>
      asked(request(`w${index}`, { ...COA, activate: ['silver'] })),
    );
    const { session, last } = play(many, busy());
    expect(brief(last)).toEqual(['nak 506']);
    expect(session?.waiting).toHaveLength(MAX_WAITING);
  });

  it('are dropped when they are repeats of what is under way or waits', () => {
    const waiting = play([asked(request('r1', { ...COA, activate: ['silver'] }))], busy()).session;
    for (const key of ['r0', 'r1']) {
      const { session, effects } = transition(waiting, asked(request('again', { ...COA, key })), NOW);
      expect([session, effects]).toEqual([undefined, []]);
    }
  });
});

describe('a Service-Timeout', () => {
  const limited = request('r1', { activate: [service('gold', { timeoutSeconds: 60 }), 'voice'] });
  it('ends just that service, with cause 5', () => {
    const { session } = play([asked(limited)]);
    expect(session && dueAtMs(session)).toBe(NOW + MINUTE_MS);
    const { session: after } = play([{ kind: 'due', id: 'd1' }], session, NOW + MINUTE_MS);
    expect(services(after)).toEqual({ voice: 'active' });
    expect(after?.ended).toEqual({ gold: { terminateCause: 5, correlationId: 'd1' } });
  });
  it('goes through the NAS where it confirms', () => {
    const { session } = play([asked({ ...limited, ...COA }), (s) => outcome(s, 'ack')]);
    const told = play([{ kind: 'due', id: 'd1' }], session, NOW + MINUTE_MS);
    expect(brief(told.last)).toEqual(['deactivate gold']);
    const { session: after } = play([(s) => outcome(s, 'ack')], told.session, NOW + MINUTE_MS);
    expect(after?.ended).toEqual({ gold: { terminateCause: 5, correlationId: 'd1' } });
  });
  it('ends what the NAS may have, too, where it does not know when', () => {
    const cisco = { nas: nas({ enforcement: 'coa', dialect: 'cisco', options: {} }) };
    const named = asked(request('r2', { ...cisco, deactivate: ['gold'] }));
    const gold = service('gold', { timeoutSeconds: 60 });
    const inDoubt = play([
      asked(request('r1', { ...cisco, activate: [gold] })),
      ack,
      named,
      timeout,
      nak(404),
    ]);
    expect(services(inDoubt.session)).toEqual({ gold: 'unconfirmed' });
    expect(inDoubt.session && dueAtMs(inDoubt.session)).toBe(NOW + MINUTE_MS);
    const told = play([{ kind: 'due', id: 'd1' }, ack], inDoubt.session, NOW + MINUTE_MS);
    expect(told.results.map(brief)).toEqual([['deactivate gold'], []]);
    expect(accounted(inDoubt.session, told)).toEqual(['Stop gold 5']);
  });
  it('is not looked at before its time', () => {
    const { session } = play([asked(limited)]);
    expect(transition(session, { kind: 'due', id: 'd1' }, NOW + MINUTE_MS - 1)).toEqual({ effects: [] });
  });
});

describe('the same thing twice', () => {
  it('gives the stored answer and changes nothing, while nothing has changed since', () => {
    const first = request('r1', { activate: ['gold'] });
    const { session } = play([asked(first)]);
    const again = transition(session, asked({ ...first, correlationId: 'forwarded again' }), NOW);
    expect(again.session).toBeUndefined();
    expect(brief(again)).toEqual(['ack']);
  });

  it('evaluates identical bytes anew once something has changed: A, B, A ends at A', () => {
    const a = request('a', { activate: ['gold'] });
    const b = request('b', { activate: ['silver'] });
    const { session } = play([asked(a), asked(b), asked({ ...a, correlationId: 'a again' })]);
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it.each([300, 345, 3600])(
    'holds the stored answer of a request with Event-Timestamp that the relay lets through after %i s',
    (seconds) => {
      const a = request('a', { activate: ['gold'], timestamped: true });
      const { session } = play([asked(a), asked(request('b', { activate: ['silver'] }))]);
      const queuedAtMs = NOW + seconds * 1000;
      const { session: after, last } = play([asked({ ...a, correlationId: 'a again', queuedAtMs })], session);
      expect(services(after)).toEqual({ silver: 'active' });
      expect(brief(last)).toEqual(['ack']);
    },
  );

  it('holds the stored answer of a repeat that the queue delivers again behind what came after it', () => {
    const a = request('a', { activate: ['gold'] });
    const again = asked({ ...a, correlationId: 'a again', sequence: '9' });
    const b = request('b', { ...COA, activate: ['silver'], sequence: '10' });
    const underWay = play([asked(a), again, asked(b), again]);
    expect(underWay.session?.waiting).toEqual([]);
    expect(brief(underWay.last)).toEqual(['ack']);
    const acks = Array.from({ length: 2 }, () => (s: Session | undefined) => outcome(s, 'ack'));
    const done = play([...acks, again], underWay.session);
    expect(services(done.session)).toEqual({ silver: 'active' });
    expect(brief(done.last)).toEqual(['ack']);
  });

  it('evaluates identical bytes anew when something else is under way: A, B, A ends at A', () => {
    const a = request('a', { ...COA, activate: ['gold'] });
    const b = request('b', { ...COA, activate: ['silver'], sequence: '9' });
    const again = asked({ ...a, correlationId: 'a again', sequence: '10' });
    const ack = (s: Session | undefined) => outcome(s, 'ack');
    // The write that answers A begins B.
    const { session, last } = play([asked(a), asked(b), ack, again]);
    expect(last.effects).toEqual([]);
    const { session: end, results } = play([ack, ack, ack, ack], session);
    expect(results.map(brief)).toEqual([
      ['deactivate gold'],
      ['ack', 'activate gold'],
      ['deactivate silver'],
      ['ack'],
    ]);
    expect(services(end)).toEqual({ gold: 'active' });
  });

  it('repeats the effects of what time did, however many requests came in between', () => {
    const due = { kind: 'due', id: 'd1' } as const;
    const begun = play([asked(request('r1', { ...COA, activate: ['gold'] }))], having(['silver'])).session;
    const deadlineMs = begun?.transition?.deadlineMs ?? 0;
    const given = play([due], begun, deadlineMs);
    expect(brief(given.last)).toEqual(['nak 505', 'deactivate gold']);
    const more = Array.from({ length: MAX_WAITING + 2 }, (_, index) =>
      asked(request(`w${index}`, { ...COA, activate: ['silver'] })),
    );
    const { session } = play(more, given.session, deadlineMs);
    expect(transition(session, due, deadlineMs)).toEqual({ effects: given.last.effects });
  });

  it('repeats the effects of an event that is delivered again, and changes nothing', () => {
    const event = asked(request('r1', { ...COA, activate: ['gold'] }));
    const { session, last } = play([event], having(['silver']));
    expect(transition(session, event, NOW)).toEqual({ effects: last.effects });
    const ack = outcome(session, 'ack');
    const confirmed = play([ack], session);
    expect(transition(confirmed.session, ack, NOW)).toEqual({ effects: confirmed.last.effects });
  });

  it('recognises a whole batch that is delivered again', () => {
    const batch = ['gold', 'silver', 'gold', 'bronze'].map((activation, index) =>
      asked(request(`r${index}`, { activate: [activation], key: activation })),
    );
    const once = play(batch);
    const twice = play(batch, once.session);
    expect(twice.session).toEqual(once.session);
    expect(twice.results.map(brief)).toEqual(once.results.map(brief));
  });
});

describe('every cell of the table', () => {
  const absent = undefined;
  const idle = having(['silver']);
  const activating = play([asked(request('r1', { ...COA, activate: ['gold'] }))], idle).session;
  const excluding = play([(s) => outcome(s, 'ack')], activating).session;
  const deactivating = play([asked(request('r1', { ...COA, deactivate: ['silver'] }))], idle).session;
  const waits = asked(request('r2', { ...COA, activate: ['voice'] }));
  const restoring = play([waits, (s) => outcome(s, 'timeout')], deactivating).session;
  const disconnecting = play([asked(request('r1', { ...COA, isDisconnect: true }))], idle).session;
  const closed = play([record('stop', 10)], idle).session;
  const stamped = request('r0', { ...COA, activate: ['gold'], eventAtSeconds: NOW / 1000 });
  const forgotten = play([asked(stamped), (s) => outcome(s, 'nak', 503)]).session;
  const states = {
    absent,
    forgotten,
    closed,
    idle,
    activating,
    deactivating,
    excluding,
    restoring,
    disconnecting,
  };
  const events = (session: Session | undefined): Readonly<Record<EventName, Event>> => ({
    request: asked(request('new', { ...COA, activate: ['bronze'] })),
    answered: asked(
      request('answered again', { key: session?.answered.at(-1)?.key ?? '', timestamped: true }),
    ),
    repeated: asked(request('repeated', { key: session === restoring ? 'r2' : 'r1' })),
    ack: outcome(session, 'ack'),
    nak: outcome(session, 'nak', 504),
    timeout: outcome(session, 'timeout'),
    interrupted: outcome(session, 'interrupted'),
    unsent: unsent('nas-overloaded', 506)(session),
    stray: { kind: 'outcome', id: 'of long ago/outcome', commandId: 'of long ago', result: 'ack' },
    due: { kind: 'due', id: 'd1' },
    redelivered: { ...outcome(session, 'ack'), id: session?.recentEvents.at(-1)?.id ?? '' },
    opened: record('start', 20),
    refreshed: record('start', 20),
    replaced: record('start', 20, { identity: { 'User-Name': 'client2@isp1.com' } }),
    ended: record('stop', 20),
    witnessed: record('start', 20, { service: accountedAs('video') }),
    stale: record('stale', 20),
    late: { kind: 'nas-restart', id: 'on of long ago', eventAtMs: 0, terminateCause: 11 },
    resync: { kind: 'resync', id: 'told', to: 'table' },
  });
  // The effects of each event in each state, "stored" where only the session changes, "-" where nothing does.
  const expected: { readonly [S in State]: Readonly<Record<EventsOf[S], string>> } = {
    absent: {
      request: 'activate bronze',
      stray: '-',
      due: '-',
      opened: 'stored',
      ended: 'stored',
      witnessed: 'stored',
      late: '-',
      resync: '-',
    },
    forgotten: {
      request: 'activate bronze',
      answered: 'nak 503',
      stray: '-',
      due: '-',
      opened: 'stored',
      ended: 'stored',
      witnessed: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'nak 503',
    },
    closed: {
      request: 'nak 503',
      answered: 'ack',
      stray: '-',
      due: '-',
      opened: 'stored',
      ended: 'stored',
      witnessed: 'stored',
      late: '-',
      resync: '-',
      redelivered: '-',
    },
    idle: {
      request: 'activate bronze',
      answered: 'ack',
      stray: '-',
      due: '-',
      refreshed: 'stored',
      replaced: 'stored',
      ended: 'stored',
      witnessed: 'stored',
      stale: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'ack',
    },
    activating: {
      request: 'stored',
      answered: 'ack',
      repeated: '-',
      ack: 'deactivate silver',
      nak: 'nak 504',
      timeout: 'nak 505, deactivate gold',
      interrupted: 'activate gold',
      unsent: 'nak 506',
      stray: '-',
      due: '-',
      refreshed: 'stored',
      replaced: 'nak 503',
      ended: 'nak 503',
      witnessed: 'stored',
      stale: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'activate gold',
    },
    deactivating: {
      request: 'stored',
      answered: 'ack',
      repeated: '-',
      ack: 'ack',
      nak: 'nak 504',
      timeout: 'nak 505, activate silver',
      interrupted: 'deactivate silver',
      unsent: 'nak 506',
      stray: '-',
      due: '-',
      refreshed: 'stored',
      replaced: 'nak 503',
      ended: 'nak 503',
      witnessed: 'stored',
      stale: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'deactivate silver',
    },
    excluding: {
      request: 'stored',
      answered: 'ack',
      repeated: '-',
      ack: 'ack',
      nak: 'ack',
      timeout: 'ack',
      interrupted: 'deactivate silver',
      unsent: 'ack',
      stray: '-',
      due: '-',
      refreshed: 'stored',
      replaced: 'nak 503',
      ended: 'nak 503',
      witnessed: 'stored',
      stale: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'deactivate silver',
    },
    // The request that waits has its turn once the NAS has answered, or has not.
    restoring: {
      request: 'stored',
      answered: 'nak 505',
      repeated: '-',
      ack: 'activate voice',
      nak: 'activate voice',
      timeout: 'activate voice',
      interrupted: 'activate silver',
      unsent: 'activate voice',
      stray: '-',
      due: '-',
      refreshed: 'stored',
      replaced: 'nak 503',
      ended: 'nak 503',
      witnessed: 'stored',
      stale: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'nak 505, activate silver',
    },
    disconnecting: {
      request: 'stored',
      answered: 'ack',
      repeated: '-',
      ack: 'ack',
      nak: 'nak 504',
      timeout: 'nak 505',
      interrupted: 'disconnect',
      unsent: 'nak 506',
      stray: '-',
      due: '-',
      refreshed: 'stored',
      replaced: 'nak 503',
      ended: 'ack',
      witnessed: 'stored',
      stale: 'stored',
      late: '-',
      resync: '-',
      redelivered: 'disconnect',
    },
  };
  const cells = Object.entries(expected).flatMap(([state, row]) =>
    Object.entries(row).map(([event, effects]) => [state as State, event as EventName, effects] as const),
  );

  it.each(cells)('%s × %s: %s', (state, name, effects) => {
    // Only one that records have opened can be stale.
    const session = name === 'stale' ? play([record('start', 10)], states[state]).session : states[state];
    const event = events(session)[name];
    expect([stateOf(session), eventName(session, event, NOW)]).toEqual([state, name]);
    const result = transition(session, event, NOW);
    expect(brief(result).join(', ') || (result.session === undefined ? '-' : 'stored')).toBe(effects);
  });

  it('has no cell for an event that cannot occur in its state', () => {
    for (const [state, session] of Object.entries(states)) {
      const names = cells.filter(([of]) => of === state).map(([, name]) => name);
      const met = Object.values(events(session)).map((event) => eventName(session, event, NOW));
      expect(names).toEqual(expect.arrayContaining(met));
    }
  });
});

describe('laws, over random requests at a NAS that is not told', () => {
  const activation = fc.constantFrom<string[]>(
    'gold',
    'gold(1)',
    'silver',
    'bronze',
    'video',
    'both',
    'voice',
    'voice(1)',
  );
  const wish = fc.record({
    activate: fc.uniqueArray(activation, { maxLength: 3 }),
    deactivate: fc.uniqueArray(activation, { maxLength: 2 }),
  });
  const history = fc.array(wish, { minLength: 1, maxLength: 12 });
  const members = (session: Session | undefined, group: number) =>
    Object.values(session?.services ?? {})
      .filter(({ groups }) => groups.includes(group))
      .map((one) => one.activation);

  it('a group that had a member has one after every activation; other groups and services without one are untouched', () => {
    fc.assert(
      fc.property(history, (wishes) => {
        let session: Session | undefined;
        wishes.forEach(({ activate, deactivate }, index) => {
          const clean = deactivate.filter((one) => !activate.includes(one));
          const before = session;
          const { session: after, last } = play(
            [asked(request(`r${index}`, { activate, deactivate: clean }))],
            session,
          );
          session = after;
          // Such as a bare name that only the service to be activated has.
          if (brief(last)[0] !== 'ack') {
            expect(services(session)).toEqual(services(before));
            return;
          }
          const touched = new Set(activate.flatMap((one) => service(one).groups));
          // A bare name means all services of that name, except those that the request activates.
          const explicitly = (one: string) =>
            clean.includes(one) || (clean.includes(nameOf(one)) && !activate.includes(one));
          for (const group of [7, 12]) {
            if (touched.has(group)) expect(members(session, group)).not.toEqual([]);
            else
              expect(members(session, group)).toEqual(
                members(before, group).filter(
                  (one) =>
                    !explicitly(one) &&
                    (before?.services[one]?.groups ?? []).every((other) => !touched.has(other)),
                ),
              );
          }
          for (const { activation, groups } of Object.values(before?.services ?? {})) {
            if (groups.length === 0 && !explicitly(activation))
              expect(services(session)).toHaveProperty([activation], 'active');
          }
        });
      }),
    );
  });

  it('every request delivered twice gives the same answer and one effect', () => {
    fc.assert(
      fc.property(history, (wishes) => {
        let session: Session | undefined;
        const records: string[] = [];
        wishes.forEach(({ activate }, index) => {
          const event = asked(request(`r${index}`, { activate }));
          const once = play([event], session);
          const twice = play([event], once.session);
          expect(twice.session).toEqual(once.session);
          expect(brief(twice.last)).toEqual(brief(once.last));
          records.push(...accountingRecords(session, once.session).map(({ id }) => id));
          session = once.session;
        });
        expect(new Set(records).size).toBe(records.length);
      }),
    );
  });
});

it('gives a new session the version of its first answer, and leaves the revision to the writer', () => {
  const { session } = transition(undefined, asked(request('r1', { activate: ['gold'] })), NOW);
  expect(session?.version).toBe(1);
  expect(session?.revision).toBe(0);
  expect(session && stored(session).answered.at(-1)?.version).toBe(1);
});
