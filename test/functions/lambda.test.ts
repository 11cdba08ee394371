// The functions as they are deployed: bundled, loaded by a Node that knows nothing of this project.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { bundle } from '../../cdk/bundle.ts';
import { STATE_SORT_KEY } from '../../core/cloud.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { deploymentOf } from '../../core/deployment.ts';
import type { Session } from '../../core/session.ts';
import { createSessionStore } from '../../functions/session-store.ts';
import { type Fauxqs, startFauxqs } from '../../local/fauxqs.ts';
import type { Queue } from '../../local/queues.ts';
import { asked, NOW, nas, outcome, play, request } from '../core/support.ts';
import { createFifoQueue, dynoxide, LOCAL } from '../local/emulators.ts';
import { inboxRecord, requestMessage, startTable, type Table } from './support.ts';

const CDK_OUT = join(import.meta.dirname, '../../cdk.out');
const deployment = deploymentOf(
  parseServicesFile('services.yaml', 'services: { gold: { mutexGroup: 12, statistics: time } }'),
  [
    parseSiteFile(
      'demo.yaml',
      `
site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]
nases: [{ name: bng-1, address: "127.0.0.1:3798", secret: testing123, identifiedBy: [bng-1] }]
`,
    ),
  ],
);

/** What the runtime does: loads the handler and calls it with one event after the other. */
const RUNTIME = `
  const { handler } = await import(process.argv[1]);
  process.on('message', async (event) => {
    const context = { awsRequestId: 'request-1', functionName: 'under-test', getRemainingTimeInMillis: () => 10_000 };
    process.send(await handler(event, context));
  });
  process.send('ready');
`;

// Inside the project, so that a bundle finds the AWS SDK that on AWS its runtime brings along.
let output: string;
beforeAll(() => {
  mkdirSync(CDK_OUT, { recursive: true });
  output = mkdtempSync(join(CDK_OUT, 'lambda-'));
  for (const folder of ['decide', 'account']) {
    mkdirSync(join(output, folder));
    bundle(
      folder,
      folder === 'decide' ? { 'deployment.json': JSON.stringify(deployment) } : {},
      join(output, folder),
    );
  }
});
afterAll(() => rmSync(output, { recursive: true }));

function run(folder: string, environment: Readonly<Record<string, string>>): ChildProcess {
  const args = [
    '--enable-source-maps',
    '--input-type=module',
    '--eval',
    RUNTIME,
    join(output, folder, 'index.mjs'),
  ];
  return spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
}

/** Starts a function; gives how to call it. */
async function start(folder: string, environment: Readonly<Record<string, string>>) {
  const child = run(folder, environment);
  const log = Promise.all([text(child.stdout ?? process.stdin), text(child.stderr ?? process.stdin)]);
  onTestFinished(() => void child.kill());
  expect(await once(child, 'message')).toEqual(['ready', undefined]);
  return {
    invoke: async (event: object): Promise<unknown> => {
      child.send(event);
      const [answer] = await once(child, 'message');
      return answer;
    },
    /** Ends it; gives the lines that it wrote. */
    stop: async (): Promise<readonly Record<string, unknown>[]> => {
      child.kill();
      return (await log)
        .join('')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    },
  };
}

