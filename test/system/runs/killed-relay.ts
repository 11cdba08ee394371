// A relay, in a process of its own, that is killed or paused when its NAS has carried out a command; the queues, the table and
// the functions run on. The client sends its request again and again, as a RADIUS client does.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { prepareSecret, signRequest } from '../../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { createSessionStore } from '../../../functions/shared/session-store.ts';
import { startEmbeddedCloud } from '../../../local/cloud/embedded-cloud.ts';
import { startFunctions } from '../../../local/cloud/functions.ts';
import { createHandlers } from '../../../local/cloud/handlers.ts';
import { type NasMove, type NasRequest, startScriptedNas } from '../../../local/peers/scripted-nas.ts';

const PROJECT = join(import.meta.dirname, '../../..');
const SECRET = 'testing123';
const RETRANSMIT_MS = 2_000;
const SERVICES = 'services:\n  gold: { mutexGroup: 12, statistics: time }\n  silver: { mutexGroup: 12 }\n';

/** A process of `node relay/main.ts`. */
export interface RelayChild {
  /** Resolves when it takes requests. */
  readonly listening: Promise<void>;
  /** The messages of its log. */
  readonly log: readonly { readonly message: string }[];
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
}

export interface KilledRelaySite {
  startRelay(): RelayChild;
  /** Sends a CoA-Request that activates a service, the same octets each 2 s, and returns the code of the reply. */
  activate(service: string): Promise<number | undefined>;
  /** What the NAS was told and answered, such as `activate gold: ack`. */
  readonly told: () => readonly string[];
  /** The services that the NAS has. */
  readonly has: () => readonly string[];
  readonly session: () => Promise<Session | undefined>;
  stop(): Promise<void>;
}

/** Starts all but the relay. `script` is what the NAS does. */
export async function startKilledRelaySite(
  script: (request: NasRequest) => NasMove | Promise<NasMove>,
): Promise<KilledRelaySite> {
  const directory = await mkdtemp(join(tmpdir(), 'interlock-killed-'));
  const address = { address: '127.0.0.1', port: 0 };
  const secret = prepareSecret(SECRET);
  const nas = await startScriptedNas({ address, secrets: [secret], now: Date.now, script });
  const port = await freePort();
  const definition = `
site: killed
relay: { coa: "127.0.0.1:${port}", http: "127.0.0.1:0" }
clients: [{ name: policy, source: 127.0.0.0/8, secret: ${SECRET} }]
nases:
  - { name: bng-1, address: "127.0.0.1:${nas.address.port}", secret: ${SECRET}, identifiedBy: [192.0.2.1], dialect: erx, enforcement: coa }
`;
  const file = join(directory, 'killed.yaml');
  await writeFile(file, definition);
  const onDeath = (reason: string) => {
    throw new Error(reason);
  };
  const cloud = await startEmbeddedCloud({ sites: ['killed'], onDeath });
  const queues = cloud.queues['killed'];
  if (queues === undefined) throw new Error('there are no queues of the site');
  const deployment = deploymentOf(parseServicesFile('services.yaml', SERVICES), [
    parseSiteFile('killed.yaml', definition),
  ]);
  const report = () => undefined;
  const functions = startFunctions({
    cloud,
    handlers: createHandlers({ cloud, deployment, report }),
    checkpointFile: undefined,
    sweepIntervalSeconds: undefined,
    report,
  });
  const store = createSessionStore(new DynamoDBClient(cloud.dynamodb), cloud.tableName);
  const children: ReturnType<typeof spawn>[] = [];
  const client = createSocket('udp4');
  client.bind(0, '127.0.0.1');
  await once(client, 'listening');
  let identifier = 0;

  return {
    startRelay() {
      const child = spawn(process.execPath, [join(PROJECT, 'relay/main.ts'), file], {
        env: {
          ...process.env,
          AWS_ENDPOINT_URL_SQS: cloud.sqs.endpoint,
          AWS_REGION: cloud.sqs.region,
          AWS_ACCESS_KEY_ID: 'local',
          AWS_SECRET_ACCESS_KEY: 'local',
          INTERLOCK_INBOX_URL: queues.inbox.url,
          INTERLOCK_OUTBOX_URL: queues.outbox.url,
          INTERLOCK_ACCOUNTING_URL: queues.accounting.url,
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      const log: { readonly message: string }[] = [];
      const listening = Promise.withResolvers<void>();
      createInterface(child.stdout).on('line', (line) => {
        const entry = JSON.parse(line);
        log.push(entry);
        if (entry.message === 'listening') listening.resolve();
      });
      return { listening: listening.promise, log, signal: (name) => void child.kill(name) };
    },
    async activate(service) {
      const attributes = encodeAttributes([
        { name: 'User-Name', value: 'client1@isp1.com' },
        { name: 'Acct-Session-Id', value: '0001' },
        { name: 'ERX-Service-Activate', tag: 1, value: service },
        { name: 'Event-Timestamp', value: Math.floor(Date.now() / 1000) },
      ]);
      const sent = signRequest({ code: CODE.CoaRequest, identifier: ++identifier, attributes }, secret);
      const send = () => client.send(sent, port, '127.0.0.1');
      const timer = setInterval(send, RETRANSMIT_MS);
      send();
      const [reply] = (await once(client, 'message')) as [Buffer];
      clearInterval(timer);
      return reply[0];
    },
    told: () => nas.record.map(({ operation, service, answer }) => `${operation} ${service}: ${answer}`),
    has: () => nas.services('0001'),
    session: () => store.read({ nas: 'bng-1', acctSessionId: '0001' }),
    async stop() {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      client.close();
      await functions.stop();
      await nas.stop();
      await cloud.stop();
      // The emulator may still write while it ends.
      await sleep(0);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  return port;
}
