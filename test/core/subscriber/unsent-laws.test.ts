// A command that the relay did not send is not the NAS's word: the request is refused with the relay's Error-Cause and nothing
// is undone; what has to go or to be there again is told again.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ORDERS } from '../../../core/nas.ts';
import type { Session } from '../../../core/subscriber/session.ts';
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

const change = (id: string, activate: readonly string[], deactivate: readonly string[] = []) =>
  asked(request(id, { ...COA, activate, deactivate }));
const overloaded = unsent('nas-overloaded', 506);
const reasonOf = (session: Session | undefined) => session?.answered.at(-1)?.reason;

describe('a command of a request that the relay did not send', () => {
  it.each([
    ['nas-overloaded', 506, 'too many commands to the NAS are in progress'],
    ['no-packet', 506, 'the command does not fit into a packet'],
    ['unknown-nas', 502, "the relay's site file does not have the NAS"],
    ['expired', undefined, 'the relay got the command too late'],
    ['of a later release', undefined, 'of a later release'],
  ])('refuses it with the cause of %s, and leaves nothing', (why, errorCause, words) => {
    const start = having(['silver']);
    const { session, last } = play([change('r1', ['gold']), unsent(why, errorCause)], start);
    expect(brief(last)).toEqual([`nak ${errorCause ?? 505}`]);
    expect(reasonOf(session)).toBe(`the NAS was not told: ${words}`);
    expect(session?.services).toEqual(start.services);
    expect(session?.transition).toBeUndefined();
  });

  it('has only what the NAS was told before it undone', () => {
    const { results } = play(
      [change('r1', ['gold'], ['voice']), ack, overloaded],
      having(['silver', 'voice']),
    );
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['deactivate voice'],
      ['nak 506', 'deactivate gold'],
    ]);
  });

  it('is no 503 of the NAS, whatever its cause', () => {
    const start = having(['silver']);
    const { session } = play([change('r1', ['gold']), unsent('of a later release', 503)], start);
    expect(session?.services).toEqual(start.services);
  });
});

describe('a command that no answer depends on, not sent,', () => {
  const begun = play([change('r1', ['gold']), ack], having(['silver'])).session;

  it.each([503, 506, undefined])('is told again, and %s never counts as gone', (errorCause) => {
    let session = begun;
    for (let attempt = 1; attempt <= 5; attempt++) {
      const nowMs =
        session?.transition === undefined ? Math.max(NOW, session ? (dueAtMs(session) ?? NOW) : NOW) : NOW;
      const events = session?.transition === undefined ? [{ kind: 'due', id: `d${attempt}` } as const] : [];
      const failed = play([...events, unsent('nas-overloaded', errorCause)], session, nowMs).session;
      expect(services(failed)).toEqual({ gold: 'active', silver: 'deactivating' });
      expect(failed?.services['silver']?.retry).toMatchObject({
        attempts: attempt,
        outcome: { result: 'unsent', unsent: 'nas-overloaded' },
      });
      session = failed;
    }
  });

  it('does not end a restoration, which a NAK of the NAS does', () => {
    const restoring = play([change('r1', [], ['silver']), timeout], having(['silver'])).session;
    expect(services(play([overloaded], restoring).session)).toEqual({ silver: 'restoring' });
    expect(services(play([nak(506)], restoring).session)).toEqual({ silver: 'unconfirmed' });
  });

  it('is retried with the pauses of a timeout', () => {
    const dueAfter = (last: typeof timeout) => {
      const { session } = play([last], begun);
      return session && dueAtMs(session);
    };
    expect(dueAfter(overloaded)).toBe(dueAfter(timeout));
  });
});

describe('laws of what the relay did not send', () => {
  const some = fc.uniqueArray(fc.constantFrom('gold', 'silver', 'bronze', 'video', 'voice'), {
    maxLength: 2,
  });

  it('the first command of a request not sent leaves all as it was, in each order', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ORDERS), some, some, some, (order, had, activate, named) => {
        const deactivate = named.filter((one) => !activate.includes(one));
        fc.pre(activate.length + deactivate.length > 0);
        const start = having(had.length === 0 ? ['radio'] : had);
        const asking = request('r1', { nas: nas({ enforcement: 'coa', order }), activate, deactivate });
        const { session, last } = play([asked(asking), overloaded], start);
        expect(brief(last)).toEqual(['nak 506']);
        expect(session?.services).toEqual(start.services);
        expect(session?.identity).toEqual(start.identity);
      }),
    );
  });
});
