// The NAS has the last word: what the table does not know is the NAS's to answer, an answer says what was done, and what
// cannot be found out is unconfirmed.
import { describe, expect, it } from 'vitest';
import { historyItem } from '../../../core/subscriber/history.ts';
import type { RequestedDeactivation, Session } from '../../../core/subscriber/session.ts';
import { dueAtMs, transition } from '../../../core/subscriber/transition.ts';
import {
  accounted,
  ack,
  asked,
  brief,
  COA,
  deactivation,
  having,
  NOW,
  nak,
  nas,
  play,
  request,
  service,
  services,
  timeout,
  told,
} from '../support.ts';

/** A service that only the NAS knows. */
const unknown = (spelling: string): RequestedDeactivation =>
  deactivation(spelling.replaceAll(' ', ''), { spelling, isDefined: false });
const HTTP = unknown('http(192.168.25.2, 80)');

const change = (
  id: string,
  activate: readonly string[],
  deactivate: readonly (string | RequestedDeactivation)[] = [],
) => asked(request(id, { ...COA, activate, deactivate }));
const reasonOf = (session: Session | undefined) => session?.answered.at(-1)?.reason;

describe('a service that the table does not know', () => {
  it('is deactivated at the NAS, in the spelling of the client, beside an activation', () => {
    const { session, results } = play([change('r1', ['gold'], [HTTP]), ack, ack]);
    expect(results.map(brief)).toEqual([['activate gold'], ['deactivate http(192.168.25.2,80)'], ['ack']]);
    expect(results[1] && told(results[1]).at(-1)).toBe('ERX-Service-Deactivate = "http(192.168.25.2, 80)"');
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it('is in the history once the NAS has confirmed that it is gone, and is not accounted', () => {
    const begun = play([change('r1', ['gold'], [HTTP]), ack]);
    const done = play([ack], begun.session);
    expect(historyItem(begun.session, done.session, NOW)).toMatchObject({
      activated: ['gold'],
      deactivated: ['http(192.168.25.2,80)'],
    });
    expect(accounted(begun.session, done)).toEqual(['Start gold']);
  });

  it.each([
    { what: 'an ACK', answered: ack, reply: 'ack' },
    { what: 'a NAK with its cause', answered: nak(506), reply: 'nak 506' },
    { what: 'that it is not there', answered: nak(503), reply: 'nak 503' },
    { what: 'a NAK without a cause', answered: nak(), reply: 'nak' },
  ])("is the NAS's to answer where it is all that is asked: $what", ({ answered, reply }) => {
    const { session, results, last } = play([change('r1', [], [HTTP]), answered]);
    expect(results.map(brief)).toEqual([['deactivate http(192.168.25.2,80)'], [reply]]);
    expect(services(session)).toEqual({});
    expect(last.isOver).toBe(reply === 'ack' ? undefined : true);
  });

  it('is unconfirmed when the NAS does not answer, and the client gets 505', () => {
    const { session, last } = play([change('r1', [], [HTTP]), timeout]);
    expect(brief(last)).toEqual(['nak 505']);
    expect(services(session)).toEqual({ 'http(192.168.25.2,80)': 'unconfirmed' });
  });

  it.each(['GOLD', 'gold(2)', 'golden'])(
    'is passed on when it is spelled like another one: %s',
    (spelling) => {
      const before = having(['gold(1)', 'gold']);
      const { session, results } = play([change('r1', [], [unknown(spelling)]), nak(503)], before);
      expect(results.map(brief)).toEqual([[`deactivate ${spelling}`], ['nak 503']]);
      expect(services(session)).toEqual(services(before));
    },
  );

  it('does not undo what it came with when the NAS does not have it either: all is refused', () => {
    const { session, results } = play(
      [change('r1', ['gold'], [HTTP]), ack, nak(503), ack],
      having(['silver']),
    );
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['deactivate http(192.168.25.2,80)'],
      ['nak 503', 'deactivate gold'],
      [],
    ]);
    expect(services(session)).toEqual({ silver: 'active' });
    expect(reasonOf(session)).toContain('http(192.168.25.2,80)');
  });
});

