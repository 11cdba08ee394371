// A batch of queue or stream records: groups side by side, the records of one group in order. A record that fails
// takes the later ones of its group along, and nothing else: they are the ones that come again.
import { setMaxListeners } from 'node:events';

/** What is left of the function's time for the answer, so that a slow batch is a partial failure and not a timeout:
 * after a timeout the whole batch comes again, also what was done. */
const ANSWER_WITHIN_MS = 1_000;

export interface Batch<R> {
  readonly records: readonly R[];
  groupOf(record: R): string;
  /** Names the record in the answer. */
  idOf(record: R): string;
  process(record: R, signal: AbortSignal): Promise<void>;
  onFailure(record: R, error: unknown): void;
}

export interface BatchResponse {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/** Processes a batch within the remaining time of the invocation, in milliseconds. */
export async function processBatch<R>(batch: Batch<R>, remainingTimeMs: number): Promise<BatchResponse> {
  const signal = AbortSignal.timeout(Math.max(0, remainingTimeMs - ANSWER_WITHIN_MS));
  setMaxListeners(0, signal);
  const groups = Map.groupBy(batch.records, batch.groupOf);
  const failed = await Promise.all([...groups.values()].map((group) => processGroup(batch, group, signal)));
  return { batchItemFailures: failed.flat().map((record) => ({ itemIdentifier: batch.idOf(record) })) };
}

/** The records of the group that have to come again. */
async function processGroup<R>(
  batch: Batch<R>,
  group: readonly R[],
  signal: AbortSignal,
): Promise<readonly R[]> {
  for (const [index, record] of group.entries()) {
    try {
      signal.throwIfAborted();
      await batch.process(record, signal);
    } catch (error) {
      batch.onFailure(record, error);
      return group.slice(index);
    }
  }
  return [];
}
