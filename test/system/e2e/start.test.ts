// `npm start` as its user meets it: a process, its lines, its signals and its complaints.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, it as base, beforeAll, describe, vi } from 'vitest';
import { type QueueName, queueName } from '../../../core/cloud/queues.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { startDynoxide } from '../../../local/cloud/dynoxide.ts';
import { dynoxide, LOCAL } from '../../local/cloud/emulators.ts';
import { closedPort, Recorder, type UdpPeer, udpPeer } from '../../relay/support.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import {
  coaRequest,
  exchange,
  SECRET,
  SERVICES_FILE,
  siteFile,
  temporaryFolder,
  untilEmpty,
} from './support.ts';

// Much of the time here is spent waiting for processes, so the tests wait side by side.
const TIMEOUT_MS = 60_000;

const START = join(import.meta.dirname, '../../../local/start.ts');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let site: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  site = await write('site.yaml', siteFile());
});
afterAll(() => folder.remove());

async function write(name: string, content: string): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, content);
  return path;
}

type Spawn = (args: readonly string[], environment?: NodeJS.ProcessEnv) => ChildProcess;

const it = base.extend<{
  spawnStart: Spawn;
  complaintOf: (args: readonly string[]) => Promise<string>;
  client: UdpPeer;
}>({
  /** Starts it; it ends with the test at the latest. */
  spawnStart: async ({ task: _ }, use) => {
    const children: ChildProcess[] = [];
    await use((args, environment) => {
      const env = { PATH: process.env['PATH'], ...environment };
      const child = spawn(process.execPath, [START, ...args], { cwd: folder.path, env });
      children.push(child);
      return child;
    });
    for (const child of children) child.kill('SIGKILL');
  },
  /** Gives what it writes to stderr before it exits with 1. */
  complaintOf: async ({ spawnStart }, use) => {
    await use(async (args) => {
      const child = spawnStart(args);
      const exit = once(child, 'exit');
      const complaint = await text(child.stderr ?? process.stdin);
      const [code] = await exit;
      if (code !== 1) throw new Error(`it exited with ${code}: ${complaint}`);
      return complaint;
    });
  },
  client: async ({ task: _ }, use) => {
    const client = await udpPeer();
    await use(client);
    await client.close();
  },
});

/** Waits until it is ready. */
async function start(spawnStart: Spawn, args: readonly string[] = [], environment?: NodeJS.ProcessEnv) {
  const child = spawnStart(['--services', SERVICES_FILE, '--site', site, ...args], environment);
  const lines = new Recorder<string>();
  createInterface({ input: child.stdout ?? process.stdin }).on('line', lines.add);
  const exit = once(child, 'exit');
  const isLast = (line: string) => line.includes('radclient') || line.includes('"ready"');
  const failed = exit.then(async () => {
    throw new Error(await text(child.stderr ?? process.stdin));
  });
  const last = await Promise.race([lines.first(isLast), failed]);
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(last) ?? [];
  return {
    lines,
    last,
    pid: child.pid,
    coaAddress: { address: '127.0.0.1', port: Number(port) },
    /** Gives its exit code and the signal that ended it. */
    end: (signal: NodeJS.Signals): Promise<unknown[]> => {
      child.kill(signal);
      return exit;
    },
  };
}