describe('a known service', () => {
  it('is deactivated in the spelling that activated it, whatever the blanks of the client', () => {
    const asking = change('r1', [], [deactivation('tiered(1,2)', { spelling: 'tiered( 1, 2 )' })]);
    const { last } = play([asking], having(['tiered(1,2)']));
    expect(told(last).at(-1)).toBe('ERX-Service-Deactivate = "tiered(1,2)"');
  });

  it('is activated in the spelling in which the NAS may have it, and so once only', () => {
    const named = unknown('tiered(1, 2)');
    const again = change('r2', ['tiered(1,2)']);
    const { session, last } = play([change('r1', [], [named]), timeout, again]);
    expect(told(last)).toContain('ERX-Service-Activate:1 = "tiered(1, 2)"');
    const ended = play([ack, change('r3', [], ['tiered(1,2)'])], session);
    expect(told(ended.last).at(-1)).toBe('ERX-Service-Deactivate = "tiered(1, 2)"');
  });

  it('that the NAS has ended by itself is gone: 503 to its deactivation is as good as an ACK', () => {
    const { session, last } = play([change('r1', [], ['gold']), nak(503)], having(['gold', 'voice']));
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ voice: 'active' });
  });
});

describe('a bare name', () => {
  const INET = deactivation('inet');

  it('ends all known services of that name, and is passed on itself', () => {
    const { session, results } = play(
      [change('r1', [], [INET]), ack],
      having(['inet(1,2)', 'inet(3,4)', 'voice']),
    );
    expect(results.map(brief)).toEqual([['deactivate inet(1,2) inet(3,4) inet'], ['ack']]);
    expect(services(session)).toEqual({ voice: 'active' });
  });

  it('may be unknown to the NAS where a known service has it', () => {
    const { session, results } = play(
      [change('r1', [], [INET]), nak(503), ack, nak(503)],
      having(['inet(1,2)']),
    );
    expect(results.map(brief)).toEqual([
      ['deactivate inet(1,2) inet'],
      ['deactivate inet(1,2)'],
      ['deactivate inet'],
      ['ack'],
    ]);
    expect(services(session)).toEqual({});
  });

  it("is the NAS's to answer where no known service has it", () => {
    const { results } = play([change('r1', [], [INET]), nak(503)], having(['voice']));
    expect(results.map(brief)).toEqual([['deactivate inet'], ['nak 503']]);
  });

  it('means the other known ones where the request activates a service of that name', () => {
    const { session, results } = play([change('r1', ['inet(3,4)'], [INET]), ack, ack], having(['inet(1,2)']));
    expect(results.map(brief)).toEqual([['activate inet(3,4)'], ['deactivate inet(1,2)'], ['ack']]);
    expect(services(session)).toEqual({ 'inet(3,4)': 'active' });
  });

  it('is refused with 404 where the request activates a service of that name and no other is known', () => {
    const { last } = play([change('r1', ['inet(3,4)'], [INET])], having(['inet(3,4)', 'voice']));
    expect(brief(last)).toEqual(['nak 404']);
  });
});

describe('where no NAS is told', () => {
  const alone = (deactivate: readonly (string | RequestedDeactivation)[], start?: Session) =>
    brief(play([asked(request('r1', { deactivate }))], start).last);

  it('404 refuses the deactivation of a service that the catalogue does not define', () => {
    expect(alone([HTTP], having(['gold']))).toEqual(['nak 404']);
  });
  it('503 refuses a deactivation in a session that is not known, and no session is left', () => {
    const { session, last } = play([asked(request('r1', { deactivate: ['gold'] }))]);
    expect(brief(last)).toEqual(['nak 503']);
    expect(session).toBeUndefined();
  });
  it('a known service that is not active is deactivated already', () => {
    expect(alone(['silver'], having(['gold']))).toEqual(['ack']);
  });
});

