// What people read: nothing that a client or a NAS says is obeyed by a terminal, and none of it makes a line of its own.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { columns } from '../../cli/layout.ts';
import { describeSession } from '../../cli/session-text.ts';
import { ConfigurationError } from '../../core/config/problems.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { printableLines } from '../../core/printable.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import type { Session } from '../../core/subscriber/session.ts';
import type { DecideReport } from '../../functions/decide/report.ts';
import type { IngestReport } from '../../functions/ingest/report.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { log, logFailure } from '../../functions/shared/telemetry.ts';
import { drawChart } from '../../local/demo/chart.ts';
import { jsonLine, readableLine } from '../../local/display.ts';
import type { SystemEvent } from '../../local/system.ts';
import type { RelayEvent } from '../../relay/telemetry/events.ts';
import { serveHttp } from '../../relay/telemetry/http.ts';
import { logEvents } from '../../relay/telemetry/log.ts';
import { accountedAs, ack, asked, COA, NOW, nak, play, record, request, service } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

const ROOT = join(import.meta.dirname, '../..');

/** It clears the screen, makes a line, returns, turns the text, and hides. */
const EVIL = 'a\x1b[2J\nFAULT  forged\r\x07\x7f\x9b31m\u202e\u2066\u200b\u2028\u2029\ufeff\u{e0001}z';
const SHOWN = 'a\\x1b[2J\\x0aFAULT  forged\\x0d\\x07\\x7f\\x9b31m';
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Asserts that `text` has the hostile text visibly, in lines that begin as ours do. */
function expectHarmless(text: string, shown = SHOWN): void {
  expect(text.replaceAll('\n', '')).not.toMatch(OBEYED);
  expect(text.split('\n').filter((line) => line.startsWith('FAULT  forged'))).toEqual([]);
  expect(text).toContain(shown);
}

/** In JSON, the escapes are JSON's, and it is the same JSON. */
function expectHarmlessJson(line: string): void {
  expect(line.replace(/\n$/, '')).not.toMatch(OBEYED);
  expect(JSON.stringify(JSON.parse(line))).toContain(JSON.stringify(EVIL).slice(1, 12));
}

/** A session with such a User-Name, service and NAS, and what has happened to it. */
function evilSession(acctSessionId = EVIL): {
  readonly session: Session;
  readonly before: Session | undefined;
} {
  const opened = play(
    [
      record('start', -100, { acctSessionId, identity: { 'User-Name': EVIL } }),
      asked(request('r1', { ...COA, acctSessionId, identity: {}, activate: [service(EVIL)] })),
      ack,
      record('start', 100, { acctSessionId, service: accountedAs(`other${EVIL}`, `${acctSessionId}:1`) }),
      asked(request('r2', { ...COA, acctSessionId, identity: {}, activate: ['video'] })),
    ],
    undefined,
    NOW,
  );
  const { session } = play([nak(506, EVIL)], opened.session, NOW + 1_000);
  if (session === undefined) throw new Error('an Acct-Start opens a session');
  return { session, before: opened.session };
}

describe('a session in text', () => {
  it('is harmless', () => {
    const { session, before } = evilSession();
    const item = historyItem(before, session, NOW);
    const text = describeSession(session, item === undefined ? [] : [item], NOW, 'UTC');
    expectHarmless(text);
    expectHarmless(columns([[EVIL, 'b']]).join('\n'));
  });
});

/** Every field of every event. */
const FIELDS = {
  correlationId: EVIL,
  commandId: EVIL,
  messageId: EVIL,
  site: EVIL,
  client: EVIL,
  feed: EVIL,
  nas: EVIL,
  server: EVIL,
  queue: EVIL,
  path: EVIL,
  warning: EVIL,
  problem: EVIL,
  error: EVIL,
  detail: EVIL,
  reason: EVIL,
  result: EVIL,
  text: EVIL,
  from: EVIL,
  to: EVIL,
  status: EVIL,
  scope: EVIL,
  acctSessionId: EVIL,
  service: EVIL,
  services: [EVIL],
  serviceSession: EVIL,
  userName: EVIL,
  cause: EVIL,
  activated: [EVIL],
  deactivated: [EVIL],
  unconfirmed: [EVIL],
  drifted: [EVIL],
  unchecked: [EVIL],
  by: [EVIL],
  session: { nas: EVIL, acctSessionId: EVIL },
  operation: 'activate',
  answer: 'nak',
  errorCause: 506,
  code: 43,
  identifier: 1,
  records: 1,
  oldestMs: 1,
  skewMs: 1,
  uncertaintyMs: 1,
  offsetSeconds: 1,
  latencyMs: 1,
  receiveBufferBytes: 1,
  lostRaces: 0,
  source: { address: EVIL, port: 1 },
  destination: { address: EVIL, port: 1 },
  coa: { address: EVIL, port: 1 },
  http: { address: EVIL, port: 1 },
  effects: [],
};

