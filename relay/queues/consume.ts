// The endless loop around a queue.
import { backOff } from './back-off.ts';
import type { Queue, QueueMessage } from './queue.ts';

/**
 * How long a call waits for a message. SQS does not notice when its caller goes away: for the rest of the wait it
 * hands messages to nobody, which hides them for a minute and makes a command look as if it had been tried. So a call
 * is left to end by itself, and whoever stops waits for that; twenty seconds would be cheaper and last too long.
 */
export const LONG_POLL_SECONDS = 2;

/**
 * Takes batches from `queue` until `stopping` aborts, with `receivers` calls side by side. Each waits for `handle`
 * before it asks for more, so that at most `receivers` batches are held. What the last calls bring is handled too,
 * unless `abandon` aborts them. A queue that cannot be reached is asked again after a pause.
 */
export async function consume(
  queue: Queue,
  handle: (messages: readonly QueueMessage[]) => Promise<void>,
  options: {
    readonly receivers: number;
    readonly stopping: AbortSignal;
    readonly abandon: AbortSignal;
    readonly visibilitySeconds: number;
  },
): Promise<void> {
  const { receivers, stopping, abandon, visibilitySeconds } = options;
  await Promise.all(
    Array.from({ length: receivers }, async () => {
      for (let failures = 0; !stopping.aborted; ) {
        // A queue that is not known to be well is asked without waiting: its answer is news for /healthz.
        const waitSeconds = queue.health.state === 'reachable' ? LONG_POLL_SECONDS : 0;
        const messages = await queue.receive({ waitSeconds, visibilitySeconds, signal: abandon });
        if (messages !== undefined) {
          failures = 0;
          await handle(messages);
        } else {
          await backOff(++failures, stopping);
        }
      }
    }),
  );
}
