// DynamoDB on this machine: dynoxide, a native program from an npm package, as a child process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { ConfigurationError } from '../../core/config/problems.ts';
import { makeScratchDirectory } from './scratch-directory.ts';
import { openStreamRecords, type StreamRecords } from './stream-records.ts';

export interface DynoxideOptions {
  /** @default a free port */
  readonly port?: number;
  /** SQLite file that keeps the tables. @default a file that is removed when dynoxide ends */
  readonly databaseFile?: string | undefined;
  /** Called when dynoxide ends without `stop`. */
  readonly onDeath: (reason: string) => void;
}

export interface Dynoxide {
  readonly endpoint: string;
  readonly pid: number | undefined;
  /** Deletes stream records of a shard below this sequence number. */
  readonly trimStream: StreamRecords['trim'];
  stop(): Promise<void>;
}

/** The shell starts a watcher, then becomes dynoxide. The watcher kills it when file descriptor 3 closes: the kernel
 * closes it however our process ends. The watcher then removes the scratch directory, the first argument. */
const END_WITH_PARENT =
  'scratch=$1; shift; { read -r _; kill $$; [ -z "$scratch" ] || rm -rf "$scratch"; } <&3 2>/dev/null & exec "$@" 3<&-';

/**
 * Starts dynoxide on 127.0.0.1; resolves when it listens.
 * @throws ConfigurationError when it is not installed for this machine.
 * @throws Error with the last line of its output when it does not start.
 */
export async function startDynoxide(options: DynoxideOptions): Promise<Dynoxide> {
  const program = findDynoxide();
  // With tables in memory, its stream records are out of reach and make it slow.
  const scratch = options.databaseFile === undefined ? makeScratchDirectory(Date.now()) : undefined;
  const databaseFile = options.databaseFile ?? join(scratch?.path ?? '', 'dynamodb.db');
  try {
    const { records, ended, ...running } = await start(program, databaseFile, scratch?.path ?? '', options);
    const over = ended.then((reason) => {
      records.close();
      scratch?.remove();
      return reason;
    });
    let stopped = false;
    over.then((reason) => stopped || options.onDeath(reason));
    return {
      endpoint: running.endpoint,
      pid: running.child.pid,
      trimStream: (shardId, sequenceNumber) => records.trim(shardId, sequenceNumber),
      stop: async () => {
        stopped = true;
        running.child.kill();
        await over;
      },
    };
  } catch (error) {
    scratch?.remove();
    // Another process may take the free port before dynoxide does.
    if (options.port === undefined && error instanceof Error && /in use/.test(error.message))
      return startDynoxide(options);
    throw error;
  }
}

async function start(program: string, databaseFile: string, scratch: string, options: DynoxideOptions) {
  const port = options.port ?? (await freePort());
  const command = [program, 'serve', '--port', String(port), '--db-path', databaseFile];
  const child = spawn('/bin/sh', ['-c', END_WITH_PARENT, 'dynoxide', scratch, ...command], {
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
  if (failure !== undefined) throw new Error(failure);
  try {
    return {
      endpoint: `http://127.0.0.1:${port}`,
      child,
      ended,
      records: openStreamRecords(databaseFile),
    };
  } catch (error) {
    child.kill();
    await ended;
    throw error;
  }
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
