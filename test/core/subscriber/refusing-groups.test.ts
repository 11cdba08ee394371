// Groups with `policy: refuse`: a member is refused while another one is there and stays.
import { describe, expect, it } from 'vitest';
import { ORDERS } from '../../../core/nas.ts';
import type { PlannedService } from '../../../core/services/terms.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import {
  accounted,
  ack,
  asked,
  brief,
  having,
  nak,
  nas,
  type Played,
  play,
  request,
  service,
  services,
  timeout,
} from '../support.ts';

const REFUSED = ['nak 501'];
const member = (activation: string): PlannedService =>
  service(activation, { groups: [31], refusingGroups: [31] });
const [basic, plus] = [member('basic'), member('plus')];
const names = (activate: readonly PlannedService[], deactivate: readonly string[] = []) => ({
  activate,
  deactivate,
});
const none = { nas: nas() };
const coa = (order: (typeof ORDERS)[number] = 'activate-first') => ({
  nas: nas({ enforcement: 'coa', order }),
});
const reasonOf = ({ session }: Played) => session?.answered.at(-1)?.reason;

describe('a group that refuses', () => {
  it('takes its first member', () => {
    const { session, results } = play([asked(request('r1', { ...coa(), ...names([basic]) })), ack]);
    expect(results.map(brief)).toEqual([['activate basic'], ['ack']]);
    expect(services(session)).toEqual({ basic: 'active' });
  });

  it('refuses a second one, without asking the NAS', () => {
    const played = play([asked(request('r1', { ...coa(), ...names([plus]) }))], having([basic]));
    expect(brief(played.last)).toEqual(REFUSED);
    expect(reasonOf(played)).toBe('plus excludes basic, which is active');
    expect(services(played.session)).toEqual({ basic: 'active' });
  });

  it.each([none, coa()])('refuses two in one request, and nothing is stored: $nas.enforcement', (where) => {
    const played = play([asked(request('r1', { ...where, ...names([basic, plus]) }))], having(['voice']));
    expect(brief(played.last)).toEqual(REFUSED);
    expect(reasonOf(played)).toBe('basic excludes plus, which the request activates, too');
    expect(services(played.session)).toEqual({ voice: 'active' });
    expect(play([asked(request('r1', { ...where, ...names([basic, plus]) }))])).toMatchObject({
      session: undefined,
      last: { effects: [{ kind: 'reply', answer: 'nak', errorCause: 501 }] },
    });
  });

  it('refuses two in one request beside the deactivation of a third', () => {
    const ask = request('r1', { ...coa(), ...names([plus, member('max')], ['basic']) });
    expect(brief(play([asked(ask)], having([basic])).last)).toEqual(REFUSED);
  });

  it('refuses one that shares another group with what is active', () => {
    const both = service('both', { groups: [12, 31], refusingGroups: [31] });
    expect(
      brief(play([asked(request('r1', { ...coa(), activate: [both] }))], having(['gold', basic])).last),
    ).toEqual(REFUSED);
    const { session } = play(
      [asked(request('r1', { ...coa(), ...names([both], ['basic']) })), ack, ack, ack],
      having(['gold', basic]),
    );
    expect(services(session)).toEqual({ both: 'active' });
  });

  it('takes its member again', () => {
    const again = service('basic', { ...basic, timeoutSeconds: 60 });
    const before = having([basic]);
    const { session, last } = play([asked(request('r1', { ...coa(), activate: [again] })), ack], before);
    expect(brief(last)).toEqual(['ack']);
    expect(session?.services['basic']).toMatchObject({
      state: 'active',
      number: before?.services['basic']?.number,
      timeoutSeconds: 60,
    });
  });

  it('keeps two that were active before it refused, each activated again', () => {
    const before = having([service('basic', { groups: [31] }), service('plus', { groups: [31] })]);
    const { session, last } = play(
      [asked(request('r1', { ...coa(), ...names([basic, plus]) })), ack],
      before,
    );
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ basic: 'active', plus: 'active' });
  });
});

