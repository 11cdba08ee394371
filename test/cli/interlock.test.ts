import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { historyItem } from '../../core/subscriber/history.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createHistoryWriter } from '../../functions/shared/history-writer.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { openPolicyServer } from '../../local/peers/policy-server/policy-server.ts';
import { asked, play, request, stored } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

const ROOT = join(import.meta.dirname, '../..');
const COMMAND = join(ROOT, JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).bin.interlock);

/** Of AWS no more than this, wherever the tests run. */
const NOWHERE = {
  PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
};
const SOMEWHERE = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the file that npx runs, as a program. */
function interlock(args: readonly string[], environment: object = SOMEWHERE): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(COMMAND, args, { env: { ...NOWHERE, ...environment } }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock show'), () => {
  let table: Table;
  beforeAll(async () => {
    table = await startTable();
  });
  afterAll(() => table.stop());

  /** A session in the table. */
  async function storedSession(acctSessionId: string, userName: string): Promise<Session> {
    const identity = { 'User-Name': userName };
    const { session } = play([asked(request('r1', { acctSessionId, identity, activate: ['gold'] }))]);
    if (session === undefined) throw new Error('a request makes a session');
    const unwritten = { ...session, revision: 0 };
    await createSessionStore(table.client, table.name).write(unwritten);
    return stored(unwritten);
  }
  const show = (name: string, ...options: readonly string[]) =>
    interlock(['show', name, '--table', table.name, '--endpoint', table.endpoint, ...options]);

  it('shows all sessions of that name, and says where it looked', async () => {
    await storedSession('0001', 'client1@isp1.com');
    await storedSession('0002', 'client1@isp1.com');
    const { code, stdout, stderr } = await show('client1@isp1.com');
    expect(code).toBe(0);
    expect(stderr).toBe(`table sessions at ${table.endpoint}\n`);
    const sessions = stdout.split(/\n\n(?=User-Name)/);
    expect(sessions.map((text) => text.split('\n')[1])).toEqual([
      'Acct-Session-Id  0001',
      'Acct-Session-Id  0002',
    ]);
    for (const text of sessions) expect(text).toMatch(/\n {2}gold {2}12 {5}active {2}r1 /);
  });

  it('gives each session whole as a line of JSON, with its history', async () => {
    const sessions = [await storedSession('j1', 'json'), await storedSession('j2', 'json')];
    const item = historyItem(undefined, sessions[1], 0);
    if (item === undefined) throw new Error('a change has an item');
    const yet = { ...item, expiresAtSeconds: Math.ceil(Date.now() / 1000) + 60 };
    await createHistoryWriter(table.client, table.name)(yet, AbortSignal.timeout(10_000));
    const { stdout } = await show('json', '--json');
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { ...sessions[0], history: [] },
      { ...sessions[1], history: [yet] },
    ]);
  });

  it('ends with 1 and a sentence when no session has that name', async () => {
    expect(await show('client9')).toEqual({
      code: 1,
      stdout: '',
      stderr: `table sessions at ${table.endpoint}\nno session is known by client9\n`,
    });
  });

  it.each(['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_DYNAMODB'])('finds the table through %s', async (name) => {
    await storedSession(name, 'environment');
    const environment = { ...SOMEWHERE, [name]: table.endpoint };
    const { code, stderr } = await interlock(['show', name, '--table', table.name], environment);
    expect([code, stderr]).toEqual([0, `table sessions at ${table.endpoint}\n`]);
  });

  it('says why it cannot read', async () => {
    const [missing, refused, lost] = await Promise.all([
      show('x', '--table', 'nowhere'),
      interlock(['show', 'x', '--endpoint', 'http://127.0.0.1:9']),
      interlock(['show', 'x', '--table', 'deployed'], {}),
    ]);
    expect(missing).toMatchObject({
      code: 1,
      stderr: `table nowhere at ${table.endpoint}\ncannot read the table: ResourceNotFoundException: Requested resource not found\n`,
    });
    expect(refused).toMatchObject({
      code: 1,
      stderr:
        'table interlock at http://127.0.0.1:9\ncannot read the table: Error: connect ECONNREFUSED 127.0.0.1:9\n',
    });
    expect(lost).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^no region: .*; give --region or --endpoint\n$/),
    });
  });

  it('resync sends to no queue that may be of another system', async () => {
    const where = ['--table', table.name, '--endpoint', table.endpoint];
    expect(await interlock(['resync', 'one', '--to', 'nas', ...where])).toEqual({
      code: 1,
      stdout: '',
      stderr: `table sessions at ${table.endpoint}\nthe queues are not known: give --sqs-endpoint beside --endpoint, or start \`npm start\` of this release\n`,
    });
  });

  it('prints its usage on request', async () => {
    const asked = [['--help'], ['-h'], ['show', '--help'], ['show', 'one', 'two', '-h']];
    for (const ended of await Promise.all(asked.map((args) => interlock(args, {})))) {
      expect(ended).toEqual({
        code: 0,
        stdout: expect.stringMatching(/^usage: npx interlock show /),
        stderr: '',
      });
    }
  });

  it.each([
    [[], 'a command is missing'],
    [['show'], 'show takes one NAME'],
    [['show', 'one', 'two'], 'show takes one NAME'],
    [['hide', 'one'], 'hide is not a command'],
    [['show', 'one', '--loud'], "Unknown option '--loud'.*"],
    [['show', 'one', '--config', 'config'], 'show takes no --config'],
    [['resync', '--to', 'nas'], 'resync takes one NAME'],
    [['resync', 'one'], 'resync takes --to table or --to nas'],
    [['resync', 'one', '--to', 'me'], '--to takes table or nas'],
    [['resync', 'one', '--to', 'nas', '--json'], 'resync takes no --json'],
    [['show', 'one', '--to', 'nas'], 'only resync takes --to and --sqs-endpoint'],
    [['show', 'one', '--nas', 'bng-1'], 'only list, resync and forget take --nas'],
    [['show', 'one', '--yes'], 'only forget takes --yes'],
    [['forget', '--yes'], 'forget takes one NAME'],
    [['forget', 'one', '--json'], 'forget takes no --json'],
    [['doctor', 'one'], 'doctor takes no NAME'],
    [['doctor', '--json'], 'doctor takes no --json'],
  ])('says what is wrong with the arguments %j, and its usage', async (args, problem) => {
    expect(await interlock(args)).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^${problem}\nusage: npx interlock show `)),
    });
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock doctor'), () => {
  it('checks a table and a directory, and ends with 0 or 1', async () => {
    const table = await startTable();
    onTestFinished(table.stop);
    const examine = (...options: readonly string[]) =>
      interlock(['doctor', '--table', table.name, '--endpoint', table.endpoint, ...options]);
    const well = await examine('--config', join(ROOT, 'config'));
    expect([well.code, well.stderr]).toEqual([0, `table sessions at ${table.endpoint}\n`]);
    expect(well.stdout).toMatch(
      /^ok {5}the configuration can be used: 6 services, 1 site, 1 NAS\n(?:ok {5}.*\n){7}note {3}no session of bng-1 is known by its accounting, which its site takes\n$/,
    );
    const lost = await examine('--config', tmpdir());
    expect(lost).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^FAULT {2}the configuration cannot be used\n {9}.*sites: cannot be read/,
      ),
    });
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('interlock show and doctor beside npm start'), () => {
  const SITE = `
site: demo
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]
nases: [{ name: bng-1, address: "192.0.2.9:3799", secret: testing123, identifiedBy: [192.0.2.1] }]
`;

  it('asks the running system without being told where it is, and finds none once it has stopped', async () => {
    const data = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(data, { recursive: true }));
    const site = join(data, 'demo.yaml');
    await writeFile(site, SITE);
    const system = spawn(process.execPath, ['local/start.ts', '--site', site, '--data', data, '--json'], {
      cwd: ROOT,
      env: NOWHERE,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void system.kill('SIGKILL'));
    const ended = once(system, 'exit');
    const show = () => interlock(['show', 'client1@isp1.com', '--data', data], {});

    for await (const line of createInterface({ input: system.stdout })) {
      const { kind, coa } = JSON.parse(line);
      if (kind !== 'ready') continue;
      const policyServer = openPolicyServer(
        { address: '127.0.0.1', port: Number(coa.split(':')[1]) },
        'testing123',
      );
      onTestFinished(() => policyServer.close());
      await policyServer.request([
        ['User-Name', 'client1@isp1.com'],
        ['Acct-Session-Id', '0001'],
        ['Vendor-Specific', 4874, [['ERX-Service-Activate', 1, 'gold']]],
      ]);
      const { code, stdout, stderr } = await show();
      expect(stderr).toMatch(/^table interlock at http:\/\/127\.0\.0\.1:\d+\n$/);
      expect(code).toBe(0);
      expect(stdout).toMatch(/\n {2}gold {2}12 {5}active /);
      // History comes through the stream.
      await vi.waitFor(
        async () => expect((await show()).stdout).toMatch(/ request {2}\+gold .*: CoA-ACK\n$/),
        {
          timeout: 10_000,
        },
      );
      // With the files that the system was started with, as they are now.
      const doctor = () => interlock(['doctor', '--data', data], {});
      expect(await doctor()).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('ok     the table can be read: 1 session\n'),
      });
      await writeFile(site, SITE.replace('bng-1', 'bng-2'));
      expect(await doctor()).toMatchObject({
        code: 1,
        stdout: expect.stringContaining(
          'FAULT  sessions are of NASes that no site file names\n         bng-1: 1 session, such as 0001\n',
        ),
      });
      await writeFile(site, SITE.replace('bng-1', 'bng-2, formerly: [bng-1]'));
      expect(await doctor()).toMatchObject({ code: 0 });
      system.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
    expect(await show()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Interlock does not run on this machine: /),
    });
  });
});
