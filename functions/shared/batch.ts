// Processes a batch of queue or stream records: different groups at the same time, the records of one group in order.
// If a record fails, it and the later ones of its group have failed, unless the record will never succeed. SQS redelivers
// what has failed only; a stream redelivers all records from the first of these on.
import { setMaxListeners } from 'node:events';

/**
 * The part of the function's timeout that is reserved for the response. A slow batch thus fails in part; after a
 * timeout AWS would redeliver all of it.
 */
const ANSWER_WITHIN_MS = 1_000;

/**
 * What becomes of a record that failed. `blocks`: it and the later ones of its group are redelivered, which keeps their order.
 * `passes`: it is redelivered alone, and the later ones go on. `settled`: it is not redelivered.
 */
export type Fate = 'blocks' | 'passes' | 'settled';

/** A batch, and how its records are processed. */
export interface Batch<R> {
  readonly records: readonly R[];
  /** The group whose order is kept. */
  groupOf(record: R): string;
  /** The identifier of the record in the response. */
  idOf(record: R): string;
  /** Rejects if the record has to be redelivered. `signal` aborts 1 s before the function's timeout. */
  process(record: R, signal: AbortSignal): Promise<void>;
  /**
   * What becomes of a record that `process` rejected. It blocks its group if this rejects, too.
   * @default it blocks its group
   */
  fateOf?(record: R, error: unknown, signal: AbortSignal): Promise<Fate>;
  /** Called with each record that is redelivered. */
  onFailure(record: R, error: unknown): void;
}

/** The response to AWS, which redelivers the records that it names (ReportBatchItemFailures). */
export interface BatchResponse {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/**
 * Processes a batch within `remainingTimeMs`, the remaining time of the invocation in milliseconds. It never rejects: a
 * record that fails is named in the response.
 */
export async function processBatch<R>(batch: Batch<R>, remainingTimeMs: number): Promise<BatchResponse> {
  const signal = AbortSignal.timeout(Math.max(0, remainingTimeMs - ANSWER_WITHIN_MS));
  setMaxListeners(0, signal);
  const groups = Map.groupBy(batch.records, batch.groupOf);
  const failed = await Promise.all([...groups.values()].map((group) => processGroup(batch, group, signal)));
  return { batchItemFailures: failed.flat().map((record) => ({ itemIdentifier: batch.idOf(record) })) };
}

/** The records of the group that have to be redelivered. */
async function processGroup<R>(
  batch: Batch<R>,
  group: readonly R[],
  signal: AbortSignal,
): Promise<readonly R[]> {
  const passed: R[] = [];
  for (const [index, record] of group.entries()) {
    const fate = await processOne(batch, record, signal);
    if (fate === 'blocks') return [...passed, ...group.slice(index)];
    if (fate === 'passes') passed.push(record);
  }
  return passed;
}

async function processOne<R>(batch: Batch<R>, record: R, signal: AbortSignal): Promise<Fate> {
  try {
    signal.throwIfAborted();
    await batch.process(record, signal);
    return 'settled';
  } catch (error) {
    try {
      const fate = (await batch.fateOf?.(record, error, signal)) ?? 'blocks';
      if (fate !== 'settled') batch.onFailure(record, error);
      return fate;
    } catch (furtherError) {
      batch.onFailure(record, new AggregateError([error, furtherError], String(furtherError)));
      return 'blocks';
    }
  }
}
