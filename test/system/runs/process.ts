// Programs that a run starts.
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs a program to its end.
 * @returns what it printed to its standard output
 * @throws Error with its exit code and all that it printed when it fails.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const printed: string[] = [];
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => printed.push(String(data)));
  child.stdout?.on('data', (data) => output.push(String(data)));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed (${code}):\n${printed.join('')}`);
  return output.join('');
}

export interface Service {
  /** Ends it, kills what it leaves behind of its process group, and gives its exit code; null when it had to be killed. */
  stop(): Promise<number | null>;
}

export interface ServiceOptions {
  readonly env: NodeJS.ProcessEnv;
  /** The file for what it prints. */
  readonly log: string;
  /** Gets each line that it prints. */
  readonly onLine: (line: string) => void;
  readonly onExit: () => void;
}

/** Starts a program that stays, in a process group of its own. */
export function start(
  command: string,
  args: readonly string[],
  { env, log, onLine, onExit }: ServiceOptions,
): Service {
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  const file = createWriteStream(log);
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(file, { end: false });
    createInterface(stream).on('line', onLine);
  }
  const exited = once(child, 'exit');
  child.once('exit', onExit);
  const killGroup = () => {
    try {
      return process.kill(-pid, 'SIGKILL');
    } catch {
      return false;
    }
  };
  // When we are stopped ourselves, it ends by itself.
  const end = () => child.kill();
  process.once('exit', end);
  return {
    async stop(): Promise<number | null> {
      end();
      const patience = setTimeout(killGroup, 20_000);
      const [code] = await exited;
      clearTimeout(patience);
      while (killGroup()) await sleep(50);
      process.off('exit', end);
      file.end();
      return code;
    },
  };
}
