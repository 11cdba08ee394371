// The health of the relay, as far as it depends on its queues.
import type { QueueName } from '../../core/cloud/queues.ts';
import type { Queue } from '../queues/queue.ts';

/** For so long a failed call counts, unless a later one succeeds. */
const TROUBLE_MS = 60_000;

const SENT_TO: readonly QueueName[] = ['inbox', 'outcomes', 'feed'];

/**
 * What is wrong with a queue at the monotonic time `nowMs`, in words. The last call decides, because the relay's permissions
 * allow no call that only tests the queue. What the relay only sends to is called when there is a message, so until then it
 * counts as reachable.
 */
export function problemsOf({ name, health }: Queue, nowMs: number): string[] {
  if (health.state === 'unknown' && !SENT_TO.includes(name)) return [`${name}: not reached yet`];
  if (health.state === 'unreachable' && nowMs - health.atMs < TROUBLE_MS) return [`${name}: ${health.error}`];
  return [];
}
