// A Lambda function in this process: invoked with a batch and a timeout as on AWS, and its response read by the rules
// of ReportBatchItemFailures.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import * as v from 'valibot';

export interface LambdaFunction<R> {
  readonly name: string;
  /** An invocation that takes longer counts as failed. It is not interrupted: it has no process of its own. */
  readonly timeoutSeconds: number;
  readonly handler: (event: { Records: R[] }, context: Context) => unknown;
}

/** The result for the records of one invocation. Each list keeps their order. */
export interface BatchOutcome<R> {
  readonly requestId: string;
  readonly done: readonly R[];
  readonly failed: readonly R[];
  /** Why all of them failed, unless the handler listed them itself. */
  readonly error?: unknown;
}

/** An empty response means that all records are done. */
const BatchResponse = v.nullish(
  v.object({
    batchItemFailures: v.nullish(v.array(v.object({ itemIdentifier: v.pipe(v.string(), v.nonEmpty()) }))),
  }),
  {},
);

/** Invokes `target` with `records`; `idOf` gives their ids. Never rejects: an error is part of the result. */
export async function invokeBatch<R>(
  target: LambdaFunction<R>,
  records: readonly R[],
  idOf: (record: R) => string,
): Promise<BatchOutcome<R>> {
  const requestId = randomUUID();
  try {
    // A copy: a record that is delivered again must not show what the handler did to it.
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

/** The ARN of a function in the account and region of the emulators. */
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
  throw new Error('Node.js 24 on Lambda has no context.done, fail or succeed: return a promise');
}

/** The identifiers in the response. Throws where Lambda would count every record as failed. */
function readResponse(response: unknown, known: ReadonlySet<string>): ReadonlySet<string> {
  const result = v.safeParse(BatchResponse, response);
  if (!result.success) throw new Error(`the response is no batch response: ${v.summarize(result.issues)}`);
  const ids = (result.output.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined) throw new Error(`the response names ${unknown}, which is not part of the batch`);
  return new Set(ids);
}
