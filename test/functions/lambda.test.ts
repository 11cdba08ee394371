// The functions as deployed: bundled, each in a process of its own without the project's files.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { latestHistory } from '../../cli/latest-history.ts';
import { METRIC_NAMESPACE } from '../../core/cloud/metrics.ts';
import { STATE_SORT_KEY } from '../../core/cloud/table.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { deploymentOf } from '../../core/deployment.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { SHAPE } from '../../core/subscriber/upgrade.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { type Fauxqs, startFauxqs } from '../../local/cloud/fauxqs.ts';
import type { Queue } from '../../local/cloud/queues.ts';
import { at, list, resources } from '../cdk/template.ts';
import {
  accountedAs,
  accountingId,
  ack,
  asked,
  COA,
  NOW,
  nas,
  outcome,
  play,
  record,
  request,
} from '../core/support.ts';
import { createFifoQueue, createQueue, dynoxide, LOCAL } from '../local/cloud/emulators.ts';
import { bundleFunctions } from '../system/lambda/bundles.ts';
import { FunctionProcess } from '../system/lambda/function-process.ts';
import { type EmbeddedMetric, embeddedMetrics } from './shared/embedded-metrics.ts';
import { feedMessage, feedRecord, inboxRecord, requestMessage, startTable, type Table } from './support.ts';

