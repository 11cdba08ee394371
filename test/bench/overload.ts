// What the local system makes of ten times as many switches as it can carry out (`enforcement: coa`, with the built-in NAS), whether
// it recovers, and what a client notices of another one that floods the relay. The clients are threads of their own.
// Run by hand: node test/bench/overload.ts [seconds of a phase]
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { startSystem } from '../../local/system.ts';
import type { Load, LoadClient, Outcome } from './load.ts';

const SECONDS = Number(process.argv[2] ?? 10);
const PATIENCE_SECONDS = 10;
const patienceMs = PATIENCE_SECONDS * 1000;
const SECRET = 'a secret of the benchmark';
const CLIENTS = { policy: '127.0.0.2', flood: '127.0.0.3' } as const;
const SESSIONS = 500;
/** Requests in progress at which the system is busy, and none waits for long. */
const AT_A_TIME = 48;

const SITE = `
site: bench
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0" }
clientPatienceSeconds: ${PATIENCE_SECONDS}
clients:
  - { name: policy, source: ${CLIENTS.policy}, secret: ${SECRET} }
  - { name: flood, source: ${CLIENTS.flood}, secret: ${SECRET} }
nases: [{ name: bng-1, address: "127.0.0.1:3798", secret: ${SECRET}, identifiedBy: [bng-1], enforcement: coa }]
`;

const directory = mkdtempSync(join(tmpdir(), 'interlock-bench-'));
const siteFile = join(directory, 'bench.yaml');
writeFileSync(siteFile, SITE);
const refused = new Map<string, number>();
const system = await startSystem({
  servicesFile: 'config/services.yaml',
  siteFile,
  environment: {},
  report: ({ source, event }) => {
    if (source === 'relay' && event.kind === 'request-refused')
      refused.set(event.reason, (refused.get(event.reason) ?? 0) + 1);
    if (source === 'cloud') print(`  ${event.problem}`);
  },
});
const workers: Worker[] = [];
let isMet = true;
try {
  const policy = await startClient('policy');
  const flood = await startClient('flood');
  print(`${SESSIONS} sessions of each client are made`);
  await policy({ atATime: AT_A_TIME, seconds: SECONDS, patienceMs });
  await flood({ atATime: AT_A_TIME, seconds: SECONDS, patienceMs });

  const capacity = acknowledged(await flood({ atATime: AT_A_TIME, seconds: SECONDS, patienceMs })) / SECONDS;
  print(`capacity: ${capacity.toFixed(0)} switches/s, ${AT_A_TIME} at a time`);

  refused.clear();
  const burst = await flood({ perSecond: 10 * capacity, seconds: SECONDS, patienceMs });
  const goodput = acknowledged(burst) / SECONDS;
  const answered = burst.filter(({ answer }) => answer !== undefined);
  const p99 = percentile(answered, 0.99);
  print(
    `ten times as many: ${(burst.length / SECONDS).toFixed(0)} requests/s, refused by the relay: ${reasons()}`,
  );
  expect(`goodput ${goodput.toFixed(0)} switches/s, no less than capacity`, goodput >= capacity);
  expect(
    `answered ${share(answered.length, burst.length)}, 95 % or more`,
    answered.length >= 0.95 * burst.length,
  );
  expect(`99 % of the answers within ${p99.toFixed(0)} ms, below ${patienceMs} ms`, p99 < patienceMs);
  expect(`99 % of the ACKs within ${percentile(acks(burst), 0.99).toFixed(0)} ms`, true);

  await sleep(Math.max(0, 10_000 - patienceMs));
  const after = await flood({ perSecond: capacity / 4, seconds: SECONDS, patienceMs });
  expect(
    `10 s after the burst, at a quarter of capacity: ${share(acknowledged(after), after.length)} acknowledged`,
    acknowledged(after) === after.length,
  );

  const own = { perSecond: capacity / 10, seconds: SECONDS, patienceMs };
  const alone = await policy(own);
  const [beside, flooding] = await Promise.all([policy(own), flood({ ...own, perSecond: 10 * capacity })]);
  const [p99Alone, p99Beside] = [alone, beside].map((outcomes) => percentile(outcomes, 0.99)) as [
    number,
    number,
  ];
  print(`one client floods: it gets ${(acknowledged(flooding) / SECONDS).toFixed(0)} switches/s`);
  print(`the other at a tenth of capacity: ${summary(alone)} alone, ${summary(beside)} beside it`);
  expect(
    `its 99 % are ${(p99Beside / p99Alone).toFixed(2)} times those alone, at most 2`,
    p99Beside <= 2 * p99Alone,
  );
  const again = acknowledged(await flood({ atATime: AT_A_TIME, seconds: SECONDS, patienceMs })) / SECONDS;
  print(
    `capacity in the end: ${again.toFixed(0)} switches/s; the emulator of DynamoDB may slow down by itself`,
  );
} finally {
  await Promise.all(workers.map((worker) => worker.terminate()));
  await system.stop();
  rmSync(directory, { recursive: true });
}
process.exitCode = isMet ? 0 : 1;

async function startClient(name: keyof typeof CLIENTS): Promise<(load: Load) => Promise<readonly Outcome[]>> {
  const workerData: LoadClient = {
    address: CLIENTS[name],
    relay: system.coaAddress,
    secret: SECRET,
    prefix: name,
    sessions: SESSIONS,
  };
  const worker = new Worker(join(import.meta.dirname, 'load.ts'), { workerData });
  workers.push(worker);
  await once(worker, 'message');
  return async (load) => {
    worker.postMessage(load);
    const [outcomes] = (await once(worker, 'message')) as [readonly Outcome[]];
    return outcomes;
  };
}

function acks(outcomes: readonly Outcome[]): readonly Outcome[] {
  return outcomes.filter(({ answer }) => answer === 'ack');
}

function acknowledged(outcomes: readonly Outcome[]): number {
  return acks(outcomes).length;
}

/** Of the times to the answer in milliseconds; a request without one took for ever. */
function percentile(outcomes: readonly Outcome[], part: number): number {
  const times = outcomes.map(({ tookMs = Number.POSITIVE_INFINITY }) => tookMs).toSorted((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN;
}

function summary(outcomes: readonly Outcome[]): string {
  const [p50, p99] = [0.5, 0.99].map((part) => percentile(outcomes, part).toFixed(0));
  return `p50 ${p50} ms, p99 ${p99} ms, ${share(acknowledged(outcomes), outcomes.length)} ACK`;
}

function reasons(): string {
  return [...refused].map(([reason, count]) => `${reason} ${count}`).join(', ') || 'none';
}

function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function expect(what: string, isSo: boolean): void {
  print(`${isSo ? 'ok   ' : 'NOT  '} ${what}`);
  isMet &&= isSo;
}
