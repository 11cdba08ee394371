// The loop that receives from a queue.
import type { MonotonicClock } from '../clock.ts';
import { backOff } from './back-off.ts';
import type { Queue, QueueMessage } from './queue.ts';
import { Receiver } from './receiver.ts';

/**
 * How long a ReceiveMessage call waits for a message, in seconds. SQS does not notice when the caller closes the
 * connection: for the rest of the wait it gives messages to the closed connection, which hides them for the visibility
 * timeout and makes a command look as if it had been tried. So a call is left to end by itself, and a relay that stops waits
 * for that. 20 s would cost less and take too long.
 */
export const LONG_POLL_SECONDS = 2;

/**
 * Receives batches from `queue` with `receivers` calls side by side until `stopping` aborts. Each receiver waits for
 * `handle` before it asks again, so that at most `receivers` batches are held. What the last calls bring is handled
 * too, unless `abandon` aborts them: then it is given back. A queue that cannot be reached is asked again after a back-off
 * of 250 ms to 10 s.
 */
export async function consume(
  queue: Queue,
  handle: (messages: readonly QueueMessage[]) => Promise<void>,
  options: {
    readonly clock: MonotonicClock;
    readonly receivers: number;
    readonly stopping: AbortSignal;
    readonly abandon: AbortSignal;
    /** How long the queue hides a received message from other receivers. */
    readonly visibilitySeconds: number;
    /** Unique over all runs of all relays of the site. */
    readonly runId: string;
  },
): Promise<void> {
  const { clock, receivers, stopping, abandon, visibilitySeconds, runId } = options;
  await Promise.all(
    Array.from({ length: receivers }, async (_, index) => {
      const receiver = new Receiver(queue, { visibilitySeconds, name: `${runId}/${index}` });
      for (let failures = 0; !stopping.aborted; ) {
        // Before a queue is known to be reachable, it is asked without waiting: /healthz depends on the answer.
        const waitSeconds = queue.health.state === 'reachable' ? LONG_POLL_SECONDS : 0;
        const messages = await receiver.receive(waitSeconds, abandon);
        if (messages !== undefined) {
          failures = 0;
          await handle(messages);
        } else {
          await backOff(clock, ++failures, stopping);
        }
      }
      await receiver.giveBack();
    }),
  );
}
