// What AWS calls the runtime: runs the handler of the bundle in the current folder, over the Lambda Runtime API.
// `node lambda-runtime.ts [MARKER]`
import { subscribe } from 'node:diagnostics_channel';
import { existsSync, rmSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Context, Handler } from 'aws-lambda';

// The runtime brings the AWS SDK: ours is the project's.
registerHooks({
  resolve: (specifier, context, nextResolve) =>
    nextResolve(
      specifier,
      specifier.startsWith('@aws-sdk/') ? { ...context, parentURL: import.meta.url } : context,
    ),
});

const { env } = process;
dieBeforeSending(process.argv[2]);
const [module = '', name = ''] = (env['_HANDLER'] ?? '').split('.');
const handler: Handler = (await import(pathToFileURL(resolve(`${module}.mjs`)).href))[name];
for (;;) await serveOneInvocation();

async function serveOneInvocation(): Promise<void> {
  const invocation = await runtimeApi('GET', 'next');
  const { headers } = invocation;
  const id = String(headers['lambda-runtime-aws-request-id']);
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
  const event = parseEvent(await text(invocation));
  const context = {
    awsRequestId: id,
    invokedFunctionArn: String(headers['lambda-runtime-invoked-function-arn']),
    functionName: env['AWS_LAMBDA_FUNCTION_NAME'] ?? '',
    functionVersion: env['AWS_LAMBDA_FUNCTION_VERSION'] ?? '',
    memoryLimitInMB: env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'] ?? '',
    logGroupName: env['AWS_LAMBDA_LOG_GROUP_NAME'] ?? '',
    logStreamName: env['AWS_LAMBDA_LOG_STREAM_NAME'] ?? '',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  } satisfies Omit<Context, 'done' | 'fail' | 'succeed'>;
  const [outcome, body] = await answer(event, context as Context);
  (await runtimeApi('POST', `${id}/${outcome}`, body)).resume();
}

/** DynamoDB Local 3.3.0 has an empty map in a stream's images as {}; DynamoDB has it as { M: {} }. */
function parseEvent(json: string): unknown {
  if (!/"eventSource": ?"aws:dynamodb"/.test(json)) return JSON.parse(json);
  return JSON.parse(json, (key, value) => (key !== 'M' && isDeepStrictEqual(value, {}) ? { M: {} } : value));
}

async function answer(event: unknown, context: Context): Promise<['response' | 'error', unknown]> {
  try {
    return ['response', (await handler(event, context, () => {})) ?? null];
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return ['error', { errorType: name, errorMessage: message, stackTrace: stack?.split('\n') }];
  }
}

function runtimeApi(method: 'GET' | 'POST', path: string, body?: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(
      `http://${env['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/${path}`,
      { method },
      resolve,
    )
      .on('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Once the file `marker` exists, this process kills itself when it is about to send to SQS, and the file is gone:
 * the worst moment for decide, because its write is done and nobody knows of it. */
function dieBeforeSending(marker: string | undefined): void {
  if (marker === undefined) return;
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { readonly request: ClientRequest };
    if (request.getHeader('x-amz-target') !== 'AmazonSQS.SendMessageBatch' || !existsSync(marker)) return;
    rmSync(marker);
    process.kill(process.pid, 'SIGKILL');
  });
}
