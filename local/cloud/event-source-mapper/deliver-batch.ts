// Delivers a batch of stream records: retries it, bisects it, gives it up. Order is kept: the records after one that
// failed wait until that one is done with.
import type { BatchOutcome } from './lambda-function.ts';

export interface RetryPolicy {
  /** Bisect a batch that fails at its first record instead of retrying it. This does not count as a retry. */
  readonly bisectBatchOnError: boolean;
  /** A batch is given up after this many retries without progress; -1: never. */
  readonly maximumRetryAttempts: number;
}

export interface BatchSteps<R> {
  invoke(records: readonly R[]): Promise<BatchOutcome<R>>;
  /** Called in order with the records that are done with. */
  settle(records: readonly R[]): void;
  giveUp(records: readonly R[], last: BatchOutcome<R>, invocations: number): Promise<void>;
  backOff(failures: number, stopping: AbortSignal): Promise<unknown>;
}

/** Resolves when all of `batch` is done with, or early when `stopping` aborts. */
export async function deliverBatch<R>(
  batch: readonly R[],
  policy: RetryPolicy,
  steps: BatchSteps<R>,
  stopping: AbortSignal,
): Promise<void> {
  let rest = batch;
  let failures = 0;
  while (rest.length > 0 && !stopping.aborted) {
    const outcome = await steps.invoke(rest);
    const [firstFailed] = outcome.failed;
    // Records that succeeded after the first failed one are delivered again with it.
    let advance = firstFailed === undefined ? rest.length : rest.indexOf(firstFailed);
    if (advance > 0) {
      steps.settle(rest.slice(0, advance));
    } else if (policy.bisectBatchOnError && rest.length > 1) {
      advance = Math.ceil(rest.length / 2);
      await deliverBatch(rest.slice(0, advance), policy, steps, stopping);
    } else if (failures === policy.maximumRetryAttempts) {
      advance = rest.length;
      await steps.giveUp(rest, outcome, failures + 1);
      steps.settle(rest);
    }
    if (advance === 0) {
      failures += 1;
      await steps.backOff(failures, stopping);
    } else {
      failures = 0;
      rest = rest.slice(advance);
    }
  }
}
