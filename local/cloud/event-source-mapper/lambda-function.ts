// A Lambda function in this process: called with a batch as AWS calls it, within its timeout, and its answer read
// by the rules of ReportBatchItemFailures.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import * as v from 'valibot';

export interface LambdaFunction<R> {
  readonly name: string;
  /** An invocation that takes longer has failed. It is not interrupted: there is no process of its own to kill. */
  readonly timeoutSeconds: number;
  readonly handler: (event: { Records: R[] }, context: Context) => unknown;
}

/** What became of the records of one invocation, each list in their order. */
export interface BatchOutcome<R> {
  readonly requestId: string;
  readonly done: readonly R[];
  readonly failed: readonly R[];
  /** Why all of them failed, unless the handler named them all itself. */
  readonly error?: unknown;
}

/** No answer means that all went well. */
const BatchResponse = v.nullish(
  v.object({
    batchItemFailures: v.nullish(v.array(v.object({ itemIdentifier: v.pipe(v.string(), v.nonEmpty()) }))),
  }),
  {},
);

/** Invokes `target` with `records`, which `idOf` tells apart. Never rejects: an error is part of the outcome. */
export async function invokeBatch<R>(
  target: LambdaFunction<R>,
  records: readonly R[],
  idOf: (record: R) => string,
): Promise<BatchOutcome<R>> {
  const requestId = randomUUID();
  try {
    // A copy: what the handler does to a record must not show when that record comes again.
    const response = await invoke(target, { Records: structuredClone([...records]) }, requestId);
    const failedIds = readResponse(response, new Set(records.map(idOf)));
    return {
      requestId,
      done: records.filter((record) => !failedIds.has(idOf(record))),
      failed: records.filter((record) => failedIds.has(idOf(record))),
    };
  } catch (error) {
    return { requestId, done: [], failed: records, error };
  }
}

export function functionArn(name: string): string {
  return `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
}

async function invoke<R>(
  { name, timeoutSeconds, handler }: LambdaFunction<R>,
  event: { Records: R[] },
  awsRequestId: string,
): Promise<unknown> {
  const timeoutMs = timeoutSeconds * 1000;
  const deadlineMs = performance.now() + timeoutMs;
  const context: Context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: functionArn(name),
    memoryLimitInMB: '256',
    awsRequestId,
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadlineMs - performance.now())),
    done: refuseCallback,
    fail: refuseCallback,
    succeed: refuseCallback,
  };
  const finished = new AbortController();
  const timeout = async () => {
    await sleep(timeoutMs, undefined, { signal: finished.signal });
    throw new Error(`timed out after ${timeoutSeconds} seconds`);
  };
  try {
    return await Promise.race([handler(event, context), timeout()]);
  } finally {
    finished.abort();
  }
}

function refuseCallback(): never {
  throw new Error('Node.js 24 on Lambda knows no context.done, fail and succeed: return a promise');
}

/** The identifiers in the answer. Throws when Lambda would take it for "everything failed". */
function readResponse(response: unknown, known: ReadonlySet<string>): ReadonlySet<string> {
  const result = v.safeParse(BatchResponse, response);
  if (!result.success) throw new Error(`the answer is no batch response: ${v.summarize(result.issues)}`);
  const ids = (result.output.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  const stranger = ids.find((id) => !known.has(id));
  if (stranger !== undefined) throw new Error(`the answer names ${stranger}, which is not part of the batch`);
  return new Set(ids);
}
