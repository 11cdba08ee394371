// Interlock as a whole, for tests: on free ports, told by a site file of its own, with a record of all that happens.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { startFauxqs } from 'fauxqs';
import { vi } from 'vitest';
import { stringify } from 'yaml';
import { latestHistory } from '../../../cli/latest-history.ts';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import type { Endpoint } from '../../../core/endpoint.ts';
import { ACCT_STATUS_TYPE } from '../../../core/radius/attributes.ts';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import type { Packet } from '../../../core/radius/packet.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createSessionStore } from '../../../functions/shared/session-store.ts';
import { type Dynoxide, startDynoxide } from '../../../local/cloud/dynoxide.ts';
import type { EmbeddedCloud } from '../../../local/cloud/embedded-cloud.ts';
import { startFunctions } from '../../../local/cloud/functions.ts';
import { createHandlers } from '../../../local/cloud/handlers.ts';
import { ensureQueues, type Queue } from '../../../local/cloud/queues.ts';
import { ensureTable } from '../../../local/cloud/table.ts';
import { startAccountingSink } from '../../../local/peers/accounting-sink.ts';
import { type System, type SystemEvent, type SystemOptions, startSystem } from '../../../local/system.ts';
import { systemClock } from '../../../relay/clock.ts';
import { udpTransport } from '../../../relay/radius/udp.ts';
import { type Relay, startRelay } from '../../../relay/relay.ts';
import { secretsManager } from '../../../relay/site/secrets-manager.ts';
import { readSite } from '../../../relay/site/site.ts';
import { serveHttp } from '../../../relay/telemetry/http.ts';
import { LOCAL, messagesIn } from '../../local/cloud/emulators.ts';
import {
  closedPort,
  packetOf,
  Recorder,
  signedRequest,
  type UdpPeer,
  type Wanted,
  wantedAttributes,
} from '../../relay/support.ts';

/** Of every client and accounting server here. */
export const SECRET = 'testing123';
export const PREPARED_SECRET = prepareSecret(SECRET);
export const SERVICES_FILE = join(import.meta.dirname, '../../../config/services.yaml');

/** What happens in a system, to be waited for. */
export class SystemEvents extends Recorder<SystemEvent> {
  /** What the accounting server has taken, in its order: `Start gold`. */
  get accounted(): readonly string[] {
    return this.all.flatMap(({ source, event }) =>
      source === 'relay' && event.kind === 'accounting-answered'
        ? [`${event.status} ${event.serviceSession}`]
        : [],
    );
  }

  /** Resolves when the accounting server has taken so many records. */
  async untilAccounted(count: number): Promise<readonly string[]> {
    while (this.accounted.length < count) await this.next();
    return this.accounted;
  }

  /** The records of a subscriber session that the built-in accounting server got, repeats too: `Start gold`. */
  recorded(acctSessionId: string): readonly string[] {
    return this.all.flatMap(({ source, event }) => {
      if (source !== 'sink') return [];
      const { attributes } = event;
      if (!firstValue(attributes, 'Acct-Session-Id')?.startsWith(`${acctSessionId}:`)) return [];
      const status = firstValue(attributes, 'Acct-Status-Type') === ACCT_STATUS_TYPE.Start ? 'Start' : 'Stop';
      return [`${status} ${firstValue(attributes, 'ERX-Service-Session')}`];
    });
  }

  /** Resolves when it has got so many of them. */
  async untilRecorded(acctSessionId: string, count: number): Promise<readonly string[]> {
    while (this.recorded(acctSessionId).length < count) await this.next();
    return this.recorded(acctSessionId);
  }

  /** Of requests that got no further, in order. */
  get discards(): readonly string[] {
    return this.all.flatMap(({ source, event }) =>
      source === 'relay' && event.kind === 'discarded' ? [event.reason] : [],
    );
  }

  /** The next event of the relay of this kind. */
  async nextOfRelay(kind: string): Promise<void> {
    await this.next(({ source, event }) => source === 'relay' && event.kind === kind);
  }