describe('a deactivation by name', () => {
  it('that the NAS refuses refuses all: what was activated goes, and what the group excludes stays', () => {
    const { session, results } = play(
      [change('r1', ['gold'], ['voice']), ack, nak(506, 'busy'), ack],
      having(['silver', 'voice']),
    );
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['deactivate voice'],
      ['nak 506', 'deactivate gold'],
      [],
    ]);
    expect(reasonOf(session)).toBe('the NAS refused to deactivate voice: busy');
    expect(services(session)).toEqual({ silver: 'active', voice: 'active' });
  });

  it('that follows one refused is activated again, where the NAS takes one at a time', () => {
    const cisco = { nas: nas({ enforcement: 'coa', dialect: 'cisco' }) };
    const start = having(['voice', 'radio']);
    const asking = asked(request('r1', { ...cisco, deactivate: ['voice', 'radio'] }));
    const played = play([asking, ack, nak(506), ack], start);
    expect(played.results.map(brief)).toEqual([
      ['deactivate voice'],
      ['deactivate radio'],
      ['nak 506', 'activate voice'],
      [],
    ]);
    expect(services(played.session)).toEqual({ voice: 'active', radio: 'active' });
    expect(accounted(start, played)).toEqual([]);
  });

  it('that is unanswered gets 505 and is activated again, before what came is undone; it is not accounted', () => {
    const start = having(['silver', 'voice']);
    const played = play([change('r1', ['gold'], ['voice']), ack, timeout, ack, ack], start);
    expect(played.results.map(brief)).toEqual([
      ['activate gold'],
      ['deactivate voice'],
      ['nak 505', 'activate voice'],
      ['deactivate gold'],
      [],
    ]);
    expect(played.session?.services).toEqual(start.services);
    expect(accounted(start, played)).toEqual([]);
  });

  it('that is activated again keeps what is left of its Service-Timeout', () => {
    const start = having([service('gold', { timeoutSeconds: 3600 })]);
    const { session, last } = play([change('r1', [], ['gold']), timeout], start, NOW + 600_000);
    expect(told(last)).toContain('ERX-Service-Timeout:1 = 3000');
    const again = play([ack], session, NOW + 600_000);
    expect(again.session?.services['gold']?.expiresAtMs).toBe(NOW + 3_600_000);
  });

  it('that a NAS does not activate again is unconfirmed, and so is what came: nothing is taken away after that', () => {
    const { session, results } = play(
      [change('r1', ['gold'], ['voice']), ack, timeout, nak(506)],
      having(['silver', 'voice']),
    );
    expect(results.map(brief).slice(2)).toEqual([['nak 505', 'activate voice'], []]);
    expect(services(session)).toEqual({ silver: 'active', voice: 'unconfirmed', gold: 'unconfirmed' });
    expect(session?.transition).toBeUndefined();
  });
});

describe('an undo', () => {
  it('leaves the last member of a group: a log-in service that is applied again survives a lost packet', () => {
    const { session, results } = play([change('r1', ['gold']), timeout]);
    expect(results.map(brief)).toEqual([['activate gold'], ['nak 505']]);
    expect(services(session)).toEqual({ gold: 'unconfirmed' });
  });

  it('goes through where each group keeps a member that the NAS has confirmed', () => {
    const { last } = play([change('r1', ['both']), timeout], having(['gold', 'video']));
    expect(brief(last)).toEqual(['nak 505', 'deactivate both']);
    const one = play([change('r1', ['both']), timeout], having(['gold']));
    expect(brief(one.last)).toEqual(['nak 505']);
    expect(services(one.session)).toEqual({ gold: 'active', both: 'unconfirmed' });
  });

  it('takes away what is in no group', () => {
    expect(brief(play([change('r1', ['voice']), timeout]).last)).toEqual(['nak 505', 'deactivate voice']);
  });

  it('is not done to a service session that was there before: it gets its former terms', () => {
    const accounting = { nas: nas({ enforcement: 'coa', serviceAccounting: 'nas' }) };
    const first = asked(
      request('r0', { ...accounting, activate: [service('gold', { volumeMegabytes: 100 })] }),
    );
    const start = play([first, ack]).session;
    const raised = service('gold', { volumeMegabytes: 900, statistics: 'time+volume' });
    const asking = asked(request('r1', { ...accounting, activate: [raised] }));
    const played = play([asking, timeout, ack], start);
    expect(played.results.map(brief)).toEqual([['activate gold'], ['nak 505', 'activate gold'], []]);
    const lines = played.results[1] && told(played.results[1]);
    expect(lines).toEqual(
      expect.arrayContaining(['ERX-Service-Statistics:1 = 1', 'ERX-Service-Volume:1 = 100']),
    );
    expect(played.session?.services).toEqual(start?.services);
    expect(accounted(start, played)).toEqual([]);
  });
});

