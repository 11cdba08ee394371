// The loop under every mapping: poll, and when that fails, wait longer and longer and say so once.
import { setTimeout as sleep } from 'node:timers/promises';

/** What runs until it is stopped. */
export interface Mapping {
  /** Finishes what is in hand and polls no more. */
  stop(): Promise<void>;
}

export interface Surroundings {
  /** Told, in a sentence, what an operator should know. */
  readonly report: (problem: string) => void;
  /** Resolves after so many milliseconds, or as soon as `stopping` aborts. @default a timer */
  readonly delay?: (milliseconds: number, stopping: AbortSignal) => Promise<unknown>;
}

export interface PollLoop extends Mapping {
  /** Resolves when `poll` has answered `end`, or after `stop`. */
  readonly ended: Promise<void>;
}

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5_000;

/** Calls `poll` again and again. `name` is what a report calls the thing that is polled. */
export function startPollLoop(
  name: string,
  { report, delay = wait }: Surroundings,
  poll: (stopping: AbortSignal) => Promise<'again' | 'end'>,
): PollLoop {
  const controller = new AbortController();
  const stopping = controller.signal;
  const run = async () => {
    let failures = 0;
    while (!stopping.aborted) {
      try {
        if ((await poll(stopping)) === 'end') return;
        if (failures > 0) report(`${name} can be polled again`);
        failures = 0;
      } catch (error) {
        if (failures === 0) report(`${name} cannot be polled; trying again: ${error}`);
        failures += 1;
        await delay(backOffMs(failures), stopping);
      }
    }
  };
  const ended = run();
  return {
    ended,
    stop: () => {
      controller.abort();
      return ended;
    },
  };
}

/** How long to wait after so many failures in a row. */
export function backOffMs(failures: number): number {
  return Math.min(FIRST_BACK_OFF_MS * 2 ** (failures - 1), LONGEST_BACK_OFF_MS);
}

/** A timer that ends early when `stopping` aborts. */
export function wait(milliseconds: number, stopping: AbortSignal): Promise<unknown> {
  return sleep(milliseconds, undefined, { signal: stopping }).catch(() => {});
}
