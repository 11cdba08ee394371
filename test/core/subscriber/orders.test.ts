// The order in which a NAS is told of a switch.
import { describe, expect, it } from 'vitest';
import type { Order } from '../../../core/nas.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import {
  accounted,
  ack,
  asked,
  brief,
  having,
  NOW,
  nak,
  nas,
  play,
  request,
  services,
  timeout,
  told,
} from '../support.ts';

const switching = (
  order: Order,
  activate: readonly string[],
  deactivate: readonly string[] = [],
  dialect: 'erx' | 'generic' = 'erx',
) => asked(request('r1', { nas: nas({ enforcement: 'coa', order, dialect }), activate, deactivate }));

describe('together', () => {
  const begun = switching('together', ['gold'], ['voice']);
  const start = having(['silver', 'voice']);

  it('tells all of a switch in one command, and acknowledges with its ACK', () => {
    const played = play([begun, ack], start);
    expect(played.results.map(brief)).toEqual([['switch gold'], ['ack']]);
    expect(played.results[0] && told(played.results[0]).slice(-4)).toEqual([
      'ERX-Service-Activate:1 = "gold"',
      'ERX-Service-Statistics:1 = 0',
      'ERX-Service-Deactivate = "voice"',
      'ERX-Service-Deactivate = "silver"',
    ]);
    expect(services(played.session)).toEqual({ gold: 'active' });
    expect(accounted(start, played)).toEqual(['Start gold', 'Stop silver 10', 'Stop voice 10']);
  });

  it('changes nothing when the NAS refuses', () => {
    const { session, results } = play([begun, nak(506)], start);
    expect(results.map(brief)).toEqual([['switch gold'], ['nak 506']]);
    expect(session?.services).toEqual(start.services);
  });

  it('activates again what may be gone and then deactivates what may be there, when the NAS does not answer', () => {
    const played = play([begun, timeout, ack, ack], start);
    expect(played.results.map(brief)).toEqual([
      ['switch gold'],
      ['nak 505', 'activate silver voice'],
      ['deactivate gold'],
      [],
    ]);
    expect(played.session?.services).toEqual(start.services);
    expect(accounted(start, played)).toEqual([]);
  });

  it('takes nothing away as long as what may be gone is not there again', () => {
    const { session, results } = play([begun, timeout, timeout], start);
    expect(results.map(brief).slice(1)).toEqual([['nak 505', 'activate silver voice'], []]);
    expect(services(session)).toEqual({ silver: 'restoring', voice: 'restoring', gold: 'unconfirmed' });
  });

  it.each([
    ['503', nak(503)],
    ['a NAK without a cause', nak()],
    ['404 and a reason', nak(404, 'no such service')],
  ])('tells each by itself when the NAS refuses because one is not there: %s', (_, notThere) => {
    const { session, results } = play([begun, notThere, ack, ack, notThere], start);
    expect(results.slice(1).map(brief)).toEqual([
      ['activate gold'],
      ['deactivate voice'],
      ['deactivate silver'],
      ['ack'],
    ]);
    expect(session?.services['gold']?.state).toBe('active');
  });

  it('changes nothing when the client names what is not there, and a NAS refuses two side by side', () => {
    const { session, results } = play([begun, nak(503), nak(506)], start);
    expect(results.map(brief)).toEqual([['switch gold'], ['activate gold'], ['nak 506']]);
    expect(session?.services).toEqual(start.services);
  });

  it('ends the session when the NAS does not know it by the activation alone', () => {
    const { session, results } = play([begun, nak(503), nak(503)], start);
    expect(results.map(brief).slice(1)).toEqual([['activate gold'], ['nak 503']]);
    expect(services(session)).toEqual({});
  });

  it('does not take a bare name along, which the NAS need not have', () => {
    const asking = switching('together', ['gold'], ['tiered']);
    const played = play([asking, ack, nak(503)], having(['tiered(1,2)']));
    expect(played.results.map(brief)).toEqual([['switch gold'], ['deactivate tiered'], ['ack']]);
    expect(services(played.session)).toEqual({ gold: 'active' });
  });

  it('finds out which one the NAS has, where it may have several of a group and refuses two side by side', () => {
    const silver = having(['silver']);
    // It did nothing, and refuses to activate what is there.
    const doubt = play([switching('together', ['bronze']), timeout, nak(404)], silver).session;
    expect(services(doubt)).toEqual({ silver: 'unconfirmed', bronze: 'unconfirmed' });
    const again = asked(request('r2', { ...nasOf('together'), activate: ['gold'] }));
    const played = play([again, nak(503), ack, nak(503)], doubt);
    const gone = (result: (typeof played.results)[number]) =>
      told(result).filter((line) => line.startsWith('ERX-Service-Deactivate'));
    expect(played.results.slice(0, 3).map(gone)).toEqual([
      ['ERX-Service-Deactivate = "silver"', 'ERX-Service-Deactivate = "bronze"'],
      ['ERX-Service-Deactivate = "silver"'],
      ['ERX-Service-Deactivate = "bronze"'],
    ]);
    expect(brief(played.last)).toEqual(['ack']);
    expect(services(played.session)).toEqual({ gold: 'active' });
  });

  it('is one list of filters for a NAS of the dialect generic', () => {
    const { last } = play([switching('together', ['gold'], [], 'generic')], start);
    expect(told(last).filter((line) => line.startsWith('Filter-Id'))).toEqual([
      'Filter-Id = "voice"',
      'Filter-Id = "gold"',
    ]);
  });

  it('deactivates alone where nothing is activated', () => {
    expect(play([switching('together', [], ['voice']), ack], start).results.map(brief)).toEqual([
      ['deactivate voice'],
      ['ack'],
    ]);
  });
});

