// Time as the relay sees it. This is the only file of relay/ that reads a system clock or starts a timer: everything
// else is given a Clock, so that a test moves time by hand.
import { performance } from 'node:perf_hooks';

/** A timer that has been started. */
export interface Timer {
  /** Stops the timer. Without effect after its last call. */
  cancel(): void;
}

/** The time and the timers of a process. */
export interface Clock {
  /** Wall time in milliseconds since 1970-01-01 UTC. It may be set back. */
  readonly now: () => number;
  /** Milliseconds since an arbitrary moment, never set back: durations and timeouts are measured with it. */
  readonly monotonicNow: () => number;
  /** Calls `callback` once, `delayMs` milliseconds from now. */
  readonly setTimeout: (callback: () => void, delayMs: number) => Timer;
  /** Calls `callback` every `intervalMs` milliseconds until the timer is cancelled. */
  readonly setInterval: (callback: () => void, intervalMs: number) => Timer;
  /** Calls `callback` once, after the current turn of the event loop. */
  readonly setImmediate: (callback: () => void) => void;
  /** A signal that aborts `delayMs` milliseconds from now. */
  readonly abortAfter: (delayMs: number) => AbortSignal;
}

/** A clock for durations and timeouts alone: no step of the wall clock changes anything for a part that has only this. */
export type MonotonicClock = Omit<Clock, 'now'>;

/** The clock and the timers of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  setTimeout(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  setInterval(callback, intervalMs) {
    const timer = setInterval(callback, intervalMs);
    return { cancel: () => clearInterval(timer) };
  },
  setImmediate(callback) {
    setImmediate(callback);
  },
  abortAfter: (delayMs) => AbortSignal.timeout(delayMs),
};

/** Resolves after `delayMs` milliseconds, or as soon as `signal` aborts. */
export function delay(clock: Pick<Clock, 'setTimeout'>, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, delayMs);
    signal.addEventListener('abort', end);
  });
}
