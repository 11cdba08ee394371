// `node test/system/chaos/run.ts --seconds N --seed S --subscribers C`: kills and pauses the processes of a system one at a time
// at random for N seconds, under load from radclient, with FreeRADIUS as the accounting server. Once all is healthy again, nothing
// may be lost and nothing done twice. Ends with 1 and the story of each subscriber session of which that is not so.
import { randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { stringify } from 'yaml';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { createSessionStore } from '../../../functions/shared/session-store.ts';
import { type NasRecord, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { messagesIn } from '../../local/cloud/emulators.ts';
import { type Random, randomOf } from '../../random.ts';
import { freeUdpPort, startRadiusd } from '../peers/radiusd.ts';
import { play, type Running, tell } from '../runs/story.ts';
import { type Life, PATIENCE_SECONDS, SERVICES_FILE, startLoad } from './lives.ts';
import { type Part, startParts } from './parts.ts';
import { isAtRest, wrong } from './verdict.ts';

const SECRET = 'testing123';
const NAS = 'bng-1';
const SITE = 'chaos';
/** So much of what a NAS receives, and of what it sends, is lost. */
const LOST_SHARE = 0.02;
/** Longer than the visibility timeouts, deadlines of commands and first pauses together. */
const REST_SECONDS = 300;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    subscribers: { type: 'string', default: '10' },
  },
});
const [seconds, seed, subscribers] = (['seconds', 'seed', 'subscribers'] as const).map((name) => {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= (name === 'seed' ? 0 : 1)) return number;
  throw new Error(`--${name}: expected a whole number, not ${values[name]}`);
}) as [number, number, number];

await play(chaos);