describe.skipIf(dynoxide.skip).concurrent(dynoxide.title('npm start'), { timeout: TIMEOUT_MS }, () => {
  it.for(['SIGTERM', 'SIGINT'] as const)(
    'says that it is ready, answers, and exits in peace on %s',
    async (signal, { spawnStart, client, expect }) => {
      const { lines, coaAddress, end } = await start(spawnStart);
      expect(lines.all).toContainEqual(expect.stringMatching(/^Interlock is ready after \d+\.\d s$/));
      expect(lines.all).toContain(`  site test: CoA-Requests on udp 127.0.0.1:${coaAddress.port}`);
      const [, health = ''] = /(http:\S+healthz)/.exec(lines.all.join('\n')) ?? [];
      await vi.waitUntil(async () => (await fetch(health)).status === 200, { timeout: 10_000 });

      const changed = lines.first((line) => line.includes('+gold'));
      const request = coaRequest({ acctSessionId: 'one', activate: ['gold'] });
      expect((await exchange(client, request, coaAddress)).code).toBe(CODE.CoaAck);
      expect(await changed).toContain('client1@isp1.com one: activate gold: +gold');
      expect(await end(signal)).toEqual([0, null]);
    },
  );

  it.skipIf(radclientPeer.skip)(
    radclientPeer.title('names a command to try it with, which works'),
    async ({ spawnStart, expect }) => {
      const { last, lines } = await start(spawnStart);
      const { stdout } = await promisify(execFile)('/bin/sh', ['-c', last]);
      expect(stdout).toContain('Received CoA-ACK');
      expect(await lines.first((line) => line.includes('0001: activate gold'))).toContain('+gold');
    },
  );

  it.skipIf(radclientPeer.skip)(
    radclientPeer.title(
      'logs a subscriber on and off with the command that it names, and finds him by his name',
    ),
    async ({ spawnStart, expect }) => {
      const feeds = await write(
        'feeds.yaml',
        siteFile({ nasPort: await closedPort(), takesAccounting: true }),
      );
      const { lines, coaAddress } = await start(spawnStart, ['--site', feeds]);
      const logOn = await lines.first((line) => line.includes(' acct '));
      const account = async (command: string) =>
        expect((await promisify(execFile)('/bin/sh', ['-c', command])).stdout).toContain(
          'Received Accounting-Response',
        );
      const ask = async (command: 'coa' | 'disconnect', ...change: readonly string[]) => {
        const attributes = ['User-Name = "ann@isp"', ...change];
        const { port } = coaAddress;
        return (await radclient({ command, port, secret: SECRET, attributes, timeoutSeconds: 20 })).answer
          ?.code;
      };
      await account(logOn);
      await lines.first((line) => line.includes('ann@isp a1: Acct-Start: session opened'));
      expect(await ask('coa', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-ACK');
      await lines.first((line) => line.includes('a1 by User-Name'));
      await account(logOn.replace('= Start', '= Stop'));
      await lines.first((line) => line.includes('ann@isp a1: Acct-Stop: session closed; -gold'));
      expect(await ask('coa', 'ERX-Service-Activate:1 = "gold"')).toBe('CoA-NAK');

      // Another one is logged on and has nothing yet: the NAS knows the session all the same.
      await account(logOn.replace('"a1"', '"a2"'));
      await lines.first((line) => line.includes('ann@isp a2: Acct-Start: session opened'));
      expect(await ask('disconnect')).toBe('Disconnect-ACK');
    },
  );

  it('writes nothing but JSON lines with --json, and no secret', async ({ spawnStart, client, expect }) => {
    const { lines, coaAddress, end } = await start(spawnStart, ['--json']);
    await exchange(client, coaRequest({ acctSessionId: 'json', activate: ['gold'] }), coaAddress);
    await end('SIGTERM');
    const events = lines.all.map((line) => JSON.parse(line));
    expect(events).toContainEqual(expect.objectContaining({ source: 'start', kind: 'ready' }));
    expect(events).toContainEqual(
      expect.objectContaining({ source: 'decide', kind: 'decided', activated: ['gold'] }),
    );
    expect(events).toContainEqual(expect.objectContaining({ kind: 'stopped' }));
    expect(lines.all.join()).not.toContain(SECRET);
  });

  it('goes on after it was killed, with --data', async ({ spawnStart, client, expect, onTestFinished }) => {
    const data = join(folder.path, 'data');
    const killed = await start(spawnStart, ['--data', data]);
    const gold = coaRequest({ acctSessionId: 'killed', activate: ['gold'] });
    expect((await exchange(client, gold, killed.coaAddress)).code).toBe(CODE.CoaAck);
    // A message that is in somebody's hands when he dies stays hidden for its visibility timeout.
    const [, endpoint = ''] = /SQS on (http:[^ ,]+)/.exec(killed.lines.all.join()) ?? [];
    const sqs = new SQSClient({ endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
    onTestFinished(() => sqs.destroy());
    const urlOf = (queue: QueueName) => ({ url: `${endpoint}/000000000000/${queueName('test', queue)}` });
    await untilEmpty(sqs, [urlOf('inbox'), urlOf('outbox')]);
    expect(await killed.end('SIGKILL')).toEqual([null, 'SIGKILL']);

    const { lines, coaAddress } = await start(spawnStart, ['--data', data]);
    const silver = coaRequest({ acctSessionId: 'killed', activate: ['silver'], identifier: 2 });
    expect((await exchange(client, silver, coaAddress)).code).toBe(CODE.CoaAck);
    expect(await lines.first((line) => line.includes('activate silver'))).toContain('+silver -gold');
  });

  it('keeps to itself what --data names, and says whose it is', async ({
    spawnStart,
    complaintOf,
    expect,
  }) => {
    const data = join(folder.path, 'taken');
    const { pid, end } = await start(spawnStart, ['--data', data]);
    const files = ['--services', SERVICES_FILE, '--site', site];
    expect(await complaintOf([...files, '--data', data])).toBe(
      `${data}: process ${pid} uses this directory: stop it, or give another directory\n`,
    );
    await end('SIGTERM');
    await start(spawnStart, ['--data', data]);
  });

  it('leaves accounting and NASes to the real ones with --no-built-in', async ({ spawnStart, expect }) => {
    const absent = { accountingPort: await closedPort(), nasPort: await closedPort() };
    const lonely = await write('lonely.yaml', siteFile(absent));
    const builtIn = expect.stringMatching(/^ {2}built-in /);
    const usual = await start(spawnStart, ['--site', lonely]);
    expect(usual.lines.all.filter((line) => line.includes('listened'))).toEqual([builtIn, builtIn]);
    await usual.end('SIGTERM');
    const { lines } = await start(spawnStart, ['--site', lonely, '--no-built-in']);
    expect(lines.all).not.toContainEqual(builtIn);
  });

  it('prints its usage on request', async ({ spawnStart, expect }) => {
    const child = spawnStart(['--help']);
    const exit = once(child, 'exit');
    expect(await text(child.stdout ?? process.stdin)).toMatch(/^usage: npm start -- /);
    expect(await exit).toEqual([0, null]);
  });

  it('uses the DynamoDB that the environment names', async ({ spawnStart, expect, onTestFinished }) => {
    const own = await startDynoxide({ onDeath: (reason) => expect.fail(reason) });
    onTestFinished(own.stop);
    const { lines } = await start(spawnStart, [], { AWS_ENDPOINT_URL_DYNAMODB: own.endpoint });
    expect(lines.all.find((line) => line.includes('DynamoDB'))).toContain(own.endpoint);
  });

  it('exits with 1 and a sentence when no DynamoDB answers', async ({ complaintOf, expect }) => {
    const endpoint = `http://127.0.0.1:${await closedPort()}`;
    const files = ['--services', SERVICES_FILE, '--site', site];
    const complaint = await complaintOf([...files, '--dynamodb', endpoint]);
    expect(complaint).toMatch(/^the DynamoDB at \S+ cannot be used: connect ECONNREFUSED \S+\n$/);
    expect(complaint).toContain(endpoint);
  });

  it('exits with 1 and a sentence when the port for accounting is in use', async ({
    complaintOf,
    client,
    expect,
  }) => {
    const { port } = client.endpoint;
    const file = siteFile({ takesAccounting: true });
    const taken = file.replace('accounting: 127.0.0.1:0', `accounting: 127.0.0.1:${port}`);
    const site = await write('taken-accounting.yaml', taken);
    expect(await complaintOf(['--services', SERVICES_FILE, '--site', site])).toBe(
      `cannot listen for accounting on 127.0.0.1:${port}: the port is already in use\n`,
    );
  });

  it('exits with 1 and a sentence when a port is in use', async ({ complaintOf, client, expect }) => {
    const { port } = client.endpoint;
    const taken = await write('taken.yaml', siteFile().replace('127.0.0.1:0', `127.0.0.1:${port}`));
    expect(await complaintOf(['--services', SERVICES_FILE, '--site', taken])).toBe(
      `cannot listen for RADIUS on 127.0.0.1:${port}: the port is already in use\n`,
    );
  });
});

describe.concurrent('npm start exits with 1 and says what is wrong with', { timeout: TIMEOUT_MS }, () => {
  it.for([
    [
      'YAML that is none',
      { services: 'services:\n  gold: { mutexGroup: 12\n' },
      /^\S+services\.yaml:\d+: .+\n$/,
    ],
    [
      'a service',
      { services: 'services:\n  gold: { mutexGroup: 0 }\n' },
      /^\S+services\.yaml:2: services\.gold\.mutexGroup: expected a mutex group .+\n$/,
    ],
    [
      'a site',
      { site: siteFile().replace('name: bng-1', 'name: bng 1') },
      /^\S+site\.yaml:\d+: nases\.0\.name: expected a name of letters, .+\n$/,
    ],
    [
      'a secret that is not there',
      { site: siteFile().replace(SECRET, '$' + '{NO_SUCH_SECRET}') },
      /^\S+site\.yaml:\d+: clients\.0\.secret: expected a secret in the environment variable NO_SUCH_SECRET\n$/,
    ],
  ] as const)('%s', async ([, files, sentence], { complaintOf, expect }) => {
    const { path } = await temporaryFolder(folder.path);
    const [services, site] = [join(path, 'services.yaml'), join(path, 'site.yaml')];
    const right = { services: 'services: { gold: {} }', site: siteFile() };
    await writeFile(services, { ...right, ...files }.services);
    await writeFile(site, { ...right, ...files }.site);
    expect(await complaintOf(['--services', services, '--site', site])).toMatch(sentence);
  });

  it.for([
    ['services', ['--services', 'none.yaml']],
    ['site', ['--services', SERVICES_FILE, '--site', 'none.yaml']],
  ] as const)('%s in a file that is not there', async ([, args], { complaintOf, expect }) => {
    expect(await complaintOf(args)).toBe('none.yaml: cannot be read (ENOENT)\n');
  });

  it.for([
    [
      'a data directory',
      ['--data', SERVICES_FILE],
      `${SERVICES_FILE}: cannot be used as data directory (EEXIST)\n`,
    ],
    [
      'the URL of a DynamoDB',
      ['--dynamodb', 'nonsense'],
      'nonsense: expected the URL of a DynamoDB endpoint, for instance http://127.0.0.1:8000\n',
    ],
  ] as const)('%s', async ([, args, sentence], { complaintOf, expect }) => {
    expect(await complaintOf(['--services', SERVICES_FILE, '--site', site, ...args])).toBe(sentence);
  });

  it('an option that it does not have, and lists those that it has', async ({ complaintOf, expect }) => {
    const complaint = await complaintOf(['--dato', 'here']);
    expect(complaint).toMatch(/^Unknown option '--dato'/);
    expect(complaint).toContain('usage: npm start -- [--services FILE]');
    expect(complaint).not.toContain('    at ');
  });
});
