// What the functions say of themselves: log records, and metrics at the end of each invocation.
import { inspect } from 'node:util';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import type { Metrics } from './metrics.ts';

/** What happened is its `kind`. In CloudWatch Logs it is `message`, beside `level`, `timestamp` and `requestId`. */
interface LogRecord {
  readonly kind: string;
}

/** A record of the level INFO. Lambda's runtime makes JSON of an object that is given to the console by itself. */
export function log<R extends LogRecord>(record: R): void {
  // biome-ignore lint/suspicious/noConsole: on Lambda, it is the log
  console.info(record);
}

/** A record of the level ERROR. Its `error` becomes text, with stack and causes. */
export function logFailure({ error, ...record }: LogRecord & { readonly error: unknown }): void {
  // The runtime would name an error by its class, which has lost its name in the bundle, and leave its cause out.
  // biome-ignore lint/suspicious/noConsole: on Lambda, it is the log
  console.error({ ...record, error: inspect(error) });
}

/** A handler with its metrics written at the end of each invocation. */
export function withMetrics<E, R>(
  handler: (event: E, context: Context) => Promise<R>,
  metrics: Metrics,
): (event: E, context: Context) => Promise<R> {
  // Not to the console, which would put a record around them.
  const write = () => {
    for (const line of metrics.flush(Date.now())) process.stdout.write(`${line}\n`);
  };
  return middy<E, R>({ timeoutEarlyInMillis: 0 }).after(write).onError(write).handler(handler);
}