const RELAY_KINDS: Readonly<Record<RelayEvent['kind'], true>> = {
  listening: true,
  'weak-secret': true,
  'configuration-warning': true,
  'accounting-not-configured': true,
  'socket-error': true,
  draining: true,
  stopped: true,
  discarded: true,
  'request-forwarded': true,
  'reply-sent': true,
  'reply-not-sent': true,
  'command-sent': true,
  'command-answered': true,
  'command-unanswered': true,
  'command-not-sent': true,
  'nas-secret-changed': true,
  'accounting-answered': true,
  'accounting-unanswered': true,
  'accounting-not-sent': true,
  'accounting-server-changed': true,
  'accounting-waiting': true,
  'reply-ignored': true,
  'clock-skewed': true,
  'clock-in-step': true,
  'feed-discarded': true,
  'feed-received': true,
  'feed-refused': true,
  'feed-kept': true,
  'feed-unknown-nas': true,
  'feed-wrong-clock': true,
  'feed-queued': true,
  'feed-dropped': true,
  'feed-forwarded': true,
  'feed-answered': true,
  'feed-unanswered': true,
  'queue-trouble': true,
  'queue-recovered': true,
  'queue-entry-refused': true,
  'message-left': true,
  'message-repeated': true,
  'request-refused': true,
};
const DECIDE_KINDS: Readonly<Record<DecideReport['kind'], true>> = {
  decided: true,
  discarded: true,
  refused: true,
  found: true,
  failed: true,
  'not-scheduled': true,
};
const INGEST_KINDS: Readonly<Record<IngestReport['kind'], true>> = {
  decided: true,
  ignored: true,
  restarted: true,
  failed: true,
  'not-scheduled': true,
};

const EVENTS = [
  ...Object.keys(RELAY_KINDS).map((kind) => ({ source: 'relay', event: { ...FIELDS, kind } })),
  ...Object.keys(DECIDE_KINDS).map((kind) => ({ source: 'decide', event: { ...FIELDS, kind } })),
  ...Object.keys(INGEST_KINDS).map((kind) => ({ source: 'ingest', event: { ...FIELDS, kind } })),
  { source: 'account', event: { ...FIELDS, kind: 'failed' } },
  { source: 'account', event: { ...FIELDS, kind: 'unmade' } },
  { source: 'account', event: { ...FIELDS, kind: 'record', record: { message: FIELDS } } },
  { source: 'sweep', event: { kind: 'unknown-nases', unknown: { [EVIL]: 3 } } },
  { source: 'sink', event: { kind: 'recorded', attributes: [{ name: 'User-Name', value: EVIL }] } },
  { source: 'nas', event: { ...FIELDS, kind: 'answered' } },
  { source: 'configuration', event: { ...FIELDS, kind: 'warning' } },
  { source: 'cloud', event: { ...FIELDS, kind: 'problem' } },
] as unknown as readonly SystemEvent[];

describe('a line of npm start', () => {
  it.each(EVENTS.map((event) => [event.source, event.event.kind, event] as const))(
    'is one harmless line: %s %s',
    (_source, _kind, event) => {
      expect(readableLine(event, NOW) ?? '').not.toMatch(OBEYED);
      expect(jsonLine(event, NOW)).not.toMatch(OBEYED);
    },
  );

  it('shows what it hides', () => {
    const refused = EVENTS.find(({ source, event }) => source === 'decide' && event.kind === 'refused');
    if (refused === undefined) throw new Error('decide refuses requests');
    expectHarmless(readableLine(refused, NOW) ?? '');
    expectHarmlessJson(jsonLine(refused, NOW));
  });

  it('is harmless in the chart of the demo', () => {
    expectHarmless(
      drawChart([{ services: ['\x1b[2J\nb'], answer: 'ack' }], () => []),
      '\\x1b[2J\\x0ab',
    );
  });
});

describe('the log', () => {
  it.each(Object.keys(RELAY_KINDS))('of the relay is one harmless line: %s', (kind) => {
    const lines: string[] = [];
    logEvents((line) => lines.push(line), { now: () => NOW, monotonicNow: () => 0 })({
      ...FIELDS,
      kind,
    } as unknown as RelayEvent);
    for (const line of lines) expectHarmlessJson(line);
    expect(lines.length).toBeLessThanOrEqual(1);
  });

  it('of the functions is harmless, in its keys, too', () => {
    const written: unknown[] = [];
    const write = (record: unknown) => void written.push(record);
    const spies = [vi.spyOn(console, 'info'), vi.spyOn(console, 'error')];
    for (const spy of spies) spy.mockImplementation(write);
    onTestFinished(() => spies.forEach((spy) => void spy.mockRestore()));
    log({ kind: 'x', user: EVIL, unknown: { [EVIL]: [EVIL] } });
    const failure = { kind: 'x', messageId: EVIL, error: new Error('failed', { cause: 'b\x1b[2J\u202e' }) };
    logFailure(failure);
    expect(written).toHaveLength(2);
    for (const record of written) {
      expect(JSON.stringify(record)).not.toMatch(OBEYED);
      expect(JSON.stringify(record)).toContain(JSON.stringify(SHOWN).slice(1, -1));
    }
  });
});

