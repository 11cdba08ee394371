import { describe, expect, it } from 'vitest';
import type { ReplyEffect } from '../../core/subscriber/session.ts';
import type { DecideReport } from '../../functions/decide/report.ts';
import { readableLine } from '../../local/display.ts';
import type { SystemEvent } from '../../local/system.ts';
import type { RelayEvent } from '../../relay/telemetry/events.ts';
import { origin } from '../core/support.ts';

/** What a line says behind its time. */
const line = (event: SystemEvent) => readableLine(event, 0)?.replace('00:00:00.000  ', '');

describe('of the events of the relay', () => {
  it.each<[RelayEvent, string]>([
    [
      {
        kind: 'request-forwarded',
        correlationId: 'c1',
        client: 'policy',
        source: { address: '192.0.2.7', port: 4000 },
        code: 43,
        identifier: 185,
      },
      'request    c1        CoA-Request Id 185 from policy at 192.0.2.7:4000',
    ],
    [
      {
        kind: 'reply-sent',
        correlationId: 'c1',
        client: 'policy',
        destination: { address: '192.0.2.7', port: 4000 },
        code: 45,
        errorCause: 506,
        latencyMs: 132.6,
      },
      'reply      c1        CoA-NAK 506 Resources-Unavailable after 133 ms',
    ],
    [
      {
        kind: 'discarded',
        reason: 'repeat-in-progress',
        source: { address: '2001:db8::7', port: 4000 },
        correlationId: 'c1',
      },
      'discarded  c1        datagram from [2001:db8::7]:4000: repeat-in-progress',
    ],
    [
      {
        kind: 'command-sent',
        correlationId: 'c1',
        commandId: 'c1/1',
        nas: 'bng-1',
        acctSessionId: '0001',
        operation: 'activate',
        services: ['gold', 'voice'],
      },
      'command    c1        bng-1 0001: activate gold, voice',
    ],
    [
      {
        kind: 'command-answered',
        correlationId: 'c1',
        commandId: 'c1/1',
        nas: 'bng-1',
        operation: 'activate',
        result: 'ack',
        latencyMs: 12.3,
      },
      'outcome    c1        CoA-ACK from bng-1 after 12 ms',
    ],
    [
      {
        kind: 'command-unanswered',
        correlationId: 'c1',
        commandId: 'c1/1',
        nas: 'bng-1',
        result: 'timeout',
      },
      'outcome    c1        no reply from bng-1: timeout',
    ],
    [
      { kind: 'configuration-warning', warning: 'demo.yaml:6: nases.0.serviceAccounting: no Acct-Start' },
      'note                 demo.yaml:6: nases.0.serviceAccounting: no Acct-Start',
    ],
    [
      {
        kind: 'accounting-not-sent',
        correlationId: 'c1',
        status: 'Start',
        acctSessionId: '1:000001',
        serviceSession: 'gold',
        attributes: 'LAkB',
        error: 'RangeError: too long',
      },
      'problem    c1        Acct-Start 1:000001 gold not sent: RangeError: too long',
    ],
    [
      { kind: 'weak-secret', path: 'clients.0.secret' },
      'note                 clients.0.secret: the secret has 12 characters or fewer; use a longer one',
    ],
    [
      { kind: 'accounting-waiting', server: '192.0.2.9:1813', records: 7, oldestMs: 61_200 },
      'waiting              192.0.2.9:1813 has not acknowledged 7 accounting records; the oldest has waited 61 s',
    ],
    [
      { kind: 'accounting-server-changed', from: '192.0.2.8:1813', to: '192.0.2.9:1813' },
      'note                 the accounting server is now 192.0.2.9:1813, no longer 192.0.2.8:1813',
    ],
    [
      { kind: 'queue-entry-refused', queue: 'inbox', error: 'InvalidMessageContents' },
      'problem              queue inbox: SQS refused a message: InvalidMessageContents',
    ],
  ])('$kind is a line', (event, text) => {
    expect(line({ source: 'relay', event })).toBe(text);
  });

  it.each<RelayEvent>([{ kind: 'draining' }, { kind: 'stopped' }])('$kind is none', (event) => {
    expect(line({ source: 'relay', event })).toBeUndefined();
  });
});

it('shows what follows from the configuration, and a record that cannot be made', () => {
  const warning = 'services.yaml:4: services.quota.volumeMegabytes: bng-1 is not told of it';
  expect(line({ source: 'configuration', event: { kind: 'warning', warning } })).toBe(
    `note                 ${warning}`,
  );
  const unmade = {
    kind: 'unmade',
    site: 'demo',
    correlationId: 'c1',
    status: 'Stop',
    acctSessionId: '1:000001',
    serviceSession: 'gold',
    reason: 'too long',
  } as const;
  expect(line({ source: 'account', event: unmade })).toBe(
    'failed     c1        account: Acct-Stop 1:000001 gold cannot be made: too long',
  );
});