describe('the bundle of', () => {
  it.each(['decide', 'account'])('%s is small: its own code and that of a few libraries', (folder) => {
    expect(statSync(join(output, folder, 'index.mjs')).size).toBeLessThan(100_000);
  });

  it.each([
    ['decide', { TABLE_NAME: '' }, ['TABLE_NAME', 'OUTBOX_URLS', 'DEPLOYMENT_FILE']],
    [
      'decide',
      { TABLE_NAME: 'sessions', OUTBOX_URLS: '{"demo":"here"}' },
      ['OUTBOX_URLS.demo', 'DEPLOYMENT_FILE'],
    ],
    ['account', {}, ['ACCOUNTING_URLS']],
  ])('%s names all that is missing in %o', async (folder, environment, missing) => {
    const child = run(folder, { AWS_REGION: 'eu-central-1', ...environment });
    const complaint = await text(child.stderr ?? process.stdin);
    const [, listed = ''] =
      /^Error: the environment of this function is not complete: (.*)$/m.exec(complaint) ?? [];
    expect(listed.split('; ').map((problem) => problem.replace(/:.*/, ''))).toEqual(missing);
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('deployed'), () => {
  let table: Table;
  let fauxqs: Fauxqs;
  let sqs: SQSClient;
  let queue: Queue;
  let environment: Record<string, string>;
  beforeAll(async () => {
    table = await startTable();
    fauxqs = await startFauxqs();
    sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
    queue = await createFifoQueue(sqs);
    const { pathname } = new URL(queue.url);
    const urls = JSON.stringify({ demo: `${fauxqs.endpoint}${pathname}` });
    environment = {
      AWS_REGION: LOCAL.region,
      AWS_ACCESS_KEY_ID: LOCAL.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: LOCAL.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: table.endpoint,
      AWS_ENDPOINT_URL_SQS: fauxqs.endpoint,
      TABLE_NAME: table.name,
      DEPLOYMENT_FILE: join(output, 'decide', 'deployment.json'),
      OUTBOX_URLS: urls,
      ACCOUNTING_URLS: urls,
    };
  });
  afterAll(async () => {
    sqs.destroy();
    await fauxqs.stop();
    await table.stop();
  });

  const sent = async () => {
    const { Messages: [message] = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queue.url }));
    return message?.Body && JSON.parse(message.Body);
  };

  it('decide turns a request into an answer, and names what it cannot process', async () => {
    const { invoke, stop } = await start('decide', environment);
    const message = requestMessage({ acctSessionId: 'deployed', activate: ['gold'] });
    const poison = inboxRecord('poison', { group: 'poisoned' });
    expect(await invoke({ Records: [inboxRecord(message), poison] })).toEqual({
      batchItemFailures: [{ itemIdentifier: poison.messageId }],
    });
    const { correlationId } = message;
    expect(await sent()).toMatchObject({ kind: 'reply', correlationId, answer: 'ack' });
    // Warm, and on the state of before.
    const other = requestMessage({ acctSessionId: 'deployed', deactivate: ['gold'], identifier: 2 });
    expect(await invoke({ Records: [inboxRecord(other)] })).toEqual({ batchItemFailures: [] });
    expect(await sent()).toMatchObject({ correlationId: other.correlationId, answer: 'ack' });

    const lines = await stop();
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'INFO',
        message: 'decided',
        service: 'decide',
        function_request_id: 'request-1',
        correlationId,
        activated: ['gold'],
      }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ level: 'ERROR', message: 'message failed' }));
    expect(lines).toContainEqual(expect.objectContaining({ Answer: 'CoA-ACK', Answers: 1 }));
    expect(lines).toContainEqual(expect.objectContaining({ DecisionLatency: 0, FailedMessages: 1 }));
  });

  it('decide counts what a NAS makes of commands, and what it does not deactivate', async () => {
    const { invoke, stop } = await start('decide', environment);
    const asking = { nas: nas({ enforcement: 'coa' }), acctSessionId: 'stuck' };
    let { session } = play([
      asked(request('r1', { ...asking, activate: ['gold'] })),
      (active) => outcome(active, 'ack'),
      asked(request('r2', { ...asking, deactivate: ['gold'] })),
    ]);
    const refused = (active: Session | undefined) => outcome(active, 'nak', 506);
    for (const hour of [1, 2]) {
      ({ session } = play([refused], session, NOW));
      ({ session } = play([{ kind: 'due', id: `due ${hour}` }], session, NOW + hour * 3_600_000));
    }
    if (session?.transition === undefined) throw new Error('the third attempt is not under way');
    await createSessionStore(table.client, table.name).write({ ...session, version: 0 });
    const { commandId, correlationId } = session.transition;
    const key = { nas: 'bng-1', acctSessionId: 'stuck' };
    const silence = { kind: 'outcome', correlationId, commandId, session: key, result: 'timeout', atMs: NOW };
    expect(await invoke({ Records: [inboxRecord(silence)] })).toEqual({ batchItemFailures: [] });

    const lines = await stop();
    expect(lines).toContainEqual(
      expect.objectContaining({ service: 'decide', Nas: 'bng-1', Result: 'timeout', NasOutcomes: 1 }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ service: 'decide', StuckDeactivations: 1 }));
  });

  it('account turns a change of the table into accounting', async () => {
    const { invoke, stop } = await start('account', environment);
    const { session } = play([asked(request('r1', { acctSessionId: 'deployed', activate: ['gold'] }))]);
    const keys = { pk: 'SESSION#bng-1#deployed', sk: STATE_SORT_KEY };
    const dynamodb = {
      Keys: marshall(keys),
      SequenceNumber: '1',
      NewImage: marshall({ ...keys, ...session }),
    };
    expect(await invoke({ Records: [{ eventName: 'INSERT', dynamodb }] })).toEqual({ batchItemFailures: [] });
    expect(await sent()).toMatchObject({ kind: 'accounting', status: 'Start', serviceSession: 'gold' });

    const lines = await stop();
    expect(lines).toContainEqual(
      expect.objectContaining({ message: 'accounted', service: 'account', acctSessionId: 'deployed:000001' }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ AcctStarts: 1 }));
  });
});
