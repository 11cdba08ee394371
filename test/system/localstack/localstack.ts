// LocalStack as a process of this machine.
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Service, start } from '../runs/process.ts';
import type { Installation } from './install.ts';

export const ACCOUNT = '000000000000';
export const REGION = 'eu-central-1';

export interface LocalStack extends Service {
  readonly endpoint: string;
  /** For programs that are to use it as AWS, and nothing else. */
  readonly environment: NodeJS.ProcessEnv;
  /** Requests that it has answered so far, by service and operation. Those that it makes itself are not among them. */
  readonly requests: ReadonlyMap<string, number>;
}

/**
 * Starts it and waits until it answers.
 * @param directory an empty one, for its files and its log
 * @param functionCommand what runs a function's code: a program that speaks the Lambda Runtime API
 */
export async function startLocalStack(
  { python, libraries }: Installation,
  directory: string,
  functionCommand: readonly string[],
): Promise<LocalStack> {
  const port = await freeTcpPort();
  const root = join(directory, 'root');
  const temporary = join(directory, 'tmp');
  await mkdir(join(root, 'var/lib/localstack'), { recursive: true });
  await mkdir(temporary);
  await symlink(libraries, join(root, 'var/lib/localstack/lib'));

  const requests = new Map<string, number>();
  const ready = Promise.withResolvers<void>();
  const service = start(python, ['-m', 'localstack.runtime.main'], {
    env: {
      ...environmentWithoutAws(),
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      LOCALSTACK_HOST: `localhost:${port}`,
      FILESYSTEM_ROOT: root,
      TMPDIR: temporary,
      XDG_CACHE_HOME: temporary,
      // It takes any container that it runs in for its own, and writes to /var/lib.
      OVERRIDE_IN_DOCKER: '0',
      LAMBDA_RUNTIME_EXECUTOR: 'node-process',
      // Else it looks into a queue that was empty each 10 s only. Lambda has a call waiting there all the time.
      LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC: '1',
      LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_ERROR_SEC: '1',
      NODE_PROCESS_COMMAND: JSON.stringify(functionCommand),
      // Streams of DynamoDB Local itself; the others want a Kinesis emulator that is to be downloaded.
      PROVIDER_OVERRIDE_DYNAMODB: 'v2',
      PROVIDER_OVERRIDE_DYNAMODBSTREAMS: 'v2',
      DYNAMODB_IN_MEMORY: '1',
      // Queue URLs that need no name service.
      SQS_ENDPOINT_STRATEGY: 'path',
      // Not a word to anybody outside.
      DISABLE_EVENTS: '1',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      DNS_ADDRESS: '0',
    },
    log: join(directory, 'localstack.log'),
    onLine(line) {
      if (line === 'Ready.') ready.resolve();
      const [, request] = /localstack\.request\.aws +: AWS (\S+) =>/.exec(line) ?? [];
      if (request !== undefined) requests.set(request, (requests.get(request) ?? 0) + 1);
    },
    onExit: () => ready.reject(new Error(`LocalStack ended; see ${directory}/localstack.log`)),
  });
  await ready.promise;
  const endpoint = `http://localhost:${port}`;
  return {
    ...service,
    endpoint,
    requests,
    environment: {
      ...environmentWithoutAws(),
      AWS_ENDPOINT_URL: endpoint,
      // cdk asks for buckets by name in the host name, unless it is told.
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
    },
  };
}

/** So that nobody's account is meant by mistake. */
function environmentWithoutAws(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')));
}

async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  return address.port;
}