describe('what is unconfirmed', () => {
  const doubtful = play([change('r1', ['gold']), timeout]).session;

  it('goes with the next activation in its group', () => {
    const { session, results } = play([change('r2', ['silver']), ack, ack], doubtful);
    expect(results.map(brief)).toEqual([['activate silver'], ['deactivate gold'], ['ack']]);
    expect(services(session)).toEqual({ silver: 'active' });
  });
  it('is activated by a request that names it, and accounted from then on', () => {
    const played = play([change('r2', ['gold']), ack], doubtful);
    expect(brief(played.last)).toEqual(['ack']);
    expect(services(played.session)).toEqual({ gold: 'active' });
    expect(accounted(doubtful, played)).toEqual(['Start gold']);
  });
  it('is gone after a deactivation that names it, whether the NAS had it or not', () => {
    const confirmed = play([change('r1', ['gold']), timeout], having(['voice'])).session;
    for (const answered of [ack, nak(503)]) {
      const { session, last } = play([change('r2', [], ['gold']), answered], confirmed);
      expect(brief(last)).toEqual(['ack']);
      expect(services(session)).toEqual({ voice: 'active' });
    }
  });
  it('stays so when 503 may mean another subscriber, because the NAS has confirmed nothing yet', () => {
    const { session, last } = play([change('r2', [], ['gold']), nak(503)], doubtful);
    expect(brief(last)).toEqual(['nak 503']);
    expect(services(session)).toEqual({ gold: 'unconfirmed' });
  });
  it('was never accounted', () => {
    expect(accounted(undefined, play([change('r1', ['gold']), timeout]))).toEqual([]);
  });
});

describe('503, Session-Context-Not-Found', () => {
  const confirmed = play([change('r0', ['gold', 'voice']), ack]).session;

  it('to an activation ends a session that the NAS had confirmed, with one Stop for each service', () => {
    const played = play([change('r1', ['silver']), nak(503)], confirmed);
    expect(brief(played.last)).toEqual(['nak 503']);
    expect(services(played.session)).toEqual({});
    expect(accounted(confirmed, played)).toEqual(['Stop gold 9', 'Stop voice 9']);
    expect(accounted(played.session, play([change('r2', ['silver']), nak(503)], played.session))).toEqual([]);
  });

  it('to an activation that names the subscriber by what the NAS never confirmed ends nothing', () => {
    const nameless = play([asked(request('r0', { ...COA, identity: {}, activate: ['gold'] })), ack]).session;
    const { session, last } = play([change('r1', ['silver']), nak(503)], nameless);
    expect(brief(last)).toEqual(['nak 503']);
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it.each([
    { what: 'a deactivation by name', deactivate: ['gold'], activate: [], answers: [nak(503)] },
    {
      what: 'the deactivation of what a group excludes',
      deactivate: [],
      activate: ['silver'],
      answers: [ack, nak(503)],
    },
  ])(
    'to $what says that the service is not there, and the session goes on',
    ({ activate, deactivate, answers }) => {
      const played = play([change('r1', activate, deactivate), ...answers], confirmed);
      expect(brief(played.last)).toEqual(['ack']);
      expect(services(played.session)).toEqual({
        ...(activate[0] && { [activate[0]]: 'active' }),
        voice: 'active',
      });
    },
  );

  it('lets a session that has ended begin again, with new numbers', () => {
    const { session } = play([change('r1', ['silver']), nak(503), change('r2', ['silver']), ack], confirmed);
    expect(services(session)).toEqual({ silver: 'active' });
    expect(session?.services['silver']?.number).toBe(NOW + 2);
  });
});

describe('a session', () => {
  it('that a request was refused for without anything in it is over', () => {
    const { last } = play([change('r1', ['gold']), nak(503)]);
    expect(last.isOver).toBe(true);
  });
  it('in which the NAS may have something is not', () => {
    const { last } = play([change('r1', ['gold']), timeout]);
    expect(last.isOver).toBeUndefined();
  });
  it('that an acknowledged request has left empty is over after 300 s; until then a repeat gets its answer', () => {
    const asking = change('r1', [], [HTTP]);
    const { session } = play([asking, ack]);
    expect(session && dueAtMs(session)).toBe(NOW + 300_000);
    const again = asked({ ...request('r1', { ...COA, deactivate: [HTTP] }), correlationId: 'r1 again' });
    expect(brief(transition(session, again, NOW + 299_999))).toEqual(['ack']);
    expect(transition(session, { kind: 'due', id: 'early' }, NOW + 299_999).isOver).toBeUndefined();
    expect(transition(session, { kind: 'due', id: 'late' }, NOW + 300_000)).toEqual({
      effects: [],
      isOver: true,
    });
  });
});

describe('a group whose unknown members go', () => {
  const clearing = service('gold', {
    unknownMembers: [
      { activation: 'silver', groups: [12], clears: [12] },
      { activation: 'bronze', groups: [12], clears: [12] },
    ],
  });
  const first = asked(request('r1', { ...COA, activate: [clearing] }));

  it('has them deactivated after the first activation of a member; that they are not there is fine', () => {
    const { session, results } = play([first, ack, nak(503), ack, nak(503)]);
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['deactivate silver bronze'],
      ['deactivate silver'],
      ['deactivate bronze'],
      ['ack'],
    ]);
    expect(services(session)).toEqual({ gold: 'active' });
  });

  it('is cleared once a session', () => {
    const { session } = play([first, ack, ack]);
    const again = asked(request('r2', { ...COA, activate: [clearing] }));
    expect(play([again, ack], session).results.map(brief)).toEqual([['activate gold'], ['ack']]);
  });

  it('leaves known members to mutual exclusion, and accounts none that it did not know', () => {
    const start = having(['silver']);
    const played = play([first, ack, ack], start);
    expect(played.results.map(brief)).toEqual([['activate gold'], ['deactivate silver bronze'], ['ack']]);
    expect(accounted(start, played)).toEqual(['Start gold', 'Stop silver 10']);
  });
});

