// A NAS with 2,000 open sessions restarts: how long the local system takes to end them, and how long a CoA-Request for a session of
// another NAS takes meanwhile, beside what it takes at rest. Run by hand: node test/bench/restart.ts
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ACCT_STATUS_TYPE } from '../../core/radius/attributes.ts';
import { prepareSecret, signRequest } from '../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { startSystem } from '../../local/system.ts';
import { nas, play, record } from '../core/support.ts';

const SESSIONS = 2_000;
const AT_REST = 100;
const SECRET = 'testing123';
const SITE = `
site: bench
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0", accounting: "127.0.0.1:0" }
clients: [{ name: policy, source: 127.0.0.0/8, secret: ${SECRET} }]
accountingFrom: [{ name: nases, source: 127.0.0.0/8, secret: ${SECRET}, mode: copy }]
nases:
  - { name: rebooted, address: "127.0.0.1:3798", secret: ${SECRET}, identifiedBy: [rebooted] }
  - { name: other, address: "127.0.0.1:3797", secret: ${SECRET}, identifiedBy: [other] }
`;

const directory = mkdtempSync(join(tmpdir(), 'interlock-bench-'));
const siteFile = join(directory, 'bench.yaml');
writeFileSync(siteFile, SITE);
const secret = prepareSecret(SECRET);
let closed = 0;
const allClosed = Promise.withResolvers<void>();
const system = await startSystem({
  servicesFile: 'config/services.yaml',
  siteFile,
  environment: {},
  report: ({ source, event }) => {
    if (source !== 'ingest' || event.kind !== 'decided' || event.life !== 'closed') return;
    if (++closed === SESSIONS) allClosed.resolve();
  },
});
const socket = createSocket('udp4');
try {
  await openSessions();
  const atRest: number[] = [];
  for (let round = 0; round < AT_REST; round++) atRest.push(await timeSwitch(round));

  const startedAtMs = performance.now();
  const meanwhile: number[] = [];
  await accountingOn();
  let isOver = false;
  const over = allClosed.promise.then(() => {
    isOver = true;
    return performance.now() - startedAtMs;
  });
  for (let round = 0; !isOver; round++) meanwhile.push(await timeSwitch(AT_REST + round));
  const tookMs = await over;
  process.stdout.write(
    `${SESSIONS} sessions ended in ${(tookMs / 1000).toFixed(1)} s\n` +
      `CoA to ACK at rest    ${summary(atRest)}\nCoA to ACK meanwhile  ${summary(meanwhile)}\n`,
  );
} finally {
  socket.close();
  await system.stop();
  rmSync(directory, { recursive: true });
}

/** Sessions as accounting has opened them a minute ago. */
async function openSessions(): Promise<void> {
  const { write } = createSessionStore(new DynamoDBClient(system.cloud.dynamodb), system.cloud.tableName);
  const began = Date.now() - 60_000;
  const profile = nas({ site: 'bench', name: 'rebooted' });
  for (let start = 0; start < SESSIONS; start += 50) {
    const ids = Array.from({ length: 50 }, (_, index) => `s${start + index}`);
    await Promise.all(
      ids.map(async (acctSessionId) => {
        const times = { eventAtMs: began, receivedAtMs: began };
        const identity = { 'User-Name': `${acctSessionId}@isp` };
        const { session } = play(
          [record('start', 0, { acctSessionId, identity, nas: profile, ...times })],
          undefined,
          began,
        );
        if (session !== undefined) await write({ ...session, revision: 0 });
      }),
    );
  }
}

async function accountingOn(): Promise<void> {
  const port = system.relay.accountingAddress?.port ?? 0;
  const attributes = encodeAttributes([
    { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE['Accounting-On'] },
    { name: 'Acct-Session-Id', value: '0' },
    { name: 'NAS-Identifier', value: 'rebooted' },
    { name: 'Event-Timestamp', value: Math.floor(Date.now() / 1000) },
  ]);
  const sent = signRequest({ code: CODE.AccountingRequest, identifier: 1, attributes }, secret);
  socket.send(sent, port, '127.0.0.1');
  const [reply] = (await once(socket, 'message')) as [Buffer];
  if (reply[0] !== CODE.AccountingResponse)
    throw new Error(`expected an Accounting-Response, got ${reply[0]}`);
}

/** Milliseconds from a request to its CoA-ACK. */
async function timeSwitch(round: number): Promise<number> {
  const attributes = encodeAttributes([
    { name: 'User-Name', value: 'client1@isp1.com' },
    { name: 'Acct-Session-Id', value: '0001' },
    { name: 'NAS-Identifier', value: 'other' },
    { name: 'ERX-Service-Activate', tag: 1, value: round % 2 === 0 ? 'gold' : 'silver' },
  ]);
  const sent = signRequest({ code: CODE.CoaRequest, identifier: round % 256, attributes }, secret);
  const startedAtMs = performance.now();
  socket.send(sent, system.coaAddress.port, system.coaAddress.address);
  const [reply] = (await once(socket, 'message')) as [Buffer];
  if (reply[0] !== CODE.CoaAck) throw new Error(`expected a CoA-ACK, got code ${reply[0]}`);
  return performance.now() - startedAtMs;
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const parts = [0.5, 0.9, 1].map((share) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return `p${share * 100} ${value.toFixed(1)} ms`;
  });
  return `${times.length} requests  ${parts.join('  ')}`;
}
