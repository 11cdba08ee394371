import { delay, type MonotonicClock } from '../clock.ts';

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;

/**
 * Waits before the next attempt after `failures` failures in a row, at least one: 250 ms, 500 ms … 10 s. Resolves early
 * when `signal` aborts.
 */
export function backOff(clock: MonotonicClock, failures: number, signal: AbortSignal): Promise<void> {
  return delay(clock, Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS), signal);
}
