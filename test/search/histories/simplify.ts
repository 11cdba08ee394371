import type { History } from './play.ts';

/**
 * The simplest history found of which `isWanted` still holds: steps are left out, and numbers become zero, first many
 * at once and then one by one. fast-check could do it as well, but takes ten times as long over lists of lists.
 */
export async function simplify(
  history: History,
  isWanted: (simpler: History) => Promise<boolean>,
): Promise<History> {
  let found = history;
  const accept = async (steps: History['steps']) => {
    const simpler = { ...found, steps };
    const isAccepted = await isWanted(simpler);
    if (isAccepted) found = simpler;
    return isAccepted;
  };
  await reduce(found.steps, () => [], accept);
  for (const index of found.steps.keys())
    await reduce(
      found.steps[index] ?? [],
      (part) => part.map(() => 0),
      (numbers) => accept(found.steps.with(index, numbers)),
    );
  const calm = { ...found, logIn: [] };
  return (await isWanted(calm)) ? calm : found;
}

/** Reduces parts of `list`, halves first and then ever smaller ones, as far as that is accepted. */
async function reduce<T>(
  list: readonly T[],
  less: (part: readonly T[]) => readonly T[],
  accept: (reduced: readonly T[]) => Promise<boolean>,
): Promise<void> {
  let current = list;
  for (let size = Math.ceil(list.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let end = current.length; end > 0; end -= size) {
      const start = Math.max(0, end - size);
      const reduced = [...current.slice(0, start), ...less(current.slice(start, end)), ...current.slice(end)];
      if (await accept(reduced)) current = reduced;
    }
  }
}
