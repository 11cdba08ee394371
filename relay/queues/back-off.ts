import { setTimeout as delay } from 'node:timers/promises';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/**
 * The pause before something is tried again that has failed `failures` times, at least once: a quarter of a second at
 * first, doubling up to ten seconds. It ends early when `signal` aborts.
 */
export async function backOff(failures: number, signal: AbortSignal): Promise<void> {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  await delay(pauseMs, undefined, { signal }).catch(() => undefined);
}
