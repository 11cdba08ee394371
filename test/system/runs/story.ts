// A long run as it is told: step by step with times, and whether all was as it should be.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

interface Part {
  stop(): Promise<unknown>;
}

/** What has been started, and is to be stopped in the opposite order. */
export class Running {
  readonly #parts: Part[] = [];

  push(part: Part): void {
    this.#parts.push(part);
  }

  async stopLatest(): Promise<void> {
    await this.#parts.pop()?.stop();
  }

  /** Stops all of it, whatever becomes of each. */
  async stop(): Promise<void> {
    while (this.#parts.length > 0) await this.stopLatest().catch(fail);
  }
}

/** Plays a run, stops what it leaves running, and ends this process: with 1 when anything was not as it should be. */
export async function play(story: (running: Running) => Promise<void>): Promise<never> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const running = new Running();
  await story(running).catch(fail);
  await running.stop();
  if (process.exitCode === undefined) tell('all is as it should be');
  // A start that failed may have left something open.
  process.exit();
}

function fail(error: unknown): void {
  tell(`FAILED: ${error instanceof Error ? error.stack : error}`);
  process.exitCode = 1;
}

/** Says something, and how late it is. */
export function tell(text: string): void {
  process.stdout.write(`${seconds(performance.now()).padStart(6)} s  ${text}\n`);
}

/** Waits for a result, and says how long that took. */
export async function step<T>(name: string, result: Promise<T>): Promise<T> {
  const beganAtMs = performance.now();
  const value = await result;
  tell(`${name} (${seconds(performance.now() - beganAtMs)} s)`);
  return value;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}

/** @throws AssertionError when it is not what was expected in five minutes. */
export async function until<T>(read: () => Promise<T>, expected: T): Promise<void> {
  const deadlineMs = performance.now() + 300_000;
  for (;;) {
    const value = await read();
    try {
      assert.deepEqual(value, expected);
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await sleep(200);
  }
}