const deployment = deploymentOf(
  parseServicesFile(
    'services.yaml',
    'services: { gold: { mutexGroup: 12, statistics: time }, silver: { mutexGroup: 12 } }',
  ),
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

let output: string;
beforeAll(() => {
  output = mkdtempSync(join(tmpdir(), 'interlock-bundles-'));
  bundleFunctions(output, deployment);
});
afterAll(() => rmSync(output, { recursive: true }));

function start(name: string, environment: Readonly<Record<string, string>>): FunctionProcess {
  const started = new FunctionProcess({ name, folder: join(output, name), environment });
  onTestFinished(() => started.stop());
  return started;
}

describe('the bundle of', () => {
  it.each([
    [
      'decide',
      { TABLE_NAME: '' },
      ['TABLE_NAME', 'OUTBOX_URLS', 'INBOX_URLS', 'DUE_QUEUE_URL', 'DEPLOYMENT_FILE'],
    ],
    [
      'decide',
      { TABLE_NAME: 'sessions', OUTBOX_URLS: '{"demo":"here"}' },
      ['OUTBOX_URLS.demo', 'INBOX_URLS', 'DUE_QUEUE_URL', 'DEPLOYMENT_FILE'],
    ],
    [
      'ingest',
      { TABLE_NAME: 'sessions', FEED_URLS: '{"demo":"here"}' },
      ['OUTBOX_URLS', 'FEED_URLS.demo', 'DUE_QUEUE_URL', 'DEPLOYMENT_FILE'],
    ],
    ['account', { TABLE_NAME: 'sessions' }, ['ACCOUNTING_URLS', 'FAILURES_URL', 'NAS_SITES_FILE']],
    ['sweep', {}, ['TABLE_NAME', 'DUE_QUEUE_URL', 'NAS_NAMES_FILE']],
  ])('%s names all variables that are missing in %o', async (name, environment, missing) => {
    const complaint: unknown = await start(name, { AWS_REGION: 'eu-central-1', ...environment })
      .invoke({})
      .catch(({ message }) => message);
    const [, listed = ''] =
      /^Error: the environment of this function is not complete: (.*)$/.exec(String(complaint)) ?? [];
    expect(listed.split('; ').map((problem) => problem.replace(/:.*/, ''))).toEqual(missing);
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('deployed'), () => {
  let table: Table;
  let fauxqs: Fauxqs;
  let sqs: SQSClient;
  let queue: Queue;
  let failures: Queue;
  let environment: Record<string, string>;
  beforeAll(async () => {
    table = await startTable();
    fauxqs = await startFauxqs();
    sqs = new SQSClient({ endpoint: fauxqs.endpoint, ...LOCAL, useQueueUrlAsEndpoint: false });
    queue = await createFifoQueue(sqs);
    failures = await createQueue(sqs, 'failures');
    const urlOf = ({ url }: Queue) => fauxqs.endpoint + new URL(url).pathname;
    const urls = JSON.stringify({ demo: urlOf(queue) });
    environment = {
      AWS_REGION: LOCAL.region,
      AWS_ACCESS_KEY_ID: LOCAL.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: LOCAL.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: table.endpoint,
      AWS_ENDPOINT_URL_SQS: fauxqs.endpoint,
      TABLE_NAME: table.name,
      DEPLOYMENT_FILE: join(output, 'decide', 'deployment.json'),
      NAS_NAMES_FILE: join(output, 'sweep', 'nas-names.json'),
      NAS_SITES_FILE: join(output, 'account', 'nas-sites.json'),
      OUTBOX_URLS: urls,
      INBOX_URLS: urls,
      FEED_URLS: urls,
      ACCOUNTING_URLS: urls,
      FAILURES_URL: urlOf(failures),
      DUE_QUEUE_URL: urlOf(await createQueue(sqs, 'due')),
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

  /** A session of which one deactivation after the other was refused, and the outcome that ends the third. */
  async function stuck(acctSessionId: string): Promise<object> {
    const asking = { nas: nas({ enforcement: 'coa' }), acctSessionId };
    let { session } = play([
      asked(request('r1', { ...asking, activate: ['gold'] })),
      (active) => outcome(active, 'ack'),
      asked(request('r2', { ...asking, activate: ['silver'] })),
      (active) => outcome(active, 'ack'),
    ]);
    const refused = (active: Session | undefined) => outcome(active, 'nak', 506);
    for (const hour of [1, 2]) {
      ({ session } = play([refused], session, NOW));
      ({ session } = play([{ kind: 'due', id: `due ${hour}` }], session, NOW + hour * 3_600_000));
    }
    return timeoutOf(session);
  }

  /** A session whose first activation is under way, and the outcome that says that the NAS did not answer. */
  function unanswered(acctSessionId: string): Promise<object> {
    const asking = { nas: nas({ enforcement: 'coa' }), acctSessionId };
    return timeoutOf(play([asked(request('r1', { ...asking, activate: ['gold'] }))]).session);
  }

  /** A session whose NAS accounts silver while Interlock tells it to activate gold, and the outcome: it has done so. */
  function drifting(acctSessionId: string): Promise<object> {
    const service = accountedAs('silver', `${acctSessionId}:1`);
    const { session } = play([
      record('start', -100, { acctSessionId }),
      asked(request('r1', { ...COA, acctSessionId, activate: ['gold'] })),
      record('start', 100, { acctSessionId, service }),
    ]);
    return outcomeOf(session, 'ack');
  }

  /** A session whose request has activated gold, and the record of its NAS, which accounts silver. */
  async function driftingRecords(acctSessionId: string): Promise<readonly object[]> {
    const { session } = play([
      record('start', -100, { acctSessionId }),
      asked(request('r1', { ...COA, acctSessionId, activate: ['gold'] })),
      ack,
    ]);
    if (session === undefined) throw new Error('an Acct-Start opens a session');
    await createSessionStore(table.client, table.name).write({ ...session, revision: 0 });
    const at = { eventAtMs: NOW + 100_000, receivedAtMs: NOW + 100_000 };
    const service = { name: 'silver', serviceSessionId: `${acctSessionId}:1` };
    return [feedRecord(feedMessage({ status: 'start', acctSessionId, service, ...at }))];
  }

  const timeoutOf = (session: Session | undefined) => outcomeOf(session, 'timeout');

  async function outcomeOf(session: Session | undefined, result: 'ack' | 'timeout'): Promise<object> {
    if (session?.transition === undefined) throw new Error('no command is under way');
    await createSessionStore(table.client, table.name).write({ ...session, revision: 0 });
    const { commandId, correlationId } = session.transition;
    const key = { nas: session.nas.name, acctSessionId: session.acctSessionId };
    return { kind: 'outcome', correlationId, commandId, session: key, result, atMs: NOW };
  }

  it('decide answers a request, and names the message that it cannot process', async () => {
    const decide = start('decide', environment);
    const message = requestMessage({ acctSessionId: 'deployed', activate: ['gold'] });
    const poison = inboxRecord('poison', { group: 'poisoned' });
    expect(await decide.invoke({ Records: [inboxRecord(message), poison] })).toEqual({
      batchItemFailures: [{ itemIdentifier: poison.messageId }],
    });
    const { correlationId } = message;
    expect(await sent()).toMatchObject({ kind: 'reply', correlationId, answer: 'ack' });
    // The same process, on the session of before.
    const other = requestMessage({ acctSessionId: 'deployed', deactivate: ['gold'], identifier: 2 });
    expect(await decide.invoke({ Records: [inboxRecord(other)] })).toEqual({ batchItemFailures: [] });
    expect(await sent()).toMatchObject({ correlationId: other.correlationId, answer: 'ack' });

    await decide.stop();
    const decided = { kind: 'decided', correlationId, activated: ['gold'], effects: ['reply'] };
    const error = expect.stringMatching(/^MalformedMessage: is not JSON\n {4}at /);
    const failed = { kind: 'failed', messageId: poison.messageId, error };
    const requestId = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect(decide.log()).toContainEqual(
      expect.objectContaining({ level: 'INFO', requestId, message: expect.objectContaining(decided) }),
    );
    expect(decide.log()).toContainEqual(
      expect.objectContaining({ level: 'ERROR', requestId, message: failed }),
    );
  });

  it('decide logs no name of a subscriber where a site file says so', async () => {
    const file = join(output, 'without-identity.json');
    writeFileSync(file, JSON.stringify({ ...deployment, logIdentity: false }));
    const decide = start('decide', { ...environment, DEPLOYMENT_FILE: file });
    const taken = requestMessage({ acctSessionId: 'unnamed', userName: 'ann@isp', activate: ['gold'] });
    await decide.invoke({ Records: [inboxRecord(taken)] });
    expect(await sent()).toMatchObject({ answer: 'ack' });
    await decide.stop();
    const { correlationId } = taken;
    const decided = { kind: 'decided', correlationId, session: { nas: 'bng-1', acctSessionId: 'unnamed' } };
    expect(decide.log()).toContainEqual(
      expect.objectContaining({ message: expect.objectContaining(decided) }),
    );
    expect(decide.lines.join()).not.toContain('ann@isp');
  });

  it('account makes history and accounting of a write of the table', async () => {
    const account = start('account', environment);
    const { session } = play([asked(request('r1', { acctSessionId: 'deployed', activate: ['gold'] }))]);
    const keys = { pk: 'SESSION#bng-1#deployed', sk: STATE_SORT_KEY };
    const dynamodb = {
      Keys: marshall(keys),
      SequenceNumber: '1',
      NewImage: marshall({ ...keys, shape: SHAPE, ...session }),
    };
    const change = { Records: [{ eventName: 'INSERT', dynamodb }] };
    expect(await account.invoke(change)).toEqual({ batchItemFailures: [] });
    expect(await sent()).toMatchObject({ kind: 'accounting', status: 'Start', serviceSession: 'gold' });
    const key = { nas: 'bng-1', acctSessionId: 'deployed' };
    expect(await latestHistory(table.client, table.name, key, NOW)).toEqual([
      historyItem(undefined, session, 0),
    ]);

    await account.stop();
    const acctSessionId = accountingId(0, 'deployed');
    const accounted = { kind: 'accounted', status: 'Start', site: 'demo', acctSessionId };
    expect(account.log()).toContainEqual(
      expect.objectContaining({ level: 'INFO', message: expect.objectContaining(accounted) }),
    );
    expect(account.log()).toContainEqual(expect.objectContaining({ service: 'account', AcctStarts: [1] }));
  });

  it('ingest opens a session and remembers a restart, and names the message that it cannot process', async () => {
    const ingest = start('ingest', environment);
    const started = feedMessage({ status: 'start', acctSessionId: 'fed' });
    const poison = feedRecord('poison', { group: 'poisoned' });
    expect(await ingest.invoke({ Records: [feedRecord(started), poison] })).toEqual({
      batchItemFailures: [{ itemIdentifier: poison.messageId }],
    });
    const key = { nas: 'bng-1', acctSessionId: 'fed' };
    expect(await createSessionStore(table.client, table.name).read(key)).toMatchObject({
      life: { knownBy: 'start' },
    });
    const restarted = feedMessage({ status: 'on', eventAtMs: NOW - 3_600_000 });
    expect(await ingest.invoke({ Records: [feedRecord(restarted)] })).toEqual({ batchItemFailures: [] });
    expect(await sent()).toMatchObject({ kind: 'restart', nas: 'bng-1', eventAtMs: NOW - 3_600_000 });

    await ingest.stop();
    expect(ingest.log()).toContainEqual(
      expect.objectContaining({
        level: 'INFO',
        message: expect.objectContaining({ kind: 'decided', session: key, life: 'opened' }),
      }),
    );
    expect(ingest.log()).toContainEqual(expect.objectContaining({ service: 'ingest', FailedMessages: [1] }));
  });

  it('decide and ingest log the fields of drift that the queries of the runbook use', async () => {
    const decide = start('decide', environment);
    const ingest = start('ingest', environment);
    await decide.invoke({ Records: [inboxRecord(await drifting('drifts here'))] });
    await ingest.invoke({ Records: await driftingRecords('drifts there') });
    await Promise.all([decide.stop(), ingest.stop()]);
    const fields = fieldsOfRunbook('decided', 'drifted');
    expect(fields).toContain('message.drifted.0');
    for (const one of [decide, ingest]) {
      const drift = one.log().find((line) => JSON.stringify(line).includes('"drifted":["silver"]'));
      for (const field of fields) expect(drift).toHaveProperty(field);
    }
  });

  it('decide logs the fields of stuck deactivations and unconfirmed services that the queries of the runbook use', async () => {
    const decide = start('decide', environment);
    const records = [await stuck('stuck'), await unanswered('unconfirmed')];
    await decide.invoke({ Records: records.map((body) => inboxRecord(body)) });
    await decide.stop();

    const fields = new Set([
      ...fieldsOfRunbook('decided', 'retryAttempts'),
      ...fieldsOfRunbook('decided', 'unconfirmed'),
    ]);
    expect(fields).toContain('message.retryAttempts');
    expect(fields).toContain('message.unconfirmed.0');
    const [stuckOne, unconfirmedOne] = decide.log();
    for (const field of fields)
      expect(field.includes('unconfirmed') ? unconfirmedOne : stuckOne).toHaveProperty(field);
    expect(stuckOne).toMatchObject({ message: { kind: 'decided', retryAttempts: 3 } });
    expect(unconfirmedOne).toMatchObject({
      message: { kind: 'decided', outcome: { result: 'timeout' }, unconfirmed: ['gold'], unchecked: [] },
    });
  });

  it('decide, ingest, account and sweep write the metrics that alarms and the dashboard use', async () => {
    const decide = start('decide', environment);
    const ingest = start('ingest', environment);
    const account = start('account', environment);
    const sweep = start('sweep', environment);
    await decide.invoke({
      Records: [
        inboxRecord({
          ...requestMessage({ acctSessionId: 'measured', activate: ['gold'] }),
          clockSkewMs: -31_000,
        }),
        inboxRecord(requestMessage({ acctSessionId: 'measured', activate: ['lead'], identifier: 2 })),
        ...[60, 0].map((seconds, index) =>
          inboxRecord(
            requestMessage({
              acctSessionId: 'measured',
              activate: ['gold'],
              identifier: 3 + index,
              more: [{ name: 'Event-Timestamp', value: 1_700_000_000 + seconds }],
            }),
          ),
        ),
        inboxRecord(await stuck('measured and stuck')),
        inboxRecord(await unanswered('measured and unconfirmed')),
        inboxRecord(await drifting('measured and drifting')),
      ],
    });
    await ingest.invoke({ Records: await driftingRecords('measured at the feed') });
    await account.invoke({
      Records: [unmakeable('measured and too long'), unmakeable('measured and of later', SHAPE + 1)],
    });
    await sweep.invoke({});
    await Promise.all([decide, ingest, account, sweep].map((one) => one.stop()));

    expect(account.log()).toContainEqual(
      expect.objectContaining({
        level: 'ERROR',
        message: expect.objectContaining({ kind: 'unmade', status: 'Stop', serviceSession: 'gold' }),
      }),
    );
    // Sessions are accounted for side by side: the record that is set aside may come first.
    const unmade = account.log().find(({ message }) => (message as { kind?: string }).kind === 'unmade');
    for (const field of fieldsOfRunbook('unmade')) expect(unmade).toHaveProperty(field);
    const measured = [decide, ingest, account, sweep]
      .flatMap((one) => one.log())
      .flatMap(embeddedMetrics)
      .flatMap(seriesAndSchema);
    const wanted = lookedFor();
    expect(wanted).toHaveLength(17);
    expect(measured).toEqual(expect.arrayContaining([...wanted]));
  });
});

/** What the queries of the runbook for records of this kind, and with this word, use of them. */
function fieldsOfRunbook(kind: string, word = ''): ReadonlySet<string> {
  const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
  const queries = runbook
    .split('```')
    .filter((block) => block.includes(`filter message.kind = "${kind}"`) && block.includes(word));
  return new Set(queries.flatMap((query) => query.match(/\bmessage(?:\.\w+)+/g) ?? []));
}

/** The removal of a session whose Acct-Stop fits into no packet. */
function unmakeable(acctSessionId: string, shape = SHAPE): object {
  const { session } = play([asked(request('r1', { acctSessionId, activate: ['gold'] }))]);
  if (session === undefined) throw new Error('a request always makes a session');
  const big = { identity: {}, classes: Array.from({ length: 17 }, () => 'ab'.repeat(250)) };
  const accountedAs = Object.fromEntries(Object.keys(session.accountedAs).map((key) => [key, big]));
  const keys = { pk: `SESSION#bng-1#${acctSessionId}`, sk: STATE_SORT_KEY };
  const OldImage = marshall({ ...keys, shape, ...session, accountedAs });
  return { eventName: 'REMOVE', dynamodb: { Keys: marshall(keys), SequenceNumber: '9', OldImage } };
}

/** `Interlock Answers service=decide,Answer=CoA-ACK`, and `Interlock Answers service,Answer`. */
function seriesAndSchema({ namespace, name, dimensions }: EmbeddedMetric): readonly string[] {
  const metric = `${namespace} ${name}`;
  const series = Object.entries(dimensions).map((dimension) => dimension.join('='));
  return [`${metric} ${series}`, `${metric} ${Object.keys(dimensions)}`];
}

/** Series and schemas of Interlock's metrics in the template. */
function lookedFor(): readonly string[] {
  const alarms = [...resources('AWS::CloudWatch::Alarm').values()]
    .filter((alarm) => alarm['Namespace'] === METRIC_NAMESPACE)
    .map((alarm) => {
      const dimensions = list(alarm['Dimensions']).map((one) => `${at(one, 'Name')}=${at(one, 'Value')}`);
      return `${METRIC_NAMESPACE} ${alarm['MetricName']} ${dimensions}`;
    });
  const dashboard = JSON.stringify([...resources('AWS::CloudWatch::Dashboard')]).replaceAll('\\', '');
  const graphs = dashboard.matchAll(new RegExp(`\\["${METRIC_NAMESPACE}","(\\w+)","(\\w+)","(\\w+)"`, 'g'));
  const searches = dashboard.matchAll(new RegExp(`{${METRIC_NAMESPACE},([\\w,]+)} MetricName="(\\w+)"`, 'g'));
  const wanted = [
    ...alarms,
    ...graphs.map(([, metric, dimension, value]) => `${METRIC_NAMESPACE} ${metric} ${dimension}=${value}`),
    ...searches.map(([, schema, metric]) => `${METRIC_NAMESPACE} ${metric} ${schema}`),
  ];
  return [...new Set(wanted)];
}
