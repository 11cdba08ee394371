import { describe, expect, it } from 'vitest';
import { HISTORY_RETENTION_DAYS, INDEX_ATTRIBUTES, TABLE } from '../../../core/cloud/table.ts';
import { HISTORY_ATTRIBUTES, historyItem } from '../../../core/subscriber/history.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import {
  accountedAs,
  ack,
  asked,
  CLIENT,
  NOW,
  nak,
  nas,
  outcome,
  play,
  record,
  request,
  service,
  unsent,
} from '../support.ts';

const COA = { nas: nas({ enforcement: 'coa' }) };
const origin = { kind: 'radius', client: CLIENT };

/** What history tells of the last of these events, without its keys and times. */
function told(events: Parameters<typeof play>[0], start?: Session) {
  const before = play(events.slice(0, -1), start).session;
  const item = historyItem(before, play(events.slice(-1), before).session, 0);
  if (item === undefined) throw new Error('there is no item');
  const { pk: _pk, sk: _sk, atMs: _at, version: _version, expiresAtSeconds: _expires, ...rest } = item;
  return rest;
}

describe('the history item of a change', () => {
  const gold = play([asked(request('r1', { activate: ['gold'] }))]).session;
  const silver = play([asked(request('r2', { activate: ['silver'] }))], gold, NOW + 90_500).session;

  it('says which session, when, what came and went, and what was answered to whom', () => {
    expect(historyItem(gold, silver, 0)).toEqual({
      pk: 'HISTORY#bng-1#s1',
      sk: 'EVENT#2026-11-22T12:01:30.500Z#000002',
      atMs: NOW + 90_500,
      version: 2,
      cause: 'request',
      correlationId: 'r2',
      activated: ['silver'],
      deactivated: ['gold'],
      requests: [{ correlationId: 'r2', origin, asked: 'activate silver', answer: 'ack' }],
      expiresAtSeconds: NOW / 1000 + 90 + HISTORY_RETENTION_DAYS * 86_400,
    });
  });

  it('is the same each time, however late it is made', () => {
    expect(historyItem(gold, silver, NOW + 1)).toEqual(historyItem(gold, silver, NOW + 999_999));
  });

  it('is small, and fits into one write unit', () => {
    expect(JSON.stringify(historyItem(gold, silver, 0)).length).toBeLessThan(500);
  });

  it('follows a switch step by step, as the NAS is told and confirms', () => {
    const steps: Parameters<typeof play>[0] = [
      asked(request('r1', { ...COA, activate: ['gold', 'voice'] })),
      (s) => outcome(s, 'ack'),
      asked(request('r2', { ...COA, activate: ['silver'], deactivate: ['voice'] })),
      (s) => outcome(s, 'ack'),
      (s) => outcome(s, 'ack'),
      (s) => outcome(s, 'ack'),
    ];
    const asking = { correlationId: 'r2', origin, asked: 'activate silver, deactivate voice' };
    expect([3, 4, 5, 6].map((count) => told(steps.slice(0, count)))).toEqual([
      {
        cause: 'request',
        correlationId: 'r2',
        command: {
          commandId: expect.stringMatching(/^r2\/3\//),
          operation: 'activate',
          services: ['silver'],
        },
        requests: [asking],
      },
      {
        cause: 'outcome',
        correlationId: 'r2',
        outcome: { result: 'ack' },
        command: {
          commandId: expect.stringMatching(/^r2\/4\//),
          operation: 'deactivate',
          services: ['voice'],
        },
      },
      {
        cause: 'outcome',
        correlationId: 'r2',
        outcome: { result: 'ack' },
        activated: ['silver'],
        deactivating: ['gold'],
        deactivated: ['voice'],
        command: {
          commandId: expect.stringMatching(/^r2\/5\//),
          operation: 'deactivate',
          services: ['gold'],
        },
      },
      {
        cause: 'outcome',
        correlationId: 'r2',
        outcome: { result: 'ack' },
        deactivated: ['gold'],
        requests: [{ ...asking, answer: 'ack' }],
      },
    ]);
  });

  it('says why a request was refused', () => {
    expect(told([asked(request('r2', { identity: { 'User-Name': 'somebody.else' } }))], gold)).toEqual({
      cause: 'request',
      correlationId: 'r2',
      requests: [
        {
          correlationId: 'r2',
          origin,
          asked: '',
          answer: 'nak',
          errorCause: 503,
          reason: 'User-Name is not that of the session',
        },
      ],
    });
  });

  it('tells what is taken back when the NAS stays silent, and how often that failed', () => {
    const silver = play([asked(request('r0', { activate: ['silver'] }))]).session;
    const silence = [
      asked(request('r1', { ...COA, activate: ['gold'] })),
      (s?: Session) => outcome(s, 'timeout'),
      (s?: Session) => outcome(s, 'timeout'),
    ];
    expect(told(silence.slice(0, 2), silver)).toMatchObject({
      cause: 'outcome',
      deactivating: ['gold'],
      command: { commandId: expect.stringMatching(/^r1\/3\//), operation: 'deactivate' },
      requests: [{ answer: 'nak', errorCause: 505, reason: 'the NAS did not answer' }],
    });
    expect(told(silence, silver)).toEqual({
      cause: 'outcome',
      correlationId: 'r1',
      outcome: { result: 'timeout' },
      retryAttempts: 1,
    });
  });

  it("has the NAS's words of each refusal, and why a command has no answer", () => {
    const silver = play([asked(request('r0', { activate: ['silver'] }))]).session;
    const switched: Parameters<typeof play>[0] = [
      asked(request('r1', { ...COA, activate: ['gold'] })),
      (s) => outcome(s, 'ack'),
    ];
    const busy = { result: 'nak', errorCause: 506, text: 'busy' };
    expect(told([...switched, nak(506, 'busy')], silver)).toMatchObject({ outcome: busy, retryAttempts: 1 });
    for (const result of ['timeout', 'unreachable', 'interrupted'] as const)
      expect(told([...switched, (s) => outcome(s, result)], silver).outcome).toEqual({ result });
    expect(told([...switched, unsent('nas-overloaded', 506)], silver).outcome).toEqual({
      result: 'unsent',
      errorCause: 506,
      unsent: 'nas-overloaded',
    });
  });

  it('says of a deadline that the relay did not report', () => {
    const before = play([asked(request('r1', { ...COA, activate: ['gold'] }))]).session;
    const deadlineMs = before?.transition?.deadlineMs ?? 0;
    const after = play([{ kind: 'due', id: 'd1' }], before, deadlineMs).session;
    expect(historyItem(before, after, 0)).toMatchObject({ cause: 'due', outcome: { result: 'deadline' } });
  });

  it('tells of a request that waits, and of the answer to another with which its turn comes', () => {
    const events: Parameters<typeof play>[0] = [
      asked(request('r1', { ...COA, activate: ['gold'] })),
      asked(request('r2', { ...COA, activate: ['video'] })),
      (s) => outcome(s, 'ack'),
    ];
    expect(told(events.slice(0, 2))).toEqual({
      cause: 'request',
      correlationId: 'r2',
      requests: [{ correlationId: 'r2', origin, asked: 'activate video' }],
    });
    expect(told(events)).toEqual({
      cause: 'outcome',
      correlationId: 'r1',
      outcome: { result: 'ack' },
      activated: ['gold'],
      command: { commandId: expect.stringMatching(/^r2\/3\//), operation: 'activate', services: ['video'] },
      requests: [{ correlationId: 'r1', origin, asked: 'activate gold', answer: 'ack' }],
    });
  });

  it('tells all the answers that one change gives', () => {
    const stranger = { ...COA, identity: { 'User-Name': 'somebody.else' } };
    const events: Parameters<typeof play>[0] = [
      asked(request('r1', { ...COA, activate: ['gold'] })),
      asked(request('r2', { ...stranger, activate: ['video'] })),
      (s) => outcome(s, 'ack'),
    ];
    expect(told(events).requests).toMatchObject([
      { correlationId: 'r1', answer: 'ack' },
      { correlationId: 'r2', answer: 'nak', errorCause: 503 },
    ]);
  });

  it('tells what time has done, under the id that decide logs', () => {
    const limited = play([asked(request('r1', { activate: [service('gold', { timeoutSeconds: 60 })] }))]);
    const due = play([{ kind: 'due', id: 'due-1' }], limited.session, NOW + 60_000).session;
    expect(historyItem(limited.session, due, 0)).toMatchObject({
      cause: 'due',
      correlationId: 'due-1',
      deactivated: ['gold'],
    });
  });

  it('tells a service that is the same in name only from the one before', () => {
    const left = play([asked(request('r3', { deactivate: ['gold'] }))], gold).session;
    const back = play([asked(request('r4', { activate: ['gold'] }))], left).session;
    expect(historyItem(gold, back, 0)).toMatchObject({ activated: ['gold'], deactivated: ['gold'] });
  });

  it('names services in the order of their activation, whatever the order in which they are stored', () => {
    const { session } = play([asked(request('r1', { activate: ['voice', 'gold', 'video'] }))]);
    const services = Object.fromEntries(Object.entries(session?.services ?? {}).reverse());
    expect(historyItem(undefined, session && { ...session, services }, 0)?.activated).toEqual([
      'voice',
      'gold',
      'video',
    ]);
  });

  it('is none where the version stays: it would take the place of the item of that version', () => {
    expect(gold && historyItem(gold, { ...gold, services: {} }, 0)).toBeUndefined();
    expect(historyItem(undefined, undefined, 0)).toBeUndefined();
  });

  it('has attributes that are all known, and none that is the key of an index', () => {
    const all = told([asked(request('r1', { ...COA, activate: ['gold'] })), (s) => outcome(s, 'timeout')]);
    expect(HISTORY_ATTRIBUTES).toEqual(expect.arrayContaining(Object.keys(all)));
    const keys = [TABLE.sessionsIndex, ...INDEX_ATTRIBUTES];
    expect(HISTORY_ATTRIBUTES.filter((name) => keys.includes(name))).toEqual([]);
    expect(HISTORY_ATTRIBUTES).toContain(TABLE.timeToLiveAttribute);
  });
});

describe('the history of a session that somebody removes', () => {
  const session = play([asked(request('r1', { activate: ['gold', 'voice'] }))]).session;

  it('tells what it had, at the time that the stream has', () => {
    expect(historyItem(session, undefined, NOW + 60_000)).toEqual({
      pk: 'HISTORY#bng-1#s1',
      sk: 'EVENT#2026-11-22T12:01:00.000Z#000002',
      atMs: NOW + 60_000,
      version: 2,
      cause: 'removal',
      deactivated: ['gold', 'voice'],
      expiresAtSeconds: NOW / 1000 + 60 + HISTORY_RETENTION_DAYS * 86_400,
    });
  });

  it('says that a session is over when it is forgotten, and nothing when its item is removed', () => {
    const stamped = { ...COA, eventAtSeconds: NOW / 1000 };
    const { session } = play([
      asked(request('r1', { ...stamped, activate: ['gold'] })),
      ack,
      asked(request('r2', { ...stamped, deactivate: ['gold'] })),
      ack,
    ]);
    const atMs = NOW + 300_000;
    const { session: left } = play([{ kind: 'due', id: 'd1' }], session, atMs);
    expect(left?.isForgotten).toBe(true);
    const { pk: _, sk: __, expiresAtSeconds: ___, ...item } = historyItem(session, left, 0) ?? {};
    expect(item).toEqual({ cause: 'removal', atMs, version: (session?.version ?? 0) + 1 });
    expect(historyItem(left, undefined, atMs)).toBeUndefined();
  });

  it('puts the removal behind the last change, though the stream rounds down its times', () => {
    const last = historyItem(undefined, session, 0);
    const removal = historyItem(session, undefined, NOW - 999);
    expect([last?.sk, removal?.sk]).toEqual([
      'EVENT#2026-11-22T12:00:00.000Z#000001',
      'EVENT#2026-11-22T12:00:00.000Z#000002',
    ]);
  });

  it('goes on behind that when the session begins again at version 1', () => {
    const again = play([asked(request('r9', { activate: ['gold'] }))], undefined, NOW + 60_500).session;
    const keys = [
      historyItem(undefined, session, 0),
      historyItem(session, undefined, NOW + 60_000),
      historyItem(undefined, again, 0),
    ].map((item) => item?.sk);
    expect(keys).toEqual(keys.toSorted());
    expect(new Set(keys).size).toBe(3);
  });
});

describe('the history of a session that accounting has told of', () => {
  const start = record('start', 0);
  const gold = [asked(request('r1', { ...COA, activate: ['gold'] })), (s?: Session) => outcome(s, 'ack')];

  it('says when it was opened, replaced and closed, and what ended with it', () => {
    expect(told([start])).toEqual({ cause: 'record', correlationId: 'start 0', life: 'opened' });
    const other = record('start', 1, { identity: { 'User-Name': 'another' } });
    expect(told([start, other])).toEqual({ cause: 'record', correlationId: 'start 1', life: 'replaced' });
    expect(told([start, record('stale', 1)])).toEqual({
      cause: 'record',
      correlationId: 'stale 1',
      life: 'stale',
    });
    expect(told([start, ...gold, record('stop', 2)])).toEqual({
      cause: 'record',
      correlationId: 'stop 2',
      life: 'closed',
      deactivated: ['gold'],
    });
    const restart = { kind: 'nas-restart', id: 'on', eventAtMs: NOW + 1, terminateCause: 11 } as const;
    expect(told([start, restart])).toEqual({ cause: 'nas-restart', correlationId: 'on', life: 'closed' });
  });

  it('says what the NAS accounts and the table does not have, and how an operator settled it', () => {
    const silver = record('start', 90, { service: accountedAs('silver') });
    expect(told([start, ...gold, silver])).toEqual({
      cause: 'record',
      correlationId: silver.id,
      drift: ['silver'],
      unconfirmed: ['silver'],
    });
    expect(told([start, ...gold, silver, { kind: 'resync', id: 'told', to: 'nas' }])).toEqual({
      cause: 'resync',
      correlationId: 'told',
      activated: ['silver'],
      unconfirmed: ['gold'],
    });
  });

  it('has no item for a record that says who the subscriber is and no more', () => {
    const before = play([start]).session;
    const more = record('interim', 60, { identity: { 'Framed-IP-Address': '198.51.100.7' } });
    expect(historyItem(before, play([more], before).session, 0)).toBeUndefined();
  });
});
