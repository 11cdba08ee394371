// Whether the relay can do its work, as far as its queues go.
import type { Queue } from '../queues/queue.ts';

/** A failed call says nothing about a queue that nobody had to call again for so long. */
const TROUBLE_MS = 60_000;

/**
 * What is wrong with a queue. It is judged by the last call, because the relay may not do anything with it that is
 * not its work. The inbox is called only when there is something for it, so nothing can be said of it before that.
 */
export function problemsOf({ name, health }: Queue, nowMs: number): string[] {
  if (health.state === 'unknown' && name !== 'inbox') return [`${name}: not reached yet`];
  if (health.state === 'unreachable' && nowMs - health.atMs < TROUBLE_MS) return [`${name}: ${health.error}`];
  return [];
}