async function chaos(running: Running): Promise<void> {
  tell(`seed ${seed}: ${seconds} s, ${subscribers} subscribers at a time`);
  const directory = await mkdtemp(join(tmpdir(), 'interlock-chaos-'));
  running.push({ stop: async () => process.exitCode || rm(directory, { recursive: true, force: true }) });
  const radiusd = await startRadiusd(SECRET);
  running.push(radiusd);
  const toldOf = new Map<string, NasRecord[]>();
  const lossy = randomOf(seed + 1);
  const nas = await startScriptedNas({
    address: { address: '127.0.0.1', port: 0 },
    secrets: [prepareSecret(SECRET)],
    now: Date.now,
    onlyLoggedIn: true,
    script: () => {
      const chance = lossy.next();
      if (chance < LOST_SHARE) return 'lose-request';
      return chance < 2 * LOST_SHARE ? 'lose-reply' : 'ack';
    },
    onRecord: (entry) => {
      const { acctSessionId = '' } = entry;
      const entries = toldOf.get(acctSessionId) ?? [];
      toldOf.set(acctSessionId, [...entries, entry]);
    },
  });
  running.push(nas);
  const [coaPort, accountingPort] = await Promise.all([freeUdpPort(), freeUdpPort()]);
  const servicesFile = join(directory, 'services.yaml');
  const siteFile = join(directory, `${SITE}.yaml`);
  await writeFile(servicesFile, SERVICES_FILE);
  await writeFile(
    siteFile,
    stringify({
      site: SITE,
      relay: { coa: `127.0.0.1:${coaPort}`, http: '127.0.0.1:0', accounting: `127.0.0.1:${accountingPort}` },
      clientPatienceSeconds: PATIENCE_SECONDS,
      clients: [{ name: 'radclient', source: '127.0.0.1', secret: SECRET }],
      accounting: [{ address: `127.0.0.1:${radiusd.port}`, secret: SECRET }],
      accountingFrom: [{ name: 'nas', source: '127.0.0.1', secret: SECRET, mode: 'copy' }],
      nases: [
        {
          name: NAS,
          address: `127.0.0.1:${nas.address.port}`,
          secret: SECRET,
          identifiedBy: ['192.0.2.1'],
          dialect: 'erx',
          enforcement: 'coa',
          answerTimeoutSeconds: 5,
        },
      ],
    }),
  );
  const parts = await startParts({ directory, servicesFile, siteFile, site: SITE });
  running.push(parts);
  tell(`all processes run; logs and state in ${directory}`);

  let isOver = false;
  const load = startLoad({
    subscribers,
    coaPort,
    accountingPort,
    secret: SECRET,
    nas,
    randomOf: (subscriber) => randomOf(seed + 1000 + subscriber),
    isOver: () => isOver,
  });
  // Awaited below; a failure in between must not end the process unheard.
  load.finished.catch(() => undefined);
  const faults = await disturb(parts.all, randomOf(seed));
  isOver = true;
  await load.finished;
  const alive = load.lives.filter(({ isOver }) => !isOver);
  const answers = await Promise.all(alive.map((life) => load.ask(life, 'gold')));
  tell(`healthy again: ${JSON.stringify(faults)}`);

  const { queues, due, accountFailures, ...cloud } = parts.cloud;
  const store = createSessionStore(new DynamoDBClient(cloud.dynamodb), cloud.tableName);
  const read = ({ acctSessionId }: Life) => store.read({ nas: NAS, acctSessionId });
  const sqs = new SQSClient(cloud.sqs);
  const work = [...Object.values(queues[SITE] ?? {}), due];
  const count = async (all: readonly { readonly url: string; readonly arn: string }[]) =>
    (await Promise.all(all.map((queue) => messagesIn(sqs, queue)))).reduce((sum, more) => sum + more, 0);
  const deadline = performance.now() + REST_SECONDS * 1000;
  const isQuiet = async () =>
    (await count(work)) === 0 && (await Promise.all(load.lives.map(read))).every(isAtRest);
  const beganMs = performance.now();
  // Three times in a row: what a session has written may be on its way from the stream to a queue.
  for (let quiet = 0; quiet < 3 && performance.now() < deadline; await sleep(1000))
    quiet = (await isQuiet()) ? quiet + 1 : 0;
  tell(`at rest after ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);

  const violations: string[] = [];
  if ((await count(work)) > 0) violations.push(`${await count(work)} messages are left in the queues`);
  const failed = await count([...work.map(({ deadLetters }) => deadLetters), accountFailures]);
  if (failed > 0) violations.push(`${failed} messages are among the dead letters`);
  for (const [index, answer] of answers.entries())
    if (answer !== 'CoA-ACK')
      violations.push(`${alive[index]?.acctSessionId}: the last request got ${answer}, with all healthy`);
  const records = await radiusd.records();
  const recordsOf = Map.groupBy(records, (record) => {
    const id = record.find(([name]) => name === 'Acct-Session-Id')?.[1] ?? '';
    return id.split(':')[0] ?? '';
  });
  for (const life of load.lives) {
    const { acctSessionId, story } = life;
    const told = toldOf.get(acctSessionId) ?? [];
    const faultsOfOne = [
      ...wrong({
        life,
        session: await read(life),
        has: nas.services(acctSessionId),
        told,
        accounted: recordsOf.get(acctSessionId) ?? [],
      }),
    ];
    if (faultsOfOne.length === 0) continue;
    const toldLines = told.map(
      ({ atMs, operation, service, answer, errorCause = '' }) =>
        `${new Date(atMs).toISOString().slice(11, 23)} the NAS: ${operation} ${service}: ${answer} ${errorCause}`,
    );
    violations.push(
      [`${acctSessionId}: ${faultsOfOne.join('; ')}`, ...[...story, ...toldLines].sort()].join('\n    '),
    );
  }
  const ids = new Set(
    records.map((record) =>
      JSON.stringify(record.filter(([name]) => /^Acct-(Status-Type|Session-Id)$/.test(name))),
    ),
  );
  const { tally } = load;
  tell(
    `${load.lives.length} subscriber sessions, ${tally.requests} requests in ${tally.transmissions} transmissions: ` +
      `${JSON.stringify(tally.answers)}; ${records.length} records at FreeRADIUS, ${records.length - ids.size} of them repeats`,
  );
  for (const violation of violations) tell(`VIOLATION: ${violation}`);
  if (violations.length > 0)
    throw new Error(`${violations.length} violations; rerun with --seed ${seed}; logs in ${directory}`);
}

/** Kills and pauses one process after the other. Returns how often. */
async function disturb(parts: readonly Part[], random: Random): Promise<Record<string, number>> {
  const done: Record<string, number> = {};
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    await sleep(500 + random.below(2500));
    const part = random.pick(parts);
    const isKilled = part.canBeKilled && random.next() < 0.5;
    const forMs = random.below(isKilled ? 2000 : 6000);
    const what = `${part.name} ${isKilled ? 'killed' : 'paused'}`;
    tell(`${what} for ${forMs} ms`);
    part.signal(isKilled ? 'SIGKILL' : 'SIGSTOP');
    await sleep(forMs);
    if (isKilled) await part.start();
    else part.signal('SIGCONT');
    done[what] = (done[what] ?? 0) + 1;
  }
  return done;
}
