// How long a write to the table of `npm start` takes as the table grows, and the processor time of dynoxide for each write and
// its stream record: 100,000 writes of 1,000 sessions, eight at a time, with account's mapping on the stream as `npm start` has
// it. `--writes N` for another number. Run by hand on Linux: node test/bench/table.ts
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { startEmbeddedCloud } from '../../local/cloud/embedded-cloud.ts';
import { startFunctions } from '../../local/cloud/functions.ts';

const { values } = parseArgs({ options: { writes: { type: 'string', default: '100000' } } });
const WRITES = Number(values.writes);
const STEP = 10_000;
const SESSIONS = 1_000;
const WRITERS = 8;

const cloud = await startEmbeddedCloud({ sites: ['bench'], onDeath: fail });
let records = 0;
const idle = async () => ({ batchItemFailures: [] });
const functions = startFunctions({
  cloud,
  handlers: {
    decide: idle,
    ingest: idle,
    sweep: idle,
    account: async ({ Records }) => {
      records += Records.length;
      return { batchItemFailures: [] };
    },
  },
  report: ({ event }) => fail(JSON.stringify(event)),
});
const client = new DynamoDBClient(cloud.dynamodb);
try {
  process.stdout.write('  writes    p50 ms    p99 ms   cpu ms   records read\n');
  for (let written = 0; written < WRITES; ) {
    const upTo = Math.min(WRITES, written + STEP);
    const times: number[] = [];
    const cpuBeforeMs = dynoxideCpuMs();
    const write = async () => {
      while (written < upTo) {
        const number = written++;
        const startedAtMs = performance.now();
        await client.send(new PutItemCommand({ TableName: cloud.tableName, Item: item(number) }));
        times.push(performance.now() - startedAtMs);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    const cpu = (dynoxideCpuMs() - cpuBeforeMs) / times.length;
    const at = (share: number) =>
      (times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN).toFixed(2);
    process.stdout.write(
      `${String(written).padStart(8)}${at(0.5).padStart(10)}${at(0.99).padStart(10)}${cpu.toFixed(2).padStart(9)}${String(records).padStart(15)}\n`,
    );
  }
} finally {
  client.destroy();
  await functions.stop();
  await cloud.stop();
}

/** Processor time of dynoxide so far, which does not depend on what else the machine does. */
function dynoxideCpuMs(): number {
  const { pid } = process;
  const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  // proc_pid_stat(5): behind the name come state and 10 more fields, then utime and stime in ticks of 10 ms.
  const fields = readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** An item of about the size of a session with two services. */
function item(number: number) {
  const session = `s${number % SESSIONS}`;
  return {
    pk: { S: `NAS#bng-1#SESSION#${session}` },
    sk: { S: 'STATE' },
    revision: { N: String(number) },
    acctSessionId: { S: session },
    userName: { S: `${session}@isp` },
    nasBucket: { S: `bng-1#${number % 16}` },
    filler: { S: 'x'.repeat(1_500) },
  };
}

function fail(reason: string): never {
  throw new Error(reason);
}
