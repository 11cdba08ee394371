// A NAS whose commands replace all that a session has (the dialect generic): it cannot be asked of one service, so what the table
// does not know is refused, and the NAS is told nothing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ORDERS } from '../../../core/nas.ts';
import type { RequestedDeactivation, Session } from '../../../core/subscriber/session.ts';
import type { Result } from '../../../core/subscriber/transition.ts';
import {
  accounted,
  ack,
  asked,
  brief,
  deactivation,
  having,
  nak,
  nas,
  play,
  request,
  service,
  services,
  timeout,
  told,
} from '../support.ts';

const LIST = { nas: nas({ enforcement: 'coa', dialect: 'generic', options: {} }) };
const change = (
  id: string,
  activate: readonly string[],
  deactivate: readonly (string | RequestedDeactivation)[] = [],
  at = LIST,
) => asked(request(id, { ...at, activate, deactivate }));
const undefinedOne = (spelling: string) => deactivation(spelling, { isDefined: false });
const reasonOf = (session: Session | undefined) => session?.answered.at(-1)?.reason;
const filters = (result: Result) =>
  told(result).flatMap((line) => /^Filter-Id = "(.*)"$/.exec(line)?.[1] ?? []);

describe('a deactivation of what the table does not know, at a NAS that replaces its list,', () => {
  it.each<[string, readonly string[], readonly (string | RequestedDeactivation)[], string]>([
    ['alone', [], ['video'], 'nak 503'],
    ['alone and not defined', [], [undefinedOne('http')], 'nak 404'],
    ['beside a known one', [], ['silver', 'video'], 'nak 503'],
    ['beside a known one, and not defined', [], ['silver', 'video', undefinedOne('http')], 'nak 404'],
    ['beside an activation', ['gold'], ['video'], 'nak 503'],
    ['with parameters that are not those of a known one', [], ['tiered(1,2)'], 'nak 503'],
  ])('is refused, %s: the NAS is told nothing, and nothing changes', (_, activate, deactivate, reply) => {
    const start = having(['silver', 'tiered(3,4)']);
    const { session, last } = play([change('r1', activate, deactivate)], start);
    expect(brief(last)).toEqual([reply]);
    expect(session?.services).toEqual(start.services);
    expect(session?.transition).toBeUndefined();
  });

  it('says in the reason why', () => {
    const start = having(['silver']);
    expect(reasonOf(play([change('r1', [], ['video'])], start).session)).toBe(
      'no service video is known, and the NAS cannot be asked',
    );
    expect(reasonOf(play([change('r1', [], [undefinedOne('http')])], start).session)).toBe(
      'there is no service http',
    );
  });

  it('leaves nothing of a session that is not known', () => {
    expect(play([change('r1', [], ['video'])]).results.map(brief)).toEqual([['nak 503']]);
    expect(play([change('r1', [], ['video'])]).session).toBeUndefined();
  });

  it('may be a bare name of known services with parameters, which all go', () => {
    const start = having(['tiered(1,2)', 'tiered(3,4)', 'voice']);
    const { session, results } = play([change('r1', [], ['tiered']), ack], start);
    expect(results.map(brief)).toEqual([['deactivate tiered(1,2) tiered(3,4)'], ['ack']]);
    expect(results[0] && filters(results[0])).toEqual(['voice']);
    expect(services(session)).toEqual({ voice: 'active' });
  });

  it('is no question where no NAS is told', () => {
    const untold = { nas: nas({ dialect: 'generic', options: {} }) };
    expect(brief(play([change('r1', [], ['video'], untold)], having(['silver'])).last)).toEqual(['ack']);
  });

  it('law: every command is for services that the table knows, in each order', () => {
    const some = fc.uniqueArray(fc.constantFrom('gold', 'silver', 'bronze', 'video', 'voice'), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.constantFrom(...ORDERS), some, some, some, (order, had, activate, named) => {
        const deactivate = named.filter((one) => !activate.includes(one));
        fc.pre(activate.length + deactivate.length > 0);
        const at = { nas: nas({ enforcement: 'coa', dialect: 'generic', options: {}, order }) };
        const start = had.length === 0 ? undefined : having(had);
        const { session, last } = play([change('r1', activate, deactivate, at)], start);
        const isKnown = deactivate.every((one) => had.includes(one));
        expect(brief(last).some((effect) => effect === 'nak 503')).toBe(!isKnown);
        expect(last.effects.some(({ kind }) => kind === 'command')).toBe(isKnown);
        if (!isKnown) expect(session?.services ?? {}).toEqual(start?.services ?? {});
      }),
    );
  });

  it('is not told of unknown members of a group: the activation has taken them away', () => {
    const film = service('film', {
      groups: [9],
      unknownMembers: [{ activation: 'news', groups: [9], clears: [9] }],
    });
    const { session, results } = play([asked(request('r1', { ...LIST, activate: [film] })), ack]);
    expect(results.map(brief)).toEqual([['activate film'], ['ack']]);
    expect(services(session)).toEqual({ film: 'active' });
  });
});

