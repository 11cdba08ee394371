// The Date headers of SQS.
import type { MonotonicClock } from '../clock.ts';
import type { Dated } from '../cloud-clock.ts';
import type { SqsClient } from './queue.ts';

/**
 * Has `observe` told of the Date header of each response to `sqs`, also of one that is an error: a request whose signature
 * has a wrong time is refused, and the response to it has the right one. A client without HTTP has no such headers.
 */
export function watchDates(
  { middlewareStack }: SqsClient,
  clock: Pick<MonotonicClock, 'monotonicNow'>,
  observe: (response: Dated) => void,
): void {
  middlewareStack?.add(
    (next) => async (request) => {
      const sentAtMs = clock.monotonicNow();
      const result = await next(request);
      const dateMs = dateOf(result.response);
      if (!Number.isNaN(dateMs)) observe({ dateMs, sentAtMs, receivedAtMs: clock.monotonicNow() });
      return result;
    },
    // Next to the HTTP handler: inside of the retries, and of what makes an exception of an error.
    { step: 'deserialize', priority: 'low' },
  );
}

/** The time in the Date header of an HTTP response of the SDK, in milliseconds; NaN where there is none. */
function dateOf(response: unknown): number {
  const { headers } = response as { readonly headers?: Readonly<Record<string, string>> };
  return Date.parse(headers?.['date'] ?? '');
}