it('shows control characters of a client in hexadecimal, so that no terminal obeys them', () => {
  const event = {
    kind: 'refused',
    correlationId: 'c1',
    errorCause: 407,
    reason: 'ERX-Service-Activate "\x1b[2J": expected name or name(parameter, …)',
    queuedAtMs: 0,
  } as const;
  expect(line({ source: 'decide', event })).toBe(
    'refused    c1        407 Invalid-Attribute-Value: ERX-Service-Activate "\\x1b[2J": expected name or name(parameter, …)',
  );
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
        nas: 'bng-1',
        userName: 'client1',
        cause: 'its time has come',
        activated: [],
        deactivated: [],
        unconfirmed: [],
        drifted: [],
        unchecked: [],
        effects: [],
        lostRaces: 0,
        ...event,
      },
    });
  const request = { cause: 'activate gold', queuedAtMs: 0 };
  const nak = { cause: 'the NAS: nak 506', outcome: { result: 'nak', errorCause: 506 } } as const;
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
      'a refusal of a repeated request',
      { ...request, effects: [refusal] },
      'activate gold: repeated request: same reply',
    ],
    ['a request for an active service', { ...request, effects: [reply] }, 'activate gold: no change'],
    ['a request that waits', request, 'activate gold: waiting for the request in progress'],
    [
      'a request that needs the NAS',
      { ...request, effects: [{ ...command, operation: 'activate' }] },
      'activate gold: activating gold',
    ],
    [
      'a deactivation that failed',
      { ...nak, effects: [reply], retryAttempts: 2 },
      'the NAS: nak 506: attempt 2 failed, Interlock will retry',
    ],
    [
      'a refusal whose undoing failed, too',
      { ...nak, effects: [refusal], reason: 'the NAS refused gold', retryAttempts: 1 },
      'the NAS: nak 506: the NAS refused gold; attempt 1 failed, Interlock will retry',
    ],
    [
      'an activation that was not answered',
      {
        cause: 'the NAS: timeout',
        outcome: { result: 'timeout' },
        effects: [refusal],
        reason: 'the NAS did not answer',
        unconfirmed: ['gold'],
      },
      'the NAS: timeout: the NAS did not answer; gold: unconfirmed, the NAS may have it or not',
    ],
    [
      'an activation by attributes that the NAS is not told',
      {
        cause: 'the NAS: ack',
        outcome: { result: 'ack' },
        effects: [reply],
        activated: ['gold'],
        unchecked: ['Framed-IP-Address', 'NAS-Port'],
      },
      'the NAS: ack: +gold; Framed-IP-Address, NAS-Port: unchecked, the NAS is not told',
    ],
    ['an outcome with more to follow', { ...nak, effects: [command] }, 'the NAS: nak 506: deactivating gold'],
    ['an outcome too late', nak, 'the NAS: nak 506: ignored: no longer expected'],
    [
      'an activation of what was active already',
      { cause: 'the NAS: ack', outcome: { result: 'ack' }, effects: [reply] },
      'the NAS: ack: no change',
    ],
    ['a timer', { effects: [command] }, 'its time has come: deactivating gold'],
  ])('%s', (_, event, text) => {
    expect(decided(event)).toBe(`transition r1        client1 0001: ${text}`);
  });

  it('how a session lives, as its accounting says', () => {
    const opened = { cause: 'Acct-Start', life: 'opened' } as const;
    expect(decided(opened)).toBe('transition r1        client1 0001: Acct-Start: session opened');
    const closed = { cause: 'Acct-Stop', life: 'closed', deactivated: ['gold'] } as const;
    expect(decided(closed)).toBe('transition r1        client1 0001: Acct-Stop: session closed; -gold');
  });

  it('a timer that finds nothing to do, which is no line', () => {
    expect(decided({})).toBeUndefined();
  });
});

describe('of the accounting of a NAS', () => {
  it.each<[SystemEvent, string]>([
    [
      {
        source: 'relay',
        event: {
          kind: 'feed-queued',
          feed: 'nases',
          correlationId: 'c1',
          nas: 'bng-1',
          acctSessionId: 'a1',
          status: 'start',
        },
      },
      'learned    c1        bng-1 a1: start, from nases',
    ],
    [
      {
        source: 'ingest',
        event: {
          kind: 'restarted',
          correlationId: 'c1',
          nas: 'bng-1',
          status: 'on',
          eventAtMs: 0,
          scope: 'isp',
        },
      },
      'restart    c1        Accounting-On of bng-1, virtual router isp',
    ],
    [
      {
        source: 'decide',
        event: {
          kind: 'found',
          correlationId: 'c1',
          session: { nas: 'bng-1', acctSessionId: 'a1' },
          by: ['User-Name'],
        },
      },
      'found      c1        a1 by User-Name',
    ],
  ])('$event.kind is a line', (event, text) => {
    expect(line(event)).toBe(text);
  });
});
