// A NAS that was told and is told no longer (`enforcement: none`): what it had still to do counts as done.
import { describe, expect, it } from 'vitest';
import type { Identity } from '../../../core/identity.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import {
  accounted,
  ack,
  asked,
  COA,
  having,
  NOW,
  nak,
  nas,
  play,
  request,
  services,
  timeout,
} from '../support.ts';

const none = { nas: nas() };

describe('a session whose NAS is told no longer', () => {
  const stuck = () =>
    play(
      [asked(request('r2', { ...COA, activate: ['silver'] })), ack, nak(506)],
      play([asked(request('r1', { ...COA, activate: ['gold'] })), ack]).session,
    ).session;

  it('ends what had to go with its next request, and sends its Acct-Stop', () => {
    const before = play([asked(request('r1', { ...COA, activate: ['gold'] })), ack]).session;
    const waiting = play([asked(request('r2', { ...COA, activate: ['silver'] })), ack, nak(506)], before);
    expect(services(waiting.session)).toEqual({ gold: 'deactivating', silver: 'active' });
    const played = play([asked(request('r3', { ...none, activate: ['video'] }))], waiting.session);
    expect(services(played.session)).toEqual({ silver: 'active', video: 'active' });
    expect(accounted(waiting.session, played)).toEqual(['Start video', 'Stop gold 10']);
    expect(dueAtMs(played.session ?? having([]))).toBeUndefined();
  });

  it('ends it when its time comes', () => {
    const before = stuck();
    if (before === undefined) throw new Error('there is a session');
    const session = { ...before, nas: nas() };
    const played = play([{ kind: 'due', id: 'd1' }], session, NOW + 60_000);
    expect(services(played.session)).toEqual({ silver: 'active' });
  });

  it('has what was to be restored', () => {
    const active = play([asked(request('r1', { ...COA, activate: ['gold'] })), ack]).session;
    const restoring = play(
      [asked(request('r2', { ...COA, deactivate: ['gold'] })), timeout, timeout],
      active,
    ).session;
    expect(services(restoring)).toEqual({ gold: 'restoring' });
    const played = play([asked(request('r3', { ...none, activate: ['video'] }))], restoring);
    expect(services(played.session)).toEqual({ gold: 'active', video: 'active' });
    expect(accounted(restoring, played)).toEqual(['Start video']);
  });

  it('has it as a service of the session, whoever asked for it', () => {
    const together = { nas: nas({ enforcement: 'coa', order: 'together' }) };
    const asking = (id: string, identity: Identity, activate: string[]) =>
      asked(request(id, { ...together, identity, activate }));
    const doubt = play([asking('r1', { 'User-Name': 'somebody' }, ['gold']), timeout]).session;
    const restoring = play([asking('r2', {}, ['silver']), timeout, timeout], doubt).session;
    expect(services(restoring)).toMatchObject({ gold: 'restoring' });
    const played = play(
      [
        asked(request('r3', { ...none, identity: {}, activate: ['video'] })),
        asked(request('r4', { ...none, identity: {}, deactivate: ['gold'] })),
      ],
      restoring,
    );
    expect(services(played.session)).not.toHaveProperty('gold');
  });
});
