import type { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { Queue, type SqsClient } from '../../../relay/queues/queue.ts';
import { Receiver } from '../../../relay/queues/receiver.ts';
import { ManualClock } from '../manual-clock.ts';
import { EventRecorder } from '../support.ts';

/** The attempt ids of calls that end like this, one after the other. */
async function attemptIds(...ends: readonly (number | 'lost' | 'answered')[]): Promise<readonly unknown[]> {
  const left = [...ends];
  const ids: unknown[] = [];
  const send = async ({ input }: ReceiveMessageCommand) => {
    ids.push(input.ReceiveRequestAttemptId);
    const end = left.shift();
    if (end === 'answered') return { Messages: [] };
    const response = end === 'lost' ? {} : { $metadata: { httpStatusCode: end } };
    throw Object.assign(new Error('failed'), response);
  };
  const clock = new ManualClock();
  const sqs = { send } as unknown as SqsClient;
  const queue = new Queue('outbox', 'outbox', { sqs, clock, report: new EventRecorder().add });
  const receiver = new Receiver(queue, { visibilitySeconds: 6, name: 'run/0' });
  for (const _ of ends) await receiver.receive(0, new AbortController().signal);
  return ids;
}

test('gives each call an attempt id of its own', async () => {
  expect(await attemptIds('answered', 'answered')).toEqual(['run/0/0', 'run/0/1']);
});

test('gives a call that follows one without an answer the same attempt id', async () => {
  expect(await attemptIds('lost', 'lost', 'answered', 'answered')).toEqual([
    'run/0/0',
    'run/0/0',
    'run/0/0',
    'run/0/1',
  ]);
});

test('keeps the attempt id where SQS failed, and gives it up where SQS refused the call', async () => {
  expect(await attemptIds(503, 400, 'answered')).toEqual(['run/0/0', 'run/0/0', 'run/0/1']);
});
