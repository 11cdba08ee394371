import { describe, expect, it } from 'vitest';
import type { ReplyEffect } from '../../core/subscriber/session.ts';
import type { DecideReport } from '../../functions/decide/report.ts';
import { readableLine } from '../../local/display.ts';
import type { SystemEvent } from '../../local/system.ts';
import type { RelayEvent } from '../../relay/telemetry/events.ts';
import { origin } from '../core/support.ts';

/** What a line says behind its time. */
const line = (event: SystemEvent) => readableLine(event, 0)?.replace('00:00:00.000  ', '');

describe('of what the relay tells', () => {
  it.each<[RelayEvent, string]>([
    [
      { kind: 'weak-secret', path: 'clients.0.secret' },
      'note                 clients.0.secret: a secret of 12 characters or fewer is soon guessed',
    ],
    [
      { kind: 'accounting-waiting', server: '192.0.2.9:1813', records: 7, oldestMs: 61_200 },
      'waiting              192.0.2.9:1813 has not taken 7 accounting records, the oldest for 61 s',
    ],
    [
      { kind: 'accounting-server-changed', from: '192.0.2.8:1813', to: '192.0.2.9:1813' },
      'note                 accounting goes to 192.0.2.9:1813 instead of 192.0.2.8:1813',
    ],
    [
      { kind: 'queue-entry-refused', queue: 'inbox', error: 'InvalidMessageContents' },
      'problem              inbox: a message was refused: InvalidMessageContents',
    ],
  ])('$kind is a line', (event, text) => {
    expect(line({ source: 'relay', event })).toBe(text);
  });

  it.each<RelayEvent>([{ kind: 'draining' }, { kind: 'stopped' }])('$kind is none', (event) => {
    expect(line({ source: 'relay', event })).toBeUndefined();
  });
});

describe('of a session, tells apart', () => {
  type Decided = Extract<DecideReport, { kind: 'decided' }>;
  const decided = (event: Partial<Decided>) =>
    line({
      source: 'decide',
      event: {
        kind: 'decided',
        correlationId: 'r1',
        session: { nas: 'bng-1', acctSessionId: '0001' },
        userName: 'client1',
        cause: 'its time has come',
        activated: [],
        deactivated: [],
        effects: [],
        lostRaces: 0,
        ...event,
      },
    });
  const request = { cause: 'activate gold', receivedAtMs: 0 };
  const nak = { cause: 'the NAS: nak 506', result: 'nak' } as const;
  const reply: ReplyEffect = {
    kind: 'reply',
    correlationId: 'r1',
    origin: origin('r1'),
    answer: 'ack',
  };
  const refusal = { ...reply, answer: 'nak', errorCause: 506 } as const;
  const command = {
    kind: 'command',
    correlationId: 'r1',
    commandId: 'c1',
    operation: 'deactivate',
    services: ['gold'],
    attributes: '',
    startBeforeMs: 0,
  } as const;

  it.each<[string, Partial<Decided>, string]>([
    [
      'a change',
      { ...request, activated: ['gold'], deactivated: ['silver'] },
      'activate gold: +gold -silver',
    ],
    ['a refusal', { ...request, effects: [refusal], reason: 'too many' }, 'activate gold: too many'],
    [
      'a refusal that comes again',
      { ...request, effects: [refusal] },
      'activate gold: a repeat, answered as before',
    ],
    [
      'a request for what is there already',
      { ...request, effects: [reply] },
      'activate gold: nothing to change',
    ],
    ['a request that waits', request, 'activate gold: waits for what is under way'],
    [
      'a request that the NAS hears of',
      { ...request, effects: [command] },
      'activate gold: the NAS is told first',
    ],
    [
      'a deactivation that failed',
      { ...nak, effects: [reply], retryAttempts: 2 },
      'the NAS: nak 506: deactivation failed (attempt 2) and is tried again',
    ],
    [
      'a refusal whose undoing failed, too',
      { ...nak, effects: [refusal], reason: 'the NAS refused gold', retryAttempts: 1 },
      'the NAS: nak 506: the NAS refused gold; deactivation failed (attempt 1) and is tried again',
    ],
    [
      'an outcome with more to follow',
      { ...nak, effects: [command] },
      'the NAS: nak 506: the NAS is told to deactivate gold',
    ],
    ['an outcome too late', nak, 'the NAS: nak 506: nobody waits for it any more'],
    [
      'an activation of what was active already',
      { cause: 'the NAS: ack', result: 'ack', effects: [reply] },
      'the NAS: ack: nothing to change',
    ],
    ['a time that has come', { effects: [command] }, 'its time has come: the NAS is told to deactivate gold'],
  ])('%s', (_, event, text) => {
    expect(decided(event)).toBe(`transition r1        client1 0001: ${text}`);
  });

  it('a reminder with nothing left to do, which is no line', () => {
    expect(decided({})).toBeUndefined();
  });
});