  /** The next message that decide could not process. */
  async nextFailure(): Promise<void> {
    await this.next(({ source, event }) => source === 'decide' && event.kind === 'failed');
  }
}

export interface SitePlan {
  /** Whose requests are taken. @default 127.0.0.1 */
  readonly source?: string;
  /** Where accounting goes on this machine. @default nowhere */
  readonly accountingPort?: number;
  /** Where the NAS takes commands on this machine. @default it is not told of anything */
  readonly nasPort?: number;
  /** Whether the NAS accounts to the relay (`mode: copy`). @default it does not */
  readonly takesAccounting?: boolean;
  /** What the site file says of the NAS besides. */
  readonly nas?: Readonly<Record<string, unknown>>;
}

/** A site on free ports of this machine with one NAS, 192.0.2.1. */
export function siteFile({
  source = '127.0.0.1',
  accountingPort,
  nasPort,
  takesAccounting = false,
  ...plan
}: SitePlan = {}): string {
  const nas = { name: 'bng-1', secret: SECRET, identifiedBy: ['192.0.2.1'], ...plan.nas };
  return stringify({
    site: 'test',
    relay: {
      coa: '127.0.0.1:0',
      http: '127.0.0.1:0',
      ...(takesAccounting && { accounting: '127.0.0.1:0' }),
    },
    ...(takesAccounting && {
      accountingFrom: [{ name: 'bng-1', source: '127.0.0.1', secret: SECRET, mode: 'copy' }],
    }),
    // What hundreds ask at a time takes long where tests run side by side.
    clientPatienceSeconds: 120,
    clients: [{ name: 'policy', source, secret: SECRET }],
    accounting:
      accountingPort === undefined ? [] : [{ address: `127.0.0.1:${accountingPort}`, secret: SECRET }],
    nases: [
      nasPort === undefined
        ? { ...nas, address: '192.0.2.1:3799' }
        : { ...nas, address: `127.0.0.1:${nasPort}`, enforcement: 'coa', answerTimeoutSeconds: 5 },
    ],
  });
}

/** A folder for the files of a test. */
export async function temporaryFolder(
  parent = tmpdir(),
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(parent, 'interlock-e2e-'));
  return { path, remove: () => rm(path, { recursive: true }) };
}

export interface TestSystem extends System {
  readonly events: SystemEvents;
  readonly metrics: () => Promise<string>;
  /** The subscriber session as it is stored. */
  readonly session: (acctSessionId: string) => Promise<Session | undefined>;
  /** Its history, oldest first, once that has an item of which this is true. */
  readonly history: (
    acctSessionId: string,
    isThere: (item: HistoryItem) => boolean,
  ) => Promise<readonly HistoryItem[]>;
}

/**
 * Starts the system as `npm start` does. `services` is the text of a catalogue instead of the shipped one, `definition`
 * that of a site file instead of the plan's.
 */
export async function startTestSystem({
  services,
  definition,
  dataDirectory,
  sweepIntervalSeconds,
  handlers,
  relayClock,
  ...plan
}: SitePlan &
  Pick<SystemOptions, 'dataDirectory' | 'sweepIntervalSeconds' | 'handlers' | 'relayClock'> & {
    readonly services?: string;
    readonly definition?: string;
  } = {}): Promise<TestSystem> {
  const folder = await temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  await writeFile(path('site.yaml'), definition ?? siteFile(plan));
  if (services !== undefined) await writeFile(path('services.yaml'), services);
  const events = new SystemEvents();
  const system = await startSystem({
    servicesFile: services === undefined ? SERVICES_FILE : path('services.yaml'),
    siteFile: path('site.yaml'),
    environment: {},
    ...(dataDirectory !== undefined && { dataDirectory }),
    ...(sweepIntervalSeconds !== undefined && { sweepIntervalSeconds }),
    ...(handlers !== undefined && { handlers }),
    ...(relayClock !== undefined && { relayClock }),
    report: events.add,
  });
  return {
    ...system,
    events,
    metrics: async () => (await fetch(`http://127.0.0.1:${system.httpAddress.port}/metrics`)).text(),
    session: sessionReader(system.cloud),
    history: historyReader(system.cloud),
    stop: async () => {
      await system.stop();
      await folder.remove();
    },
  };
}