describe('a page of the relay', () => {
  it('is harmless JSON', async () => {
    const server = await serveHttp(
      { address: '127.0.0.1', port: 0 },
      { problems: () => [EVIL], metrics: () => '' },
    );
    onTestFinished(server.close);
    const response = await fetch(`http://127.0.0.1:${server.local.port}/healthz`);
    expectHarmlessJson(await response.text());
  });
});

describe('an error of the configuration', () => {
  it('is one harmless line for each problem', () => {
    expectHarmless(new ConfigurationError([EVIL, 'b']).message);
    expect(new ConfigurationError([EVIL, 'b'], 'usage:\n  x').message.split('\n')).toHaveLength(4);
    const key = JSON.stringify(EVIL);
    expect(() => parseServicesFile('services.yaml', `services: { gold: { ${key}: 1 } }`)).toThrow(
      `services.yaml:1: services.gold.${SHOWN}`,
    );
  });
});

describe('text for a terminal', () => {
  it('keeps its lines and nothing else', () => {
    expect(printableLines('a\nb\x1b\n')).toBe('a\nb\\x1b\n');
    expect(printableLines('')).toBe('\n');
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('the command line'), () => {
  let table: Table;
  let config: string;
  beforeAll(async () => {
    table = await startTable();
    const { write } = createSessionStore(table.client, table.name);
    const { session, before } = evilSession();
    await write({ ...session, revision: 0 });
    await write({ ...evilSession(`b${EVIL}`).session, revision: 0 });
    const item = historyItem(before, session, Date.now());
    if (item !== undefined)
      await createHistoryWriter(table.client, table.name)(item, AbortSignal.timeout(10_000));
    config = await mkdtemp(join(tmpdir(), 'interlock-screens-'));
    await mkdir(join(config, 'sites'));
    await writeFile(join(config, 'services.yaml'), `services: { ${JSON.stringify(EVIL)}: {} }`);
    await writeFile(join(config, 'sites/demo.yaml'), `${JSON.stringify(EVIL)}: 1`);
  });
  afterAll(async () => {
    await rm(config, { recursive: true });
    await table.stop();
  });

  function run(file: string, ...args: readonly string[]) {
    const env = {
      ...process.env,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    };
    return new Promise<{ readonly stdout: string; readonly stderr: string }>((resolve) => {
      execFile(file, args, { env }, (_error, stdout, stderr) => resolve({ stdout, stderr }));
    });
  }
  const COMMAND = join(ROOT, 'cli/interlock.ts');
  const interlock = (...args: readonly string[]) =>
    run(process.execPath, COMMAND, ...args, '--table', table.name, '--endpoint', table.endpoint);

  it('shows and lists harmless text', async () => {
    for (const { stdout, stderr } of await Promise.all([
      interlock('show', EVIL),
      interlock('list', '--nas', 'bng-1'),
      interlock('list', '--service', 'video'),
      interlock('doctor', '--config', config),
    ])) {
      if (stdout !== '') expectHarmless(stdout);
      expect(stderr.replaceAll('\n', '')).not.toMatch(OBEYED);
    }
  });

  it('gives harmless JSON', async () => {
    for (const { stdout } of await Promise.all([
      interlock('show', '--json', EVIL),
      interlock('list', '--json', '--nas', 'bng-1'),
    ])) {
      expect(stdout).not.toBe('');
      for (const line of stdout.trim().split('\n')) expectHarmlessJson(line);
    }
  });

  it('says harmless sentences', async () => {
    for (const { stderr } of await Promise.all([
      interlock('show', `nobody${EVIL}`),
      interlock('resync', '--to', 'table', '--sqs-endpoint', table.endpoint, EVIL),
      interlock('resync', '--to', 'table', '--sqs-endpoint', table.endpoint, `nobody${EVIL}`),
      interlock(EVIL),
      interlock('list', '--service', `(${EVIL}`),
      run(process.execPath, join(ROOT, 'local/start.ts'), '--site', EVIL),
      run(process.execPath, join(ROOT, 'local/start.ts'), `--${EVIL}`),
      run(process.execPath, join(ROOT, 'relay/main.ts'), EVIL),
    ]))
      expectHarmless(stderr);
  });

  it('says how to go on in a word that a shell takes as it was meant', async () => {
    const { stderr } = await interlock('list', '--nas', 'bng-1', '--limit', '1');
    const [, after = ''] = / --after (.*)$/m.exec(stderr) ?? [];
    const where = `--table ${table.name} --endpoint ${table.endpoint}`;
    const { stdout } = await run(
      '/bin/bash',
      '-c',
      `${process.execPath} ${COMMAND} list --nas bng-1 ${where} --after ${after}`,
    );
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expectHarmless(stdout);
  });
});
