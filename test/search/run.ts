// `npm run search -- --histories N --seed S --jobs J`: plays N random histories, half of them where NASes account, on J
// processors. The seed of each is S and the numbers after it, and S is random unless it is given. Ends with 1 when one breaks a
// promise, and tells it as simply as it can.
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createDecide } from '../../functions/decide/decide.ts';
import { SITES, SITES_WITH_A_FEED } from './histories/deployment.ts';
import { memoryStore } from './histories/memory-store.ts';
import { type Found, search } from './histories/search.ts';

/** So many seeds are handed to a processor at a time. Each is played twice: with a feed, and without. */
const SEEDS_A_PART = 100;

interface Part {
  readonly seed: number;
  readonly count: number;
}

if (isMainThread) await main();
else {
  const { seed, count } = workerData as Part;
  for (const sites of [SITES, SITES_WITH_A_FEED]) {
    const system = { store: memoryStore(), decide: createDecide };
    parentPort?.postMessage(await search(system, seed, count, { sites, simplifyWithin: 2_000 }));
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      histories: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      jobs: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const [histories, seed, jobs] = (['histories', 'seed', 'jobs'] as const).map((name) => {
    const number = Number(values[name]);
    if (Number.isSafeInteger(number) && number >= (name === 'seed' ? 0 : 1)) return number;
    throw new Error(`--${name}: expected a whole number, not ${values[name]}`);
  }) as [number, number, number];
  const seeds = Math.ceil(histories / 2);
  const parts = Array.from({ length: Math.ceil(seeds / SEEDS_A_PART) }, (_, index): Part => {
    const begun = index * SEEDS_A_PART;
    return { seed: seed + begun, count: Math.min(SEEDS_A_PART, seeds - begun) };
  });
  process.stdout.write(`${2 * seeds} histories, seeds ${seed} to ${seed + seeds - 1}\n`);
  const tally: Record<string, number> = {};
  let played = 0;
  let violations = 0;
  const take = ({ histories: more, tally: seen, violation }: Found) => {
    played += more;
    for (const [name, count] of Object.entries(seen)) tally[name] = (tally[name] ?? 0) + count;
    if (violation === undefined) return;
    violations++;
    process.stdout.write(`VIOLATION, seed ${violation.seed}: ${violation.story}\n`);
  };
  let reported = 0;
  const work = async () => {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      await inAWorker(part, take);
      if (played - reported < 1_000) continue;
      reported = played;
      process.stdout.write(`${played} played, ${violations} violations\n`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  process.stdout.write(`${played} histories, ${violations} violations: ${JSON.stringify(tally)}\n`);
  process.exitCode = violations > 0 ? 1 : 0;
}

/** Memory that a part has used goes with its worker. */
function inAWorker(part: Part, take: (found: Found) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: part });
    worker.on('message', take);
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  });
}