describe('a bare name in doubt', () => {
  const bare = deactivation('video', { isDefined: true });
  const doubt = () => play([change('r1', [], [bare]), timeout], having(['voice'])).session;

  it('is not told beside the activation of a service of that name, which the NAS may take it for', () => {
    expect(services(doubt())).toEqual({ voice: 'active', video: 'unconfirmed' });
    const { session, results } = play([change('r2', ['video(1)']), ack], doubt());
    expect(results.map(brief)).toEqual([['activate video(1)'], ['ack']]);
    expect(services(session)).toEqual({ voice: 'active', video: 'unconfirmed', 'video(1)': 'active' });
  });

  it('is not told again once a service of that name is there', () => {
    const waits = play([change('r2', ['both']), ack, timeout], doubt());
    expect(services(waits.session)).toMatchObject({ video: 'deactivating' });
    const { session, results } = play([change('r3', ['video(1)']), ack, ack], waits.session);
    expect(results.map(brief)).toEqual([['activate video(1)'], ['deactivate both'], ['ack']]);
    expect(services(session)).toMatchObject({ video: 'unconfirmed', 'video(1)': 'active' });
  });
});

describe('503 to an activation of a request of which the NAS has acknowledged another command', () => {
  it('is no word about the session: what was there is restored', () => {
    const order = { nas: nas({ enforcement: 'coa', order: 'deactivate-first' }) };
    const before = play([asked(request('r1', { ...order, activate: ['gold'] })), ack]).session;
    const played = play([asked(request('r2', { ...order, activate: ['silver'] })), ack, nak(503)], before);
    expect(brief(played.last)).toEqual(['nak 503', 'deactivate gold']);
    const restored = play([ack, ack], played.session);
    expect(services(restored.session)).toEqual({ gold: 'active' });
  });
});

describe('a service that the table does not know and that could not be activated again', () => {
  const long = deactivation('x'.repeat(247), { isDefined: false });

  it('is not deactivated beside anything that may fail: 407, and the NAS is not told', () => {
    const { last } = play([asked(request('r1', { ...COA, deactivate: [long, 'video'] }))]);
    expect(brief(last)).toEqual(['nak 407']);
  });

  it('is deactivated alone', () => {
    const { last } = play([asked(request('r1', { ...COA, deactivate: [long] }))]);
    expect(brief(last)).toEqual([`deactivate ${long.activation}`]);
  });
});

describe('a threshold that a new activation takes away', () => {
  const terms = (over: object) => service('gold', { ...over });

  it('is told as 0', () => {
    const timed = asked(request('r1', { ...COA, activate: [terms({ timeoutSeconds: 10 })] }));
    const { last } = play([timed, ack, asked(request('r2', { ...COA, activate: [terms({})] }))]);
    expect(told(last)).toContain('ERX-Service-Timeout:1 = 0');
  });

  it('is told as 0 too when the new activation is undone', () => {
    const before = play([asked(request('r1', { ...COA, activate: ['gold'] })), ack]).session;
    const timed = asked(request('r2', { ...COA, activate: [terms({ timeoutSeconds: 10 })] }));
    const { last } = play([timed, timeout], before);
    expect(told(last)).toContain('ERX-Service-Timeout:1 = 0');
  });

  it('is not told where there was none', () => {
    const before = play([asked(request('r1', { ...COA, activate: ['gold'] })), ack]).session;
    const { last } = play([asked(request('r2', { ...COA, activate: ['gold'] }))], before);
    expect(told(last).filter((one) => one.startsWith('ERX-Service-Timeout'))).toEqual([]);
  });
});
