import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { accountingRequest } from './feed/support.ts';
import { startSecretsManager } from './site/secrets-manager-server.ts';
import { type Cloud, startCloud, udpPeer } from './support.ts';

const MAIN = new URL('../../relay/main.ts', import.meta.url).pathname;
const SITE = `
site: test
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0" }
clients: [{ name: policy-server, source: 127.0.0.1, secret: a secret of twenty-four. }]
nases: [{ name: bng-1, address: "192.0.2.1:3799", secret: a secret of twenty-four., identifiedBy: [192.0.2.1] }]
`;

let folder: string;
let site: string;
let cloud: Cloud;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-main-'));
  site = join(folder, 'site.yaml');
  await writeFile(site, SITE);
  cloud = await startCloud();
});

afterEach(async () => {
  await cloud.stop();
  await rm(folder, { recursive: true });
});

const environment = () => ({
  AWS_ENDPOINT_URL: cloud.server.address,
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  INTERLOCK_INBOX_URL: cloud.queues.inbox,
  INTERLOCK_OUTBOX_URL: cloud.queues.outbox,
  INTERLOCK_ACCOUNTING_URL: cloud.queues.accounting,
});

const run = (args: readonly string[], env: Record<string, string>): ChildProcess =>
  spawn(process.execPath, [MAIN, ...args], { env, stdio: 'pipe' });

test.each(['SIGTERM', 'SIGINT'] as const)('runs until %s, then exits in peace', async (signal) => {
  const relay = run([site], environment());
  const exit = once(relay, 'exit');
  const messages: string[] = [];
  for await (const line of createInterface({ input: relay.stdout ?? process.stdin })) {
    const { message, http } = JSON.parse(line);
    messages.push(message);
    if (message === 'listening') {
      expect((await fetch(`http://${http.address}:${http.port}/metrics`)).status).toBe(200);
      relay.kill(signal);
    }
  }
  expect(await exit).toEqual([0, null]);
  expect(messages).toEqual(['listening', 'accounting-not-configured', 'draining', 'stopped']);
});

test('takes the site from its environment, and a secret from Secrets Manager', async () => {
  const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/test-a1B2c3';
  const secrets = await startSecretsManager({ [`${arn} AWSCURRENT`]: '{"policy":"short"}' });
  const relay = run(['/etc/interlock/site.yaml'], {
    ...environment(),
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    INTERLOCK_SITE: SITE.replace('a secret of twenty-four.', `${arn}:policy`),
  });
  const exit = once(relay, 'exit');
  const lines: unknown[] = [];
  for await (const line of createInterface({ input: relay.stdout ?? process.stdin })) {
    lines.push(JSON.parse(line));
    if (lines.length === 3) relay.kill('SIGKILL');
  }
  await exit;
  expect(lines).toMatchObject([
    { message: 'weak-secret', path: 'clients.0.secret' },
    { message: 'listening', site: 'test' },
    { message: 'accounting-not-configured' },
  ]);
  await secrets.stop();
});

test('finds the feed queue beside an inbox that is called as on AWS', async () => {
  const withFeed = SITE.replace('http:', 'accounting: "127.0.0.1:0", http:').concat(
    '\naccountingFrom: [{ name: bng-1, source: 127.0.0.1, secret: a secret of twenty-four., mode: copy }]\n',
  );
  await writeFile(site, withFeed);
  const url = (name: string) => {
    cloud.server.createQueue(name, { attributes: { FifoQueue: 'true' }, region: 'eu-central-1' });
    return `${cloud.server.address}/000000000000/${name}`;
  };
  const feed = url('test-feed.fifo');
  const relay = run([site], { ...environment(), INTERLOCK_INBOX_URL: url('test-inbox.fifo') });
  const nas = await udpPeer();
  for await (const line of createInterface({ input: relay.stdout ?? process.stdin })) {
    const event = JSON.parse(line);
    if (event.message === 'listening') await nas.send(accountingRequest(), event.accounting);
    if (event.message === 'feed-queued') break;
  }
  relay.kill('SIGKILL');
  const receive = { QueueUrl: feed, WaitTimeSeconds: 5 };
  const { Messages = [] } = await cloud.sqs.send(new ReceiveMessageCommand(receive));
  expect(Messages.map(({ Body = '' }) => JSON.parse(Body))).toMatchObject([{ status: 'start' }]);
  await nas.close();
});

test('needs the feed queue where it takes accounting, and not elsewhere', async () => {
  const withFeed = SITE.replace('http:', 'accounting: "127.0.0.1:0", http:').concat(
    '\naccountingFrom: [{ name: bng-1, source: 127.0.0.1, secret: a secret of twenty-four., mode: copy }]\n',
  );
  await writeFile(site, withFeed);
  const relay = run([site], environment());
  const output = await text(relay.stderr ?? process.stdin);
  expect(output).toMatch(/expected the queues' URLs, .* as INTERLOCK_FEED_URL\n$/);
  const complete = run([site], { ...environment(), INTERLOCK_FEED_URL: cloud.queues.feed });
  for await (const line of createInterface({ input: complete.stdout ?? process.stdin })) {
    expect(JSON.parse(line)).toMatchObject({ message: 'listening', accounting: { address: '127.0.0.1' } });
    complete.kill('SIGKILL');
    break;
  }
});

test.each([
  ['no site file', () => [[], environment()], /^usage: node relay\/main\.ts SITE\.yaml\n$/],
  [
    'one that is not there',
    () => [['none.yaml'], environment()],
    /^none\.yaml: cannot be read \(ENOENT\)\n$/,
  ],
  [
    'no queues',
    () => [[site], { ...environment(), INTERLOCK_INBOX_URL: '', INTERLOCK_OUTBOX_URL: 'outbox' }],
    /site\.yaml: expected the queues' URLs, .* as INTERLOCK_INBOX_URL, INTERLOCK_OUTBOX_URL\n$/,
  ],
  [
    'no region',
    () => [[site], { ...environment(), AWS_REGION: '' }],
    /^expected the AWS region of the queues in the environment as AWS_REGION\n$/,
  ],
] as const satisfies [string, () => unknown, RegExp][])(
  'exits with a sentence when given %s',
  async (_, given, sentence) => {
    const [args, env] = given() as [string[], Record<string, string>];
    const relay = run(args, env);
    const [[code], output] = await Promise.all([once(relay, 'exit'), text(relay.stderr ?? process.stdin)]);
    expect(output).toMatch(sentence);
    expect(code).toBe(1);
  },
);
