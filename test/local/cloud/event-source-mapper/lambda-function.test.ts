import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import {
  invokeBatch,
  type LambdaFunction,
} from '../../../../local/cloud/event-source-mapper/lambda-function.ts';
import { sqsRecord } from '../../../../local/cloud/event-source-mapper/map-queue.ts';

const QUEUE_ARN = 'arn:aws:sqs:us-east-1:000000000000:east-inbox.fifo';

/** As AWS may give them out: several messages of one group in one batch. */
const records = ['first', 'second', 'third'].map((MessageId) =>
  sqsRecord({ MessageId, Attributes: { MessageGroupId: 'one group' } }, QUEUE_ARN),
);

function target(
  handler: LambdaFunction<SQSRecord>['handler'],
  timeoutSeconds = 10,
): LambdaFunction<SQSRecord> {
  return { name: 'decide', timeoutSeconds, handler };
}

async function outcomeOf(handler: LambdaFunction<SQSRecord>['handler'], timeoutSeconds?: number) {
  const { done, failed, error } = await invokeBatch(
    target(handler, timeoutSeconds),
    records,
    ({ messageId }) => messageId,
  );
  const ids = (list: readonly SQSRecord[]) => list.map(({ messageId }) => messageId);
  return { done: ids(done), failed: ids(failed), error: error instanceof Error ? error.message : error };
}

const failures = (...ids: unknown[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});

describe('a batch response', () => {
  it('keeps the messages that it names, within a group too', async () => {
    expect(await outcomeOf(() => failures('second', 'third'))).toEqual({
      done: ['first'],
      failed: ['second', 'third'],
    });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['no failures', failures()],
    ['null for the failures', { batchItemFailures: null }],
  ])('means success when it is %s', async (_, response) => {
    expect(await outcomeOf(async () => response)).toEqual({ done: ['first', 'second', 'third'], failed: [] });
  });

  it.each([
    ['is no object', 'ok', 'the response is no batch response'],
    ['has failures that are no list', { batchItemFailures: 'first' }, 'the response is no batch response'],
    ['has a failure of another shape', { batchItemFailures: [{ id: 'first' }] }, 'no batch response'],
    ['has an empty identifier', failures(''), 'the response is no batch response'],
    ['has null for an identifier', failures(null), 'the response is no batch response'],
    [
      'names a stranger',
      failures('first', 'fourth'),
      'the response names fourth, which is not part of the batch',
    ],
  ])('means complete failure when it %s', async (_, response, reason) => {
    expect(await outcomeOf(async () => response)).toEqual({
      done: [],
      failed: ['first', 'second', 'third'],
      error: expect.stringContaining(reason),
    });
  });
});

describe('an invocation', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('fails as a whole when the handler %s', async (_, handler) => {
    expect(await outcomeOf(handler)).toEqual({
      done: [],
      failed: ['first', 'second', 'third'],
      error: 'broken',
    });
  });

  it('fails as a whole when the handler takes longer than its timeout', async () => {
    expect(await outcomeOf(() => new Promise(() => {}), 0.01)).toEqual({
      done: [],
      failed: ['first', 'second', 'third'],
      error: 'timed out after 0.01 seconds',
    });
  });

  it('tells the handler its name, its request and the time that remains', async () => {
    const outcome = await invokeBatch(
      target((_, context) => {
        expect(context.functionName).toBe('decide');
        expect(context.invokedFunctionArn).toBe('arn:aws:lambda:us-east-1:000000000000:function:decide');
        expect(context.getRemainingTimeInMillis()).toSatisfy((ms: number) => ms > 0 && ms <= 10_000);
        return failures(...[context.awsRequestId].filter((id) => id === ''));
      }),
      records,
      ({ messageId }) => messageId,
    );
    expect(outcome.error).toBeUndefined();
    expect(outcome.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('does not let the handler change what comes again', async () => {
    const [record] = records;
    await invokeBatch(
      target(({ Records: [first] }) => {
        if (first !== undefined) first.body = 'changed';
      }),
      records,
      ({ messageId }) => messageId,
    );
    expect(record?.body).toBe('');
  });
});
