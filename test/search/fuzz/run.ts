// `npm run fuzz -- --mutants N --udp M --seed S`: N mutants of packets, queue messages and stored items through checks, codec,
// reading and transition, and M mutants of packets over UDP to a relay. Ends with 1 at the first one that breaks a law.
import { randomInt } from 'node:crypto';
import { inspect, parseArgs } from 'node:util';
import { randomOf } from '../../random.ts';
import { Fuzzer } from './laws.ts';
import { fuzzOverUdp } from './udp.ts';

const { values } = parseArgs({
  options: {
    mutants: { type: 'string', default: '100000' },
    udp: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});
const [mutants, udp, seed] = (['mutants', 'udp', 'seed'] as const).map((name) => {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`--${name}: expected a whole number, not ${values[name]}`);
}) as [number, number, number];

const tell = (text: string) =>
  process.stdout.write(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
/** The time of every mutant: what becomes of a seed does not depend on the day. */
const NOW_MS = Date.UTC(2026, 10, 22, 12);

tell(`seed ${seed}`);
try {
  const fuzzer = new Fuzzer(randomOf(seed), NOW_MS);
  const tally: Record<string, number> = {};
  for (let count = 1; count <= mutants; count++) {
    const label = fuzzer.play();
    tally[label] = (tally[label] ?? 0) + 1;
    if (count % 100_000 === 0) tell(`${count} mutants`);
  }
  const labels = Object.entries(tally).sort(([, one], [, other]) => other - one);
  for (const [label, count] of labels) tell(`${String(count).padStart(8)}  ${label}`);
  if (udp > 0) tell(await fuzzOverUdp(udp, randomOf(seed)));
  tell(`${mutants} mutants, ${udp} over UDP, no law broken`);
} catch (error) {
  tell(`VIOLATION, seed ${seed}: ${inspect(error)}`);
  process.exitCode = 1;
}
process.exit();