function sessionReader({ dynamodb, tableName }: Pick<EmbeddedCloud, 'dynamodb' | 'tableName'>) {
  const store = createSessionStore(new DynamoDBClient(dynamodb), tableName);
  return (acctSessionId: string) => store.read({ nas: 'bng-1', acctSessionId });
}

function historyReader({ dynamodb, tableName }: Pick<EmbeddedCloud, 'dynamodb' | 'tableName'>) {
  const client = new DynamoDBClient(dynamodb);
  return (acctSessionId: string, isThere: (item: HistoryItem) => boolean) =>
    vi.waitUntil(
      async () => {
        const key = { nas: 'bng-1', acctSessionId };
        const items = (await latestHistory(client, tableName, key, Date.now())).toReversed();
        return items.some(isThere) && items;
      },
      { timeout: 10_000 },
    );
}

/** What can be away for a while and come back as what it was. */
export interface Part {
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface Parts {
  readonly dynoxide: Part & { freeze(): void; thaw(): void };
  readonly fauxqs: Part;
  readonly functions: Part;
  /** Stops without waiting for what is under way, as in a crash. */
  readonly relay: Part;
  /** Resolves when the site's queues are empty: nothing is under way, and nothing comes again. */
  settled(): Promise<void>;
  readonly events: SystemEvents;
  readonly coaAddress: () => Endpoint;
  readonly session: (acctSessionId: string) => Promise<Session | undefined>;
  /** Stops all of them and removes their files. */
  end(): Promise<void>;
}

/** When a message comes again that the poll of a relay took along which was stopped. */
const VISIBILITY_SECONDS = 2;

/** Starts the same system in parts that can be stopped and started one by one; its accounting server stays. */
export async function startParts(): Promise<Parts> {
  const folder = await temporaryFolder();
  const file = (name: string) => join(folder.path, name);
  const accountingPort = await closedPort();
  const definition = siteFile({ accountingPort });
  await writeFile(file('site.yaml'), definition);
  const events = new SystemEvents();
  const sink = await startAccountingSink(
    { address: '127.0.0.1', port: accountingPort },
    [PREPARED_SECRET],
    (attributes) => events.add({ source: 'sink', event: { kind: 'recorded', attributes } }),
  );

  const startTable = (port?: number) =>
    startDynoxide({
      ...(port !== undefined && { port }),
      databaseFile: file('table.db'),
      onDeath: (reason) => {
        throw new Error(reason);
      },
    });
  const startQueues = (port = 0) => startFauxqs({ port, dataDir: folder.path, logger: false });
  let table: Dynoxide = await startTable();
  let isFrozen = false;
  let queues = await startQueues();
  const tablePort = Number(new URL(table.endpoint).port);
  const { port: queuesPort } = queues;

  const dynamodb = { endpoint: table.endpoint, ...LOCAL };
  const endpoint = `http://127.0.0.1:${queuesPort}`;
  const sqs = { endpoint, ...LOCAL, useQueueUrlAsEndpoint: false } as const;
  const client = new SQSClient(sqs);
  const cloud = {
    dynamodb,
    sqs,
    tableName: 'interlock',
    streamArn: await ensureTable(new DynamoDBClient(dynamodb), 'interlock'),
    ...(await ensureQueues(client, endpoint, ['test'])),
  };
  const siteQueues = cloud.queues['test'];
  if (siteQueues === undefined) throw new Error('there are no queues of the site');

  const startFunctionsAgain = async () =>
    startFunctions({
      cloud,
      handlers: createHandlers({
        cloud,
        deployment: deploymentOf(parseServicesFile(SERVICES_FILE, await readFile(SERVICES_FILE, 'utf8')), [
          parseSiteFile('site.yaml', definition),
        ]),
        report: events.add,
      }),
      checkpointFile: file('stream.json'),
      report: events.add,
    });
  let coa: Endpoint = { address: '127.0.0.1', port: 0 };
  const startRelayAgain = async (): Promise<Relay> => {
    const report = (event: Extract<SystemEvent, { source: 'relay' }>['event']) =>
      events.add({ source: 'relay', event });
    return startRelay({
      site: { ...(await readSite(file('site.yaml'), {}, report, secretsManager(systemClock))), coa },
      queues: {
        inbox: siteQueues.inbox.url,
        outbox: siteQueues.outbox.url,
        accounting: siteQueues.accounting.url,
      },
      sqs: new SQSClient(sqs),
      transport: udpTransport,
      serveHttp,
      clock: systemClock,
      random: Math.random,
      newId: randomUUID,
      report,
      timings: {
        drainMs: 0,
        outboxVisibilitySeconds: VISIBILITY_SECONDS,
        accountingVisibilitySeconds: VISIBILITY_SECONDS,
      },
    });
  };
  let functions = await startFunctionsAgain();
  let relay = await startRelayAgain();
  coa = relay.coaAddress;

  return {
    dynoxide: {
      stop: () => table.stop(),
      start: async () => {
        table = await startTable(tablePort);
      },
      freeze: () => {
        signal(table, 'SIGSTOP');
        isFrozen = true;
      },
      thaw: () => {
        signal(table, 'SIGCONT');
        isFrozen = false;
      },
    },
    fauxqs: {
      stop: () => queues.stop(),
      start: async () => {
        queues = await startQueues(queuesPort);
      },
    },
    functions: {
      stop: async () => void (await functions.stop()),
      start: async () => {
        functions = await startFunctionsAgain();
      },
    },
    relay: {
      stop: () => relay.drain(),
      start: async () => {
        relay = await startRelayAgain();
      },
    },
    settled: () => untilEmpty(client, Object.values(siteQueues)),
    events,
    coaAddress: () => coa,
    session: sessionReader(cloud),
    end: async () => {
      // A test that failed may have left it frozen, and what is frozen cannot end.
      if (isFrozen) signal(table, 'SIGCONT');
      await relay.drain();
      await functions.stop();
      await sink?.stop();
      await queues.stop();
      await table.stop();
      await folder.remove();
    },
  };
}

/** Resolves when nothing waits in these queues, and nothing is in anybody's hands. */
export async function untilEmpty(sqs: SQSClient, queues: readonly Pick<Queue, 'url'>[]): Promise<void> {
  const isEmpty = async () => {
    const sizes = await Promise.all(queues.map(({ url }) => messagesIn(sqs, { url, arn: '' })));
    return sizes.every((size) => size === 0);
  };
  await vi.waitUntil(isEmpty, { timeout: 10_000 });
}

function signal({ pid }: Dynoxide, name: 'SIGSTOP' | 'SIGCONT'): void {
  if (pid === undefined) throw new Error('dynoxide does not run');
  process.kill(pid, name);
}

export interface Asked extends Wanted {
  readonly identifier?: number;
  readonly messageAuthenticator?: boolean;
}

/** The octets of a CoA-Request of `policy`; the same for the same arguments. */
export function coaRequest({ identifier = 1, messageAuthenticator = false, ...wanted }: Asked): Uint8Array {
  const attributes = wantedAttributes(wanted);
  return signedRequest({ attributes, identifier, secret: PREPARED_SECRET, messageAuthenticator });
}

/** Sends a datagram and waits for the next one that comes back. */
export async function exchange(
  client: UdpPeer,
  datagram: Uint8Array,
  destination: Endpoint,
): Promise<Packet> {
  const answer = client.received.next();
  await client.send(datagram, destination);
  return packetOf((await answer).datagram);
}

/** Its activation strings in order of the alphabet: a map in DynamoDB has no order of its own. */
export function active(session: Session | undefined): readonly string[] {
  return Object.keys(session?.services ?? {}).sort();
}

/** The Error-Cause of a reply. */
export function errorCause(reply: Packet): number | undefined {
  return firstValue(decodeAttributes(reply), 'Error-Cause');
}
