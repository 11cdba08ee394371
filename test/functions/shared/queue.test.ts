import { describe, expect, it, onTestFinished } from 'vitest';
import { createSiteSender, type OutgoingMessage } from '../../../functions/shared/queue.ts';
import { type SqsCall, scriptedSqs } from '../../relay/support.ts';

const QUEUE = 'http://127.0.0.1/000000000000/demo-outbox.fifo';

const messages = (count: number): readonly OutgoingMessage[] =>
  Array.from({ length: count }, (_, index) => ({
    body: { number: index },
    group: 'group',
    deduplicationId: String(index),
  }));

/** A sender to an SQS that does not take the message with this number, and the calls that SQS got. */
async function startSender(refused?: number) {
  const calls: SqsCall[] = [];
  const { sqs, stop } = await scriptedSqs((call) => {
    calls.push(call);
    const Failed = call.entries
      .filter(({ MessageBody }) => JSON.parse(MessageBody).number === refused)
      .map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError', Message: 'a disk is full' }));
    return { Successful: [], Failed };
  });
  onTestFinished(stop);
  const send = createSiteSender(sqs, { demo: QUEUE }, 'outbox');
  return {
    send: (count: number) => send('demo', messages(count), AbortSignal.timeout(10_000)),
    numbers: () =>
      calls.map(({ entries }) => entries.map(({ MessageBody }) => JSON.parse(MessageBody).number)),
  };
}

describe('a sender', () => {
  it('sends in order, ten at a time', async () => {
    const { send, numbers } = await startSender();
    await send(23);
    expect(numbers()).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
      [20, 21, 22],
    ]);
  });

  it('does not call SQS for no messages', async () => {
    const { send, numbers } = await startSender();
    await send(0);
    expect(numbers()).toEqual([]);
  });

  it('rejects with the reason if SQS does not take a message of a batch, and sends no later batch', async () => {
    const { send, numbers } = await startSender(4);
    await expect(send(11)).rejects.toThrow('SQS did not take a message: InternalError a disk is full');
    expect(numbers()).toHaveLength(1);
  });
});
