// Logs, metrics and the middleware stack that both functions share.
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import { Metrics } from '@aws-lambda-powertools/metrics';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import { METRIC_NAMESPACE } from '../core/cloud.ts';

export interface Telemetry {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** @param logLevel what POWERTOOLS_LOG_LEVEL says unless given */
export function createTelemetry(serviceName: string, logLevel?: 'SILENT'): Telemetry {
  const logger = new Logger({ serviceName, ...(logLevel && { logLevel }) });
  return { logger, metrics: new Metrics({ namespace: METRIC_NAMESPACE, serviceName, logger }) };
}

/** A handler with its logs tied to the invocation and its metrics flushed at the end of it. */
export function withTelemetry<E, R>(
  handler: (event: E, context: Context) => Promise<R>,
  { logger, metrics }: Telemetry,
): (event: E, context: Context) => Promise<R> {
  // Not the library's `logMetrics`: it warns of every invocation that had nothing to count.
  const publish = () => {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
  };
  return middy<E, R>({ timeoutEarlyInMillis: 0 })
    .use(injectLambdaContext(logger, { resetKeys: true }))
    .after(publish)
    .onError(publish)
    .handler(handler);
}
