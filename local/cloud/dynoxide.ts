// DynamoDB on this machine: dynoxide, a native program out of an npm package, as a child process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { ConfigurationError } from '../../core/config/problems.ts';

export interface DynoxideOptions {
  /** @default a free one */
  readonly port?: number;
  /** SQLite file that keeps the tables. @default none: they live in memory */
  readonly databaseFile?: string | undefined;
  /** Told when dynoxide ends though nobody stopped it. */
  readonly onDeath: (reason: string) => void;
}

export interface Dynoxide {
  readonly endpoint: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** The shell becomes dynoxide and leaves a watcher behind, which ends it when file descriptor 3 closes: the kernel
 * does that however our process dies. */
const END_WITH_PARENT = '{ read -r _; kill $$; } <&3 2>/dev/null & exec "$@" 3<&-';

/**
 * Starts dynoxide on 127.0.0.1; resolves when it listens.
 * @throws ConfigurationError when it is not installed for this machine.
 * @throws Error with its own last words when it does not start.
 */
export async function startDynoxide(options: DynoxideOptions): Promise<Dynoxide> {
  const port = options.port ?? (await freePort());
  const command = [findDynoxide(), 'serve', '--port', String(port)];
  if (options.databaseFile !== undefined) command.push('--db-path', options.databaseFile);
  const child = spawn('/bin/sh', ['-c', END_WITH_PARENT, 'dynoxide', ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C is for our process, which still needs its table to finish.
    detached: true,
  });
  child.once('exit', () => (child.stdio[3] as Duplex).destroy());

  let lastWords = '';
  const listening = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr as Duplex }).on('line', (line) => {
      if (line !== '') lastWords = line;
      if (line.startsWith('Dynoxide listening')) resolve();
    });
  });
  const ended = once(child, 'close').then(
    ([code, signal]) => `dynoxide ended (${signal ?? code}): ${lastWords}`,
  );
  const failure = await Promise.race([listening, ended]);
  if (failure !== undefined) {
    // Between finding a free port and using it, somebody else may take it.
    if (options.port === undefined && /in use/.test(failure)) return startDynoxide(options);
    throw new Error(failure);
  }

  let stopped = false;
  ended.then((reason) => stopped || options.onDeath(reason));
  return {
    endpoint: `http://127.0.0.1:${port}`,
    pid: child.pid,
    stop: async () => {
      stopped = true;
      child.kill();
      await ended;
    },
  };
}

/**
 * The path of the program in the package for `platform`.
 * @throws ConfigurationError that names the way out when the package is not installed.
 */
export function findDynoxide(platform = `${process.platform}-${process.arch}`): string {
  const file = `@dynoxide/${platform}/dynoxide`;
  try {
    return createRequire(import.meta.url).resolve(file);
  } catch {
    throw new ConfigurationError([
      `the embedded DynamoDB needs the npm package @dynoxide/${platform}, which is not installed here: ` +
        'give the address of a DynamoDB of your own with --dynamodb URL or AWS_ENDPOINT_URL_DYNAMODB=URL',
    ]);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
