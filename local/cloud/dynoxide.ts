// DynamoDB on this machine: dynoxide, a native program from an npm package, as a child process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { ConfigurationError } from '../../core/config/problems.ts';

export interface DynoxideOptions {
  /** @default a free port */
  readonly port?: number;
  /** SQLite file that keeps the tables. @default none: they are in memory */
  readonly databaseFile?: string | undefined;
  /** Called when dynoxide ends without `stop`. */
  readonly onDeath: (reason: string) => void;
}

export interface Dynoxide {
  readonly endpoint: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** The shell starts a watcher, then becomes dynoxide. The watcher kills it when file descriptor 3 closes: the kernel
 * closes it however our process ends. */
const END_WITH_PARENT = '{ read -r _; kill $$; } <&3 2>/dev/null & exec "$@" 3<&-';

/**
 * Starts dynoxide on 127.0.0.1; resolves when it listens.
 * @throws ConfigurationError when it is not installed for this machine.
 * @throws Error with the last line of its output when it does not start.
 */
export async function startDynoxide(options: DynoxideOptions): Promise<Dynoxide> {
  const port = options.port ?? (await freePort());
  const command = [findDynoxide(), 'serve', '--port', String(port)];
  if (options.databaseFile !== undefined) command.push('--db-path', options.databaseFile);
  const child = spawn('/bin/sh', ['-c', END_WITH_PARENT, 'dynoxide', ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    // A process group of its own: on Ctrl-C, our process still needs the table to finish its work.
    detached: true,
  });
  child.once('exit', () => (child.stdio[3] as Duplex).destroy());

  let lastLine = '';
  const listening = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr as Duplex }).on('line', (line) => {
      if (line !== '') lastLine = line;
      if (line.startsWith('Dynoxide listening')) resolve();
    });
  });
  const ended = once(child, 'close').then(
    ([code, signal]) => `dynoxide ended (${signal ?? code}): ${lastLine}`,
  );
  const failure = await Promise.race([listening, ended]);
  if (failure !== undefined) {
    // Another process may take the free port before dynoxide does.
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
 * @throws ConfigurationError when the package is not installed; it names the alternative.
 */
export function findDynoxide(platform = `${process.platform}-${process.arch}`): string {
  const file = `@dynoxide/${platform}/dynoxide`;
  try {
    return createRequire(import.meta.url).resolve(file);
  } catch {
    throw new ConfigurationError([
      `the embedded DynamoDB needs the npm package @dynoxide/${platform}, which is not installed here: ` +
        'give the endpoint of another DynamoDB with --dynamodb URL or AWS_ENDPOINT_URL_DYNAMODB=URL',
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
