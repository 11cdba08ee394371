// Time that is moved by hand. Nothing happens between two moves: a timer fires when its time comes, and what it starts
// has settled before the next one fires, so that the same moves give the same events in the same order.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../relay/clock.ts';

/** 2023-11-14, 22:13:20 UTC. */
export const START_MS = 1_700_000_000_000;

interface Entry {
  readonly dueMs: number;
  readonly owner: object;
  /** Whether time has to stop for it: see `nextMs`. */
  readonly isIdle: boolean;
  readonly fire: () => void;
}

export interface ManualProcess {
  readonly clock: Clock;
  /** Cancels all timers of this process. Timers that it starts later never fire. */
  kill(): void;
  /** Stops it as SIGSTOP does: what becomes due happens when it goes on. */
  pause(): void;
  /** Lets it go on: what became due meanwhile happens now, in the order of its times. */
  resume(): void;
}

export class ManualClock implements Clock {
  readonly #startMs: number;
  #nowMs: number;
  /** The next one first; those of one moment in the order in which they were set. */
  readonly #entries: Entry[] = [];

  constructor(startMs = START_MS) {
    this.#startMs = startMs;
    this.#nowMs = startMs;
  }

  readonly now = (): number => this.#nowMs;
  readonly monotonicNow = (): number => this.#nowMs - this.#startMs;
  readonly setTimeout = (callback: () => void, delayMs: number): Timer =>
    this.#add(this, callback, delayMs, false);
  readonly setInterval = (callback: () => void, intervalMs: number): Timer => {
    const start = (): Timer =>
      this.setTimeout(() => {
        current = start();
        callback();
      }, intervalMs);
    let current = start();
    return { cancel: () => current.cancel() };
  };
  readonly setImmediate = (callback: () => void): void => void this.#add(this, callback, 0, false);
  readonly abortAfter = (delayMs: number): AbortSignal =>
    abortAfter((callback, afterMs, isIdle) => this.#add(this, callback, afterMs, isIdle), delayMs);

  /** As `setTimeout`, but time does not stop for it: it fires when time has moved past it for some other reason. */
  setIdleTimeout(callback: () => void, delayMs: number): Timer {
    return this.#add(this, callback, delayMs, true);
  }

  /**
   * A clock of a process that can be killed. Its wall clock is ahead by `skewMs`, which may change at any time. Time does not
   * stop for what it does each `idleFromMs` or less often: see `setIdleTimeout`.
   */
  process(skewMs = () => 0, idleFromMs = Infinity): ManualProcess {
    const owner = {};
    let isAlive = true;
    /** What has become due while it is paused. */
    let due: (() => void)[] | undefined;
    const add = (callback: () => void, delayMs: number, isIdle = false): Timer => {
      if (!isAlive) return NEVER;
      const fire = () => (due === undefined ? callback() : void due.push(again));
      const again = () => {
        timer = this.#add(owner, fire, 0, false);
      };
      let timer = this.#add(owner, fire, delayMs, isIdle);
      return {
        cancel: () => {
          timer.cancel();
          due = due?.filter((one) => one !== again);
        },
      };
    };
    const repeat = (callback: () => void, intervalMs: number): Timer => {
      const start = () =>
        add(
          () => {
            current = start();
            callback();
          },
          intervalMs,
          intervalMs >= idleFromMs,
        );
      let current = start();
      return { cancel: () => current.cancel() };
    };
    return {
      clock: {
        now: () => this.now() + skewMs(),
        monotonicNow: this.monotonicNow,
        setTimeout: (callback, delayMs) => add(callback, delayMs),
        setInterval: repeat,
        setImmediate: (callback) => void add(callback, 0),
        abortAfter: (delayMs) => abortAfter(add, delayMs),
      },
      pause: () => {
        due ??= [];
      },
      resume: () => {
        const waiting = due ?? [];
        due = undefined;
        for (const again of waiting) again();
      },
      kill: () => {
        isAlive = false;
        due = undefined;
        this.#entries.splice(0, Infinity, ...this.#entries.filter((entry) => entry.owner !== owner));
      },
    };
  }

  /** When the next timer is due; undefined when there is none, or only such that time does not stop for. */
  get nextMs(): number | undefined {
    return this.#entries.find(({ isIdle, dueMs }) => !isIdle || dueMs <= this.#nowMs)?.dueMs;
  }

  /** Moves time to the next timer and fires it. Returns whether there was one that is due by `untilMs`. */
  async step(untilMs = Infinity): Promise<boolean> {
    const { nextMs } = this;
    if (nextMs === undefined || nextMs > untilMs) return false;
    this.#nowMs = Math.max(this.#nowMs, nextMs);
    await this.#fireFirst();
    return true;
  }

  /** Moves time by `ms` milliseconds and fires all timers that become due, each at its own time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await nextTurn();
    while (await this.step(untilMs));
    this.#nowMs = untilMs;
    while ((this.#entries[0]?.dueMs ?? Infinity) <= untilMs) await this.#fireFirst();
  }

  async #fireFirst(): Promise<void> {
    this.#entries.shift()?.fire();
    // By then all promises have settled that depend on nothing but this.
    await nextTurn();
  }

  #add(owner: object, fire: () => void, delayMs: number, isIdle: boolean): Timer {
    const entry = { dueMs: this.#nowMs + delayMs, owner, isIdle, fire };
    const index = this.#entries.findLastIndex(({ dueMs }) => dueMs <= entry.dueMs) + 1;
    this.#entries.splice(index, 0, entry);
    return {
      cancel: () => {
        const at = this.#entries.indexOf(entry);
        if (at !== -1) this.#entries.splice(at, 1);
      },
    };
  }
}

/** Idle: a call that has ended in time does not cancel its timeout. */
function abortAfter(
  add: (callback: () => void, delayMs: number, isIdle: boolean) => Timer,
  delayMs: number,
): AbortSignal {
  const controller = new AbortController();
  add(() => controller.abort(TIMED_OUT), delayMs, true);
  return controller.signal;
}

/** One for all, because the usual one records its stack. */
const TIMED_OUT = new Error('the time is over');
const NEVER: Timer = { cancel: () => undefined };
