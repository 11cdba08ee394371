// The endless loop around a queue.
import { setTimeout as delay } from 'node:timers/promises';
import type { Queue, QueueMessage } from './queue.ts';

/** The longest that SQS lets a call wait for a message. */
const LONG_POLL_SECONDS = 20;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Takes batches from `queue` until `signal` aborts, with `receivers` calls side by side. Each waits for `handle`
 * before it asks for more, so that at most `receivers` batches are held. A queue that cannot be reached is asked
 * again after a pause, which doubles up to ten seconds.
 */
export async function consume(
  queue: Queue,
  handle: (messages: readonly QueueMessage[]) => Promise<void>,
  options: {
    readonly receivers: number;
    readonly signal: AbortSignal;
    readonly visibilitySeconds?: number;
  },
): Promise<void> {
  const { receivers, signal, visibilitySeconds } = options;
  await Promise.all(
    Array.from({ length: receivers }, async () => {
      for (let failures = 0; !signal.aborted; ) {
        // A queue that is not known to be well is asked without waiting: its answer is news for /healthz.
        const waitSeconds = queue.health.state === 'reachable' ? LONG_POLL_SECONDS : 0;
        const messages = await queue.receive({ waitSeconds, visibilitySeconds, signal });
        if (messages !== undefined) {
          failures = 0;
          await handle(messages);
        } else {
          const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS);
          await delay(pauseMs, undefined, { signal }).catch(() => undefined);
        }
      }
    }),
  );
}
