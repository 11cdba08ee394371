// A function as it is deployed: its bundle in a process of its own, which asks for work over the Lambda Runtime API.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

export interface FunctionProcessOptions {
  readonly name: string;
  /** Where its bundle is. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** While this file exists, the next process that is about to send to a queue dies instead. @default none does */
  readonly marker?: string;
}

/** A process that takes invocations. */
interface Environment {
  invoke(event: unknown, timeoutMs: number): Promise<unknown>;
  isOver(): boolean;
  /** Kills it, and resolves when all that it has said has been read. */
  stop(): Promise<void>;
}

const RUNTIME = join(import.meta.dirname, 'main.ts');
const TIMEOUT_MS = 10_000;

/** Its process comes with the first invocation; one that has ended is replaced for the next one, as on AWS. */
export class FunctionProcess {
  readonly #options: FunctionProcessOptions;
  readonly #environments: Environment[] = [];
  #latest: Promise<unknown> = Promise.resolve();
  /** What it has written to its log so far. */
  readonly lines: string[] = [];

  constructor(options: FunctionProcessOptions) {
    this.#options = options;
  }

  /** How many processes there have been. */
  get processes(): number {
    return this.#environments.length;
  }

  /** The lines of its log so far, each of which is JSON. */
  log(): readonly Readonly<Record<string, unknown>>[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  /**
   * Invokes it when all that came before is done.
   * @throws Error with what the function threw, or how its process ended
   */
  invoke(event: unknown, timeoutMs = TIMEOUT_MS): Promise<unknown> {
    const answer = this.#latest.then(async () => (await this.#environment()).invoke(event, timeoutMs));
    this.#latest = answer.catch(() => {});
    return answer;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#environments.map((environment) => environment.stop()));
  }

  async #environment(): Promise<Environment> {
    const latest = this.#environments.at(-1);
    if (latest !== undefined && !latest.isOver()) return latest;
    const started = await startEnvironment(this.#options, (line) => this.lines.push(line));
    this.#environments.push(started);
    return started;
  }
}

async function startEnvironment(
  { name, folder, environment, marker = '' }: FunctionProcessOptions,
  onLine: (line: string) => void,
): Promise<Environment> {
  let asked = Promise.withResolvers<ServerResponse>();
  let answered = Promise.withResolvers<unknown>();
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {});

  const api = createServer(async (request, response) => {
    if (request.method === 'GET') return asked.resolve(response);
    const body = JSON.parse(await text(request));
    response.writeHead(202).end();
    const [kind] = /[^/]+\/[^/]+$/.exec(request.url ?? '') ?? [];
    const error = new Error(`${body?.errorType}: ${body?.errorMessage}`);
    if (kind === 'init/error') over.reject(error);
    else if (kind?.endsWith('/error')) answered.reject(error);
    else answered.resolve(body);
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');

  const { port } = api.address() as AddressInfo;
  const child = spawn(process.execPath, [RUNTIME, marker], {
    cwd: folder,
    env: {
      ...environment,
      NODE_OPTIONS: '--enable-source-maps',
      _HANDLER: 'index.handler',
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_LOG_FORMAT: 'JSON',
      AWS_LAMBDA_LOG_LEVEL: 'INFO',
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(createInterface(child.stdout).on('line', onLine), 'close');
  child.once('exit', (code, signal) => over.reject(new Error(`Runtime.ExitError: ${signal ?? code}`)));

  return {
    async invoke(event, timeoutMs) {
      const response = await Promise.race([asked.promise, over.promise]);
      asked = Promise.withResolvers();
      answered = Promise.withResolvers();
      response.writeHead(200, {
        'Lambda-Runtime-Aws-Request-Id': randomUUID(),
        'Lambda-Runtime-Deadline-Ms': Date.now() + timeoutMs,
        'Lambda-Runtime-Invoked-Function-Arn': `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
      });
      response.end(JSON.stringify(event));
      return Promise.race([answered.promise, over.promise]);
    },
    isOver: () => child.exitCode !== null || child.signalCode !== null,
    async stop() {
      child.kill('SIGKILL');
      await closed;
      api.closeAllConnections();
      api.close();
    },
  };
}
