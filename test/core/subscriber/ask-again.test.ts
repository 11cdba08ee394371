// A relay stopped before it reported what the NAS said: the NAS is asked again.
import { describe, expect, it } from 'vitest';
import { type Event, MAX_TELLINGS } from '../../../core/subscriber/event.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import {
  accounted,
  ack,
  asked,
  brief,
  COA,
  deactivation,
  nak,
  outcome,
  play,
  request,
  services,
  timeout,
  told,
  unsent,
} from '../support.ts';

const interrupted = (session: Session | undefined): Event => outcome(session, 'interrupted');
const silver = () => {
  const { session } = play([asked(request('r0', { ...COA, activate: ['silver'] })), ack]);
  return session;
};
const gold = asked(request('r1', { ...COA, activate: ['gold'] }));
const leave = asked(request('r1', { ...COA, deactivate: [deactivation('silver')] }));
const stranger = asked(request('r1', { ...COA, deactivate: [deactivation('http')] }));

describe('a command whose outcome no relay has reported', () => {
  it('is told again in the same words under another name, and nothing else changes', () => {
    const first = play([gold], silver());
    const again = play([interrupted], first.session);
    expect(brief(again.last)).toEqual(['activate gold']);
    expect(told(again.last)).toEqual(told(first.last));
    expect(again.session?.transition?.commandId).not.toBe(first.session?.transition?.commandId);
    expect(services(again.session)).toEqual({ silver: 'active' });
  });

  it('is settled by what the NAS says then', () => {
    const before = silver();
    const played = play([gold, interrupted, ack, ack], before);
    expect(played.results.map(brief)).toEqual([
      ['activate gold'],
      ['activate gold'],
      ['deactivate silver'],
      ['ack'],
    ]);
    expect(accounted(before, played)).toEqual(['Start gold', 'Stop silver 10']);
  });

  it('concerns nothing any more: its outcome comes too late', () => {
    const { session: first } = play([gold], silver());
    const { session } = play([interrupted], first);
    const late = { ...outcome(first, 'ack'), id: 'late' };
    expect(play([late], session).last).toEqual({ effects: [] });
  });

  it(`is told ${MAX_TELLINGS} times, and then counts as unanswered`, () => {
    const relays = Array.from({ length: MAX_TELLINGS }, () => interrupted);
    const { results, session } = play([gold, ...relays], silver());
    expect(results.map(brief)).toEqual([
      ['activate gold'],
      ['activate gold'],
      ['activate gold'],
      ['nak 505', 'deactivate gold'],
    ]);
    expect(session?.answered.at(-1)?.reason).toBe('the relay was interrupted while it waited for the NAS');
  });

  it('may have been carried out, though the NAS refuses when it is asked again', () => {
    const { results } = play([gold, interrupted, nak(506)], silver());
    expect(results.map(brief).at(-1)).toEqual(['nak 506', 'deactivate gold']);
  });

  it('may have been carried out, though the relay does not send it again', () => {
    const { results } = play([gold, interrupted, unsent('nas-overloaded', 506)], silver());
    expect(results.map(brief).at(-1)).toEqual(['nak 506', 'deactivate gold']);
  });

  it('has deactivated what the NAS does not have when it is asked again: the client gets ACK', () => {
    const before = silver();
    const played = play([leave, interrupted, nak(503)], before);
    expect(brief(played.last)).toEqual(['ack']);
    expect(accounted(before, played)).toEqual(['Stop silver 10']);
  });

  it('may have deactivated what the NAS refuses to deactivate when it is asked again', () => {
    const { results, session } = play([leave, interrupted, nak(506)], silver());
    expect(results.map(brief).at(-1)).toEqual(['nak 506', 'activate silver']);
    expect(services(session)).toEqual({ silver: 'restoring' });
  });

  it('leaves in doubt what the table did not know, where the request fails after all', () => {
    const both = asked(request('r1', { ...COA, deactivate: [deactivation('http'), deactivation('silver')] }));
    const { session } = play([both, interrupted, nak(503), nak(503), nak(506), timeout], silver());
    expect(services(session)['http']).not.toBe('restoring');
    const { results } = play([stranger, interrupted, nak(503)], silver());
    expect(results.map(brief).at(-1)).toEqual(['ack']);
  });

  it.each([
    ['a deactivation of what was replaced', [gold, ack, interrupted], ['deactivate silver']],
    ['a restoration', [leave, timeout, interrupted], ['activate silver']],
    [
      'a Disconnect-Request',
      [asked(request('d1', { ...COA, isDisconnect: true })), interrupted],
      ['disconnect'],
    ],
  ] as const)('is told again if it was %s', (_, events, expected) => {
    expect(brief(play([...events], silver()).last)).toEqual(expected);
  });
});

describe('a Disconnect-Request whose outcome no relay has reported', () => {
  const end = (...events: Parameters<typeof play>[0]) =>
    play([asked(request('d1', { ...COA, isDisconnect: true })), interrupted, ...events], silver());

  it('has ended the session that the NAS does not know when it is asked again', () => {
    const { last, session } = end(nak(503));
    expect(brief(last)).toEqual(['ack']);
    expect(services(session)).toEqual({});
  });

  it('leaves in doubt what the session has, where the NAS refuses then', () => {
    const { last, session } = end(nak(506));
    expect(brief(last)).toEqual(['nak 506']);
    expect(services(session)).toEqual({ silver: 'unconfirmed' });
  });

  it('leaves in doubt what the session has, where the relay does not send it again', () => {
    expect(services(end(unsent('nas-overloaded', 506)).session)).toEqual({ silver: 'unconfirmed' });
  });
});
