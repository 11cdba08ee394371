// Looks for a history that breaks a promise.
import fc from 'fast-check';
import type { System } from './cloud.ts';
import { SITES, type SiteName } from './deployment.ts';
import { type History, play } from './play.ts';
import { type Tally, Violation } from './scene.ts';
import { simplify } from './simplify.ts';

const STEPS = 28;
/** Histories at these sites. A step in which several functions are at work uses up many numbers; where they run out it goes on calmly. */
const historiesAt = (sites: readonly SiteName[]): fc.Arbitrary<History> =>
  fc.record({
    site: fc.constantFrom(...sites),
    subscribers: fc.constantFrom(2, 3),
    logIn: fc.array(fc.nat(9_999), { minLength: 18, maxLength: 18 }),
    steps: fc.array(fc.array(fc.nat(9_999), { maxLength: 100, size: 'max' }), {
      minLength: STEPS,
      maxLength: STEPS,
    }),
  });

/** While one waits for the table, others go on; they have nothing in common. */
const SIDE_BY_SIDE = 8;

export interface Found {
  readonly histories: number;
  readonly tally: Partial<Tally>;
  /** Of the first history that broke a promise: its seed, and how it came about, made as simple as it gets. */
  readonly violation?: { readonly seed: number; readonly story: string };
}

export interface SearchOptions {
  readonly simplifyWithin?: number;
  /** @default those without a feed */
  readonly sites?: readonly SiteName[];
}

/**
 * Plays so many histories, those of `seed` and the numbers after it, or fewer if one breaks a promise. That one is played again
 * at most `simplifyWithin` times to make it simpler.
 */
export async function search(
  system: System,
  seed: number,
  histories: number,
  { simplifyWithin = Number.POSITIVE_INFINITY, sites = SITES }: SearchOptions = {},
): Promise<Found> {
  const arbitrary = historiesAt(sites);
  const tally: Partial<Tally> = {};
  const broken: { readonly seed: number; readonly history: History; readonly story: string }[] = [];
  let begun = 0;
  const worker = async () => {
    while (begun < histories && broken.length === 0) {
      const own = seed + begun++;
      const [history] = fc.sample(arbitrary, { seed: own, numRuns: 1, unbiased: true });
      if (history === undefined) throw new Error('fast-check drew nothing');
      const outcome = await tryOut(history, system);
      if (outcome instanceof Violation) broken.push({ seed: own, history, story: outcome.message });
      else add(tally, outcome);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  const [first] = broken;
  if (first === undefined) return { histories: begun, tally };
  let { story } = first;
  let played = 0;
  await simplify(first.history, async (simpler) => {
    if (++played > simplifyWithin) return false;
    const outcome = await tryOut(simpler, system);
    if (outcome instanceof Violation) story = outcome.message;
    return outcome instanceof Violation;
  });
  return { histories: begun, tally, violation: { seed: first.seed, story } };
}

async function tryOut(history: History, system: System): Promise<Tally | Violation> {
  try {
    return await play(history, system);
  } catch (error) {
    if (error instanceof Violation) return error;
    throw error;
  }
}

function add(total: Partial<Tally>, more: Tally): void {
  for (const [name, count] of Object.entries(more) as [keyof Tally, number][])
    total[name] = (total[name] ?? 0) + count;
}