describe('the Filter-Id of a session without services', () => {
  it('is what the site file says', () => {
    const at = { nas: nas({ enforcement: 'coa', dialect: 'generic', options: { noService: 'blocked' } }) };
    expect(filters(play([change('r1', [], ['gold'], at)], having(['gold'])).last)).toEqual(['blocked']);
  });

  it('names no service: one that is called so is refused with 407', () => {
    const { session, last } = play([change('r1', ['none'])], having(['gold']));
    expect(brief(last)).toEqual(['nak 407']);
    expect(reasonOf(session)).toBe('none is the Filter-Id of a session without services');
  });
});

describe('a NAS that has one service at a time', () => {
  const ONE = {
    nas: nas({ enforcement: 'coa', dialect: 'generic', order: 'together', options: { oneAtATime: true } }),
  };
  const switched = (activate: readonly string[], deactivate: readonly string[] = [], id = 'r1') =>
    change(id, activate, deactivate, ONE);
  const gold = play([switched(['gold'], [], 'r0'), ack]).session;

  it('is told the newcomer alone, which replaces what it had', () => {
    const played = play([switched(['silver']), ack], gold);
    expect(played.results[0] && filters(played.results[0])).toEqual(['silver']);
    expect(brief(played.last)).toEqual(['ack']);
    expect(services(played.session)).toEqual({ silver: 'active' });
    expect(accounted(gold, played)).toEqual(['Start silver', 'Stop gold 10']);
  });

  it.each([
    [['gold', 'voice'], []],
    [['voice'], []],
    [['silver', 'video'], ['gold']],
  ])('is never told of two side by side: activate %j, deactivate %j', (activate, deactivate) => {
    const { session, last } = play([switched(activate, deactivate)], gold);
    expect(brief(last)).toEqual(['nak 506']);
    expect(reasonOf(session)).toMatch(/^the NAS has at most 1 service of a session, not .+ side by side$/);
    expect(session?.services).toEqual(gold?.services);
  });

  it('changes to a service of another group where the request names what goes', () => {
    const { session, results } = play([switched(['video'], ['gold']), ack], gold);
    expect(results[0] && filters(results[0])).toEqual(['video']);
    expect(services(session)).toEqual({ video: 'active' });
  });

  it('is told that there is none', () => {
    const { session, results, last } = play([switched([], ['gold']), ack], gold);
    expect(results[0] && filters(results[0])).toEqual(['none']);
    expect(session && services(session)).toEqual({});
    expect(last.isOver).toBeUndefined();
  });

  it('refuses, and has what it had', () => {
    const { session, results } = play([switched(['silver']), nak(506, 'full')], gold);
    expect(results.map(brief)).toEqual([['switch silver'], ['nak 506']]);
    expect(session?.services).toEqual(gold?.services);
  });

  it('does not answer: what it had replaces what it may have, and that is all of the undo', () => {
    const played = play([switched(['silver']), timeout, ack], gold);
    expect(played.results.map(brief)).toEqual([['switch silver'], ['nak 505', 'activate gold'], []]);
    expect(played.results[1] && filters(played.results[1])).toEqual(['gold']);
    expect(played.session?.services).toEqual(gold?.services);
    expect(accounted(gold, played)).toEqual([]);
  });

  it('does not answer the restoration either: it is told again, and only of that', () => {
    const { session } = play([switched(['video'], ['gold']), timeout, timeout], gold);
    expect(services(session)).toEqual({ gold: 'restoring', video: 'unconfirmed' });
    const due = { kind: 'due', id: 'd1' } as const;
    const retried = play([due, ack], session, (session?.services['gold']?.retry?.atMs ?? 0) + 1);
    expect(retried.results[0] && filters(retried.results[0])).toEqual(['gold']);
    expect(services(retried.session)).toEqual({ gold: 'active' });
  });

  it('has what was asked for another subscriber undone under that name, beside what it confirmed', () => {
    const asking = (id: string, name: string, activate: readonly string[]) =>
      asked(request(id, { ...ONE, identity: { 'User-Name': name }, activate }));
    const start = play([asking('r1', 'stranger', ['voice']), timeout, timeout]).session;
    expect(start && services(start)).toEqual({ voice: 'deactivating' });
    const { session, results } = play([asking('r2', 'client1', ['silver']), ack], start);
    expect(results[0] && filters(results[0])).toEqual(['silver']);
    expect(session && services(session)).toEqual({ silver: 'active', voice: 'deactivating' });
    // The next command of the session retries what failed.
    const command = results[1]?.effects.find(({ kind }) => kind === 'command');
    const octets = Buffer.from(command?.kind === 'command' ? command.attributes : '', 'base64');
    expect(octets.toString('latin1')).toContain('stranger');
    expect(services(play([nak(503)], session).session)).toEqual({ silver: 'active' });
  });

  it('says that the session is gone, also to a switch', () => {
    const { session, last } = play([switched(['silver']), nak(503)], gold);
    expect(brief(last)).toEqual(['nak 503']);
    expect(services(session)).toEqual({});
  });
});