describe('a member that the request deactivates gives its place up', () => {
  it.each([
    ['activate-first', [['activate plus'], ['deactivate basic'], ['ack']]],
    ['together', [['switch plus'], ['ack']]],
    ['deactivate-first', [['deactivate basic'], ['activate plus'], ['ack']]],
  ] as const)('%s', (order, commands) => {
    const start = having([basic, 'voice']);
    const ask = asked(request('r1', { ...coa(order), ...names([plus], ['basic']) }));
    const played = play([ask, ...commands.slice(1).map(() => ack)], start);
    expect(played.results.map(brief)).toEqual(commands);
    expect(services(played.session)).toEqual({ voice: 'active', plus: 'active' });
    expect(accounted(start, played).toSorted()).toEqual(['Start plus', 'Stop basic 10']);
  });

  it('with enforcement none', () => {
    const { session, last } = play(
      [asked(request('r1', { ...none, ...names([plus], ['basic']) }))],
      having([basic]),
    );
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({ plus: 'active' });
  });

  it.each([
    ['tiered', 'another name'],
    ['tiered(1,2)', 'the same name with other parameters'],
  ])('named by %s, for %s', (named) => {
    const start = having([member('tiered(1,2)')]);
    const newcomer = named === 'tiered' ? plus : member('tiered(3,4)');
    const ask = asked(request('r1', { ...coa(), ...names([newcomer], [named]) }));
    const { session } = play([ask, ack, ack, nak(503)], start);
    expect(services(session)).toEqual({ [newcomer.activation]: 'active' });
  });

  it('named by the bare name beside the same name with other parameters', () => {
    const ask = asked(request('r1', { ...coa(), ...names([member('tiered(3,4)')], ['tiered']) }));
    const { session, results } = play([ask, ack, ack], having([member('tiered(1,2)')]));
    expect(results.map(brief)).toEqual([['activate tiered(3,4)'], ['deactivate tiered(1,2)'], ['ack']]);
    expect(services(session)).toEqual({ 'tiered(3,4)': 'active' });
  });

  it('and no other one does', () => {
    const ask = asked(request('r1', { ...coa(), ...names([plus], ['voice']) }));
    expect(brief(play([ask], having([basic, 'voice'])).last)).toEqual(REFUSED);
  });

  it.each(ORDERS)('and has it again when the NAS refuses the new member: %s', (order) => {
    const start = having([basic]);
    const ask = asked(request('r1', { ...coa(order), ...names([plus], ['basic']) }));
    const first = order === 'deactivate-first' ? [ack] : [];
    const again = order === 'deactivate-first' ? [ack, ack] : [];
    const played = play([ask, ...first, nak(506), ...again], start);
    expect(played.results.flatMap(brief)).toContain('nak 506');
    expect(services(played.session)).toEqual({ basic: 'active' });
    expect(accounted(start, played)).toEqual([]);
  });

  it.each([
    ['refuses it', nak(506)],
    ['does not answer', timeout],
  ])('and keeps it when the NAS %s', (_, fault) => {
    const start = having([basic]);
    const ask = asked(request('r1', { ...coa(), ...names([plus], ['basic']) }));
    const played = play([ask, ack, fault, ack, ack], start);
    expect(services(played.session)).toEqual({ basic: 'active' });
    expect(accounted(start, played)).toEqual([]);
  });
});

describe('what is not active in a group that refuses', () => {
  /** The undo of plus has failed, beside basic. */
  const deactivating = () => {
    const before = having([service('plus', { ...plus, timeoutSeconds: 60 })]);
    const { session } = play([{ kind: 'due', id: 'd1' }, nak(506)], { ...before, ...coa() }, dueAtMs(before));
    expect(services(session)).toEqual({ plus: 'deactivating' });
    return session;
  };

  it('takes no place while it is deactivating, and is told once more beside the new member', () => {
    const { session, results } = play(
      [asked(request('r1', { ...coa(), ...names([basic]) })), ack, ack],
      deactivating(),
    );
    expect(results.map(brief)).toEqual([['activate basic'], ['deactivate plus'], ['ack']]);
    expect(services(session)).toEqual({ basic: 'active' });
  });

  it('takes no place while it is unconfirmed, and is deactivated by the new member', () => {
    const { session: unsure } = play([asked(request('r0', { ...coa(), ...names([plus]) })), timeout]);
    expect(services(unsure)).toEqual({ plus: 'unconfirmed' });
    const { session, results } = play(
      [asked(request('r1', { ...coa(), ...names([basic]) })), ack, ack],
      unsure,
    );
    expect(results.map(brief)).toEqual([['activate basic'], ['deactivate plus'], ['ack']]);
    expect(services(session)).toEqual({ basic: 'active' });
  });

  it('takes its place while it is restoring, unless the request deactivates it', () => {
    const failed = play(
      [
        asked(request('r0', { ...coa('deactivate-first'), ...names([plus], ['basic']) })),
        ack,
        nak(506),
        timeout,
      ],
      having([basic]),
    );
    expect(services(failed.session)).toEqual({ basic: 'restoring' });
    const refused = play([asked(request('r1', { ...coa(), ...names([plus]) }))], failed.session);
    expect(brief(refused.last)).toEqual(REFUSED);
    expect(reasonOf(refused)).toBe('plus excludes basic, which is restoring');
    const exchanged = play(
      [asked(request('r2', { ...coa(), ...names([plus], ['basic']) })), ack, ack],
      failed.session,
    );
    expect(services(exchanged.session)).toEqual({ plus: 'active' });
  });
});
