// The log records of the functions, and their metrics at the end of each invocation.
import { inspect } from 'node:util';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import { printable, printableJson, printableLines, printableValue } from '../../core/printable.ts';
import type { Metrics } from './metrics.ts';

/**
 * `kind` says what happened. In CloudWatch Logs, the record is `message`, beside `level`, `timestamp` and `requestId`.
 */
interface LogRecord {
  readonly kind: string;
}

/**
 * Writes a record of the level INFO. Lambda's runtime writes an object that is the console's only argument as JSON, which
 * leaves some control characters of a client or a NAS as they are.
 */
export function log<R extends LogRecord>(record: R): void {
  // biome-ignore lint/suspicious/noConsole: on Lambda, it is the log
  console.info(printableValue(JSON.parse(JSON.stringify(record))));
}

/** Writes a record of the level ERROR. Its `error` becomes text, with stack and causes. */
export function logFailure({ error, ...record }: LogRecord & { readonly error: unknown }): void {
  // The runtime would name an error by its class, which has no name in the bundle, and omit its cause.
  // biome-ignore lint/suspicious/noConsole: on Lambda, it is the log
  console.error({
    ...Object(printableValue(JSON.parse(JSON.stringify(record)))),
    error: inspect(error).split('\n').map(printable).join('\n'),
  });
}

/** A handler that writes `metrics` at the end of each invocation, also of one that fails. */
export function withMetrics<E, R>(
  handler: (event: E, context: Context) => Promise<R>,
  metrics: Metrics,
): (event: E, context: Context) => Promise<R> {
  // Directly to standard output: the console would write a log record around each line.
  const write = () => {
    for (const line of metrics.flush(Date.now())) process.stdout.write(printableLines(printableJson(line)));
  };
  return middy<E, R>({ timeoutEarlyInMillis: 0 }).after(write).onError(write).handler(handler);
}
