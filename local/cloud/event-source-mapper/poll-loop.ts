// The loop of every mapping: it polls, and after failures backs off exponentially. The first failure is reported.
import { setTimeout as sleep } from 'node:timers/promises';

/** It runs until it is stopped. */
export interface Mapping {
  /** Stops polling; resolves when the invocations under way have finished. */
  stop(): Promise<void>;
}

export interface Surroundings {
  /** Gets a problem as a sentence, for the operator. */
  readonly report: (problem: string) => void;
  /** Resolves after so many milliseconds, or as soon as `stopping` aborts. @default a timer */
  readonly delay?: (milliseconds: number, stopping: AbortSignal) => Promise<unknown>;
}

export interface PollLoop extends Mapping {
  /** Resolves when `poll` has given `end`, or after `stop`. */
  readonly ended: Promise<void>;
}

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5_000;

/** Calls `poll` repeatedly until it gives `end`. `name` is the name of its source in reports. */
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
        if (failures === 0) report(`${name} cannot be polled, retrying: ${error}`);
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

/** The pause after this many failures in a row, at least 1: 100 ms, 200 ms … 5 s. */
export function backOffMs(failures: number): number {
  return Math.min(FIRST_BACK_OFF_MS * 2 ** (failures - 1), LONGEST_BACK_OFF_MS);
}

/** A timer that ends early when `stopping` aborts. */
export function wait(milliseconds: number, stopping: AbortSignal): Promise<unknown> {
  return sleep(milliseconds, undefined, { signal: stopping }).catch(() => {});
}