const nasOf = (order: Order) => ({ nas: nas({ enforcement: 'coa', order }) });

describe('deactivate-first', () => {
  const begun = switching('deactivate-first', ['gold'], ['voice']);
  const start = having(['silver', 'voice']);

  it('tells of what goes, and then of what comes', () => {
    const played = play([begun, ack, ack], start);
    expect(played.results.map(brief)).toEqual([['deactivate voice silver'], ['activate gold'], ['ack']]);
    expect(services(played.session)).toEqual({ gold: 'active' });
  });

  it('begins with what comes where nothing has to go', () => {
    expect(play([begun, ack]).results.map(brief)[0]).toEqual(['deactivate voice']);
    expect(brief(play([switching('deactivate-first', ['gold'])]).last)).toEqual(['activate gold']);
  });

  it('never tells of what comes when the NAS refuses to let go', () => {
    const { session, results } = play([begun, nak(506)], start);
    expect(results.map(brief)).toEqual([['deactivate voice silver'], ['nak 506']]);
    expect(session?.services).toEqual(start.services);
  });

  it.each([
    ['a NAK without a cause', nak()],
    ['404 and a reason', nak(404, 'no such service')],
  ])('goes on where the NAS may not have what it refuses to let go, and tells that again: %s', (_, doubt) => {
    const start = having(['silver']);
    const asking = switching('deactivate-first', ['gold']);
    const played = play([asking, doubt, ack, doubt], start);
    expect(played.results.map(brief)).toEqual([
      ['deactivate silver'],
      ['activate gold'],
      ['deactivate silver'],
      ['ack'],
    ]);
    expect(services(played.session)).toEqual({ silver: 'deactivating', gold: 'active' });
    expect(play([asking, doubt, nak(506)], start).session?.services).toEqual(start.services);
  });

  it('activates again what is gone when the NAS refuses to let go of the rest', () => {
    const cisco = { nas: nas({ enforcement: 'coa', dialect: 'cisco', order: 'deactivate-first' }) };
    const asking = asked(request('r1', { ...cisco, activate: ['gold'], deactivate: ['voice'] }));
    const played = play([asking, ack, nak(506), nak(503), ack], start);
    expect(played.results.map(brief)).toEqual([
      ['deactivate voice'],
      ['deactivate silver'],
      // A NAS of this kind may refuse what is there already.
      ['nak 506', 'deactivate voice'],
      ['activate voice'],
      [],
    ]);
    expect(played.session?.services).toEqual(start.services);
    expect(accounted(start, played)).toEqual([]);
  });

  it('activates again what went when the NAS refuses what comes', () => {
    const played = play([begun, ack, nak(506), ack, ack], start);
    expect(played.results.map(brief)).toEqual([
      ['deactivate voice silver'],
      ['activate gold'],
      ['nak 506', 'deactivate silver voice'],
      ['activate silver voice'],
      [],
    ]);
    expect(played.session?.services).toEqual(start.services);
    expect(accounted(start, played)).toEqual([]);
  });

  it('deactivates what may be there before it activates again what went, until the NAS answers', () => {
    const start = having(['silver', 'voice']);
    const late = play([switching('deactivate-first', ['gold']), ack, timeout], start);
    expect(brief(late.last)).toEqual(['nak 505', 'deactivate gold']);
    expect(services(late.session)).toEqual({ silver: 'restoring', voice: 'active', gold: 'deactivating' });
    const played = play([nak(503), ack, ack], late.session);
    expect(played.results.map(brief)).toEqual([['deactivate silver'], ['activate silver'], []]);
    expect(played.session?.services).toEqual(start.services);
  });

  it('goes on restoring while the NAS does not answer', () => {
    const late = play([begun, ack, timeout, timeout, timeout], start);
    const dueMs = late.session && dueAtMs(late.session);
    expect(dueMs).toBe(NOW + 15_000);
    const played = play([{ kind: 'due', id: 'due' }, ack, ack, ack, ack, ack], late.session, dueMs);
    expect(services(played.session)).toEqual({ silver: 'active', voice: 'active' });
    expect(played.session?.transition).toBeUndefined();
  });

  it('accounts what was in doubt from when the NAS has confirmed it, though no request has', () => {
    const doubtful = play([switching('deactivate-first', ['gold']), timeout], having(['voice'])).session;
    expect(services(doubtful)).toEqual({ gold: 'unconfirmed', voice: 'active' });
    const asking = asked(request('r2', { ...nasOf('deactivate-first'), activate: ['silver'] }));
    const played = play([asking, timeout, ack], doubtful, NOW + 1_000);
    expect(played.results.map(brief)).toEqual([['deactivate gold'], ['nak 505', 'activate gold'], []]);
    expect(played.session?.services['gold']).toMatchObject({ state: 'active', activatedAtMs: NOW + 1_000 });
    expect(accounted(doubtful, played)).toEqual(['Start gold']);
  });

  it('has the unknown members of the group go after the activation: what they leave behind could not be restored', () => {
    const clearing = {
      ...request('x', { activate: ['gold'] }).activate[0],
      unknownMembers: [{ activation: 'bronze', groups: [12], clears: [12] }],
    };
    const asking = request('r1', { ...nasOf('deactivate-first'), activate: ['gold'] });
    const activate = asking.activate.map((one) => ({ ...one, unknownMembers: clearing.unknownMembers }));
    const played = play([asked({ ...asking, activate }), ack, nak(503)], having(['voice']));
    expect(played.results.map(brief)).toEqual([['activate gold'], ['deactivate bronze'], ['ack']]);
  });

  it('takes a newcomer that may be there for the reason when the NAS refuses to restore three times', () => {
    // The newcomer is in another group, too, of which it may be the last member, so it is not undone.
    const { session } = play(
      [switching('deactivate-first', ['both']), ack, timeout, nak(503), nak(501)],
      having(['video']),
    );
    expect(services(session)).toEqual({ video: 'restoring', both: 'unconfirmed' });
    const again = (from: Session | undefined, id: string) =>
      play([{ kind: 'due', id }, nak(503), nak(501)], from, from && dueAtMs(from)).session;
    const second = again(session, 'due 1');
    expect(services(second)).toEqual({ video: 'restoring', both: 'unconfirmed' });
    const third = again(second, 'due 2');
    expect(services(third)).toEqual({ video: 'unconfirmed', both: 'unconfirmed' });
    expect(third && dueAtMs(third)).toBeUndefined();
  });

  it('restores what may never have been there until the NAS refuses, and no longer', () => {
    const doubt = play([switching('deactivate-first', ['gold']), timeout]);
    expect(services(doubt.session)).toEqual({ gold: 'unconfirmed' });
    const next = asked(request('r2', { ...nasOf('deactivate-first'), activate: ['silver'] }));
    const { session, results } = play([next, timeout, nak(501)], doubt.session);
    expect(results.map(brief)).toEqual([['deactivate gold'], ['nak 505', 'activate gold'], []]);
    expect(services(session)).toEqual({ gold: 'unconfirmed' });
    expect(session && dueAtMs(session)).toBeUndefined();
  });

  it.each([
    { what: 'is not there', answers: [nak(503), nak(501)] },
    { what: 'is unanswered', answers: [timeout, timeout] },
  ])('restores it no longer either where its deactivation for another request $what', ({ answers }) => {
    const activating = (id: string, activate: string) =>
      asked(request(id, { ...nasOf('deactivate-first'), identity: {}, activate: [activate] }));
    const doubt = play([activating('r1', 'silver'), timeout, activating('r2', 'gold'), timeout, timeout]);
    expect(services(doubt.session)).toEqual({ silver: 'restoring' });
    const failed = play([activating('r3', 'gold'), ...answers], doubt.session).session;
    expect(services(failed)).toEqual({ silver: 'restoring' });
    let session = failed;
    for (let turn = 0; turn < 8 && session !== undefined; turn++) {
      const dueMs = dueAtMs(session);
      if (session.transition !== undefined) ({ session } = play([nak(501)], session));
      else if (dueMs !== undefined)
        ({ session } = play([{ kind: 'due', id: `due ${turn}` }], session, dueMs));
    }
    expect(services(session)).toEqual({ silver: 'unconfirmed' });
    expect(session && dueAtMs(session)).toBeUndefined();
  });

  it('ends the session when the NAS does not know it by what is restored, also where that was from log-in', () => {
    const { session, results } = play([
      switching('deactivate-first', [], ['gold', 'silver']),
      nak(503),
      ack,
      nak(503),
      nak(503),
      nak(503),
    ]);
    expect(results.map(brief)).toEqual([
      ['deactivate gold silver'],
      ['deactivate gold'],
      ['deactivate silver'],
      ['nak 503', 'deactivate gold'],
      ['activate gold'],
      [],
    ]);
    expect(services(session)).toEqual({});
  });

  it('goes on restoring what a later request that fails has found gone', () => {
    const failed = play([begun, ack, nak(501), nak(503), timeout], start);
    expect(services(failed.session)).toMatchObject({ silver: 'restoring' });
    const again = asked(request('r2', { ...nasOf('deactivate-first'), activate: ['gold'] }));
    const { session } = play([again, nak(503), nak(501)], failed.session);
    expect(services(session)).toMatchObject({ silver: 'restoring' });
  });
});
