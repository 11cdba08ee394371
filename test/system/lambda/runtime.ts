// What AWS calls the runtime: runs the handler of the bundle in the current folder, over the Lambda Runtime API. As
// aws-lambda-ric does, the client in AWS' runtime for Node.js 24, which npm would have to compile.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
import { type IncomingMessage, request } from 'node:http';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { Context } from 'aws-lambda';
import { Log } from './log.ts';

const { env } = process;
const log = new Log(env);

/** Without the parts that are gone since Node.js 24. */
type RuntimeContext = Omit<Context, 'callbackWaitsForEmptyEventLoop' | 'done' | 'fail' | 'succeed'>;
type Handler = (event: unknown, context: RuntimeContext) => unknown;

/** Serves one invocation after the other. Ends the process when there is no handler to be had. */
export async function serve(parseEvent: (json: string) => unknown = JSON.parse): Promise<never> {
  // The runtime brings the AWS SDK: ours is the project's.
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      nextResolve(
        specifier,
        specifier.startsWith('@aws-sdk/') ? { ...context, parentURL: import.meta.url } : context,
      ),
  });
  log.takeConsole();
  const handler = await loadHandler();
  for (;;) await serveOneInvocation(handler, parseEvent);
}

async function loadHandler(): Promise<Handler> {
  const [module = '', name = ''] = (env['_HANDLER'] ?? '').split('.');
  try {
    return (await import(pathToFileURL(resolve(`${module}.mjs`)).href))[name];
  } catch (error) {
    log.write('ERROR', error);
    (await runtimeApi('POST', 'init/error', described(error))).resume();
    return process.exit(1);
  }
}

async function serveOneInvocation(handler: Handler, parseEvent: (json: string) => unknown): Promise<void> {
  const invocation = await runtimeApi('GET', 'invocation/next');
  const { headers } = invocation;
  const awsRequestId = String(headers['lambda-runtime-aws-request-id']);
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
  const event = parseEvent(await text(invocation));
  log.requestId = awsRequestId;
  const [outcome, body] = await answer(handler, event, {
    awsRequestId,
    invokedFunctionArn: String(headers['lambda-runtime-invoked-function-arn']),
    functionName: env['AWS_LAMBDA_FUNCTION_NAME'] ?? '',
    functionVersion: env['AWS_LAMBDA_FUNCTION_VERSION'] ?? '',
    memoryLimitInMB: env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'] ?? '',
    logGroupName: env['AWS_LAMBDA_LOG_GROUP_NAME'] ?? '',
    logStreamName: env['AWS_LAMBDA_LOG_STREAM_NAME'] ?? '',
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  });
  (await runtimeApi('POST', `invocation/${awsRequestId}/${outcome}`, body)).resume();
}

async function answer(
  handler: Handler,
  event: unknown,
  context: RuntimeContext,
): Promise<['response' | 'error', unknown]> {
  try {
    return ['response', (await handler(event, context)) ?? null];
  } catch (error) {
    log.write('ERROR', error);
    return ['error', described(error)];
  }
}

function described(error: unknown) {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { errorType: name, errorMessage: message, trace: stack?.split('\n') ?? [] };
}

function runtimeApi(method: 'GET' | 'POST', path: string, body?: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = `http://${env['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/${path}`;
    request(url, { method }, resolve)
      .on('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}
