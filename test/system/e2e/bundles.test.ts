// The functions as they are deployed: bundled, each in a process of its own, which a client of the Lambda Runtime API
// runs. All else is the local system, with radclient for the policy server.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Handlers, HandlersOptions } from '../../../local/cloud/handlers.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort } from '../../relay/support.ts';
import { bundleFunctions } from '../lambda/bundles.ts';
import { FunctionProcess } from '../lambda/function-process.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import { active, SECRET, startTestSystem, type TestSystem, temporaryFolder } from './support.ts';

const title = radclientPeer.title(dynoxide.title('a subscriber, with the functions as they are deployed,'));

describe.skipIf(radclientPeer.skip || dynoxide.skip)(title, { timeout: 60_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let system: TestSystem;
  let decide: FunctionProcess;
  let ingest: FunctionProcess;
  let account: FunctionProcess;
  let sweep: FunctionProcess;
  /** While it is there, decide is about to die. */
  let death: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    death = join(folder.path, 'death');
    const [nasPort, accountingPort] = await Promise.all([closedPort(), closedPort()]);
    system = await startTestSystem({ nasPort, accountingPort, sweepIntervalSeconds: 1, handlers });
  });
  afterAll(async () => {
    await system.stop();
    await Promise.all([decide, ingest, account, sweep].map((one) => one.stop()));
    await folder.remove();
  });

  function handlers({ cloud, deployment }: HandlersOptions): Handlers {
    bundleFunctions(folder.path, deployment);
    const { credentials, region, endpoint } = cloud.dynamodb;
    const urls = (queue: 'inbox' | 'outbox' | 'accounting' | 'feed') =>
      JSON.stringify({ test: cloud.queues['test']?.[queue].url });
    const environment = {
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: endpoint,
      AWS_ENDPOINT_URL_SQS: cloud.sqs.endpoint,
      TABLE_NAME: cloud.tableName,
      DEPLOYMENT_FILE: './deployment.json',
      NAS_NAMES_FILE: './nas-names.json',
      NAS_SITES_FILE: './nas-sites.json',
      OUTBOX_URLS: urls('outbox'),
      INBOX_URLS: urls('inbox'),
      ACCOUNTING_URLS: urls('accounting'),
      FAILURES_URL: cloud.accountFailures.url,
      FEED_URLS: urls('feed'),
      DUE_QUEUE_URL: cloud.due.url,
    };
    const start = (name: string, marker?: string) =>
      new FunctionProcess({ name, folder: join(folder.path, name), environment, ...(marker && { marker }) });
    decide = start('decide', death);
    ingest = start('ingest');
    account = start('account');
    sweep = start('sweep');
    return {
      decide: (event, context) => decide.invoke(event, context.getRemainingTimeInMillis()),
      ingest: (event, context) => ingest.invoke(event, context.getRemainingTimeInMillis()),
      account: (event, context) => account.invoke(event, context.getRemainingTimeInMillis()),
      sweep: () => sweep.invoke({}),
    };
  }

  /** Has radclient ask for it, which repeats what is not answered. */
  async function activate(service: string, acctSessionId: string, ...more: readonly string[]) {
    const { answer, output } = await radclient({
      command: 'coa',
      port: system.coaAddress.port,
      secret: SECRET,
      attributes: [
        'User-Name = "client1@isp1.com"',
        `Acct-Session-Id = "${acctSessionId}"`,
        `ERX-Service-Activate:1 = "${service}"`,
        ...more,
      ],
      tries: 10,
      timeoutSeconds: 3,
    });
    expect(answer?.code, output).toBe('CoA-ACK');
  }

  /** What the NAS did for a subscriber session: `activate gold`. */
  const told = (acctSessionId: string) =>
    system.events.all.flatMap(({ source, event }) =>
      source === 'nas' && event.acctSessionId === acctSessionId && event.answer === 'ack'
        ? [`${event.operation} ${event.service}`]
        : [],
    );

  it('has silver before gold goes, and is accounted for it so', async () => {
    await activate('gold', '0001');
    expect(active(await system.session('0001'))).toEqual(['gold']);
    await activate('silver', '0001');

    expect(active(await system.session('0001'))).toEqual(['silver']);
    expect(told('0001')).toEqual(['activate gold', 'activate silver', 'deactivate gold']);
    expect(await system.events.untilRecorded('0001', 3)).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('is switched once when decide is killed between its write and its command', async () => {
    await activate('gold', '0002');
    await writeFile(death, '');
    const processes = decide.processes;
    await activate('silver', '0002');

    expect(existsSync(death)).toBe(false);
    expect(decide.processes).toBe(processes + 1);
    // Written before, and not once more.
    const { version, services } = (await system.session('0002')) ?? {};
    expect({ version, services: Object.keys(services ?? {}) }).toEqual({ version: 5, services: ['silver'] });
    expect(told('0002')).toEqual(['activate gold', 'activate silver', 'deactivate gold']);
    expect(await system.events.untilRecorded('0002', 3)).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('loses a service whose time is over', async () => {
    await activate('gold', '0003', 'ERX-Service-Timeout:1 = 1');

    expect(await system.events.untilRecorded('0003', 2)).toEqual(['Start gold', 'Stop gold']);
    expect(told('0003')).toEqual(['activate gold', 'deactivate gold']);
  });
});
