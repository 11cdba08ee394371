// The health of the relay, as far as it depends on its queues.
import type { Queue } from '../queues/queue.ts';

/** For so long a failed call counts, unless a later one succeeds. */
const TROUBLE_MS = 60_000;

/**
 * What is wrong with a queue at the wall time `nowMs`, in words. The last call decides, because the relay's permissions
 * allow no call that only tests the queue. The inbox and the feed queue are called only when a message is sent, so until
 * then they count as reachable.
 */
export function problemsOf({ name, health }: Queue, nowMs: number): string[] {
  if (health.state === 'unknown' && name !== 'inbox' && name !== 'feed') return [`${name}: not reached yet`];
  if (health.state === 'unreachable' && nowMs - health.atMs < TROUBLE_MS) return [`${name}: ${health.error}`];
  return [];
}
