// The queue in memory keeps the rules of SQS that the relay depends on.
import { ReceiveMessageCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { type CallFate, MemoryQueue, memorySqsClient } from './memory-sqs.ts';

let clock: ManualClock;
let queue: MemoryQueue;
let taken: string[];

beforeEach(() => {
  clock = new ManualClock();
  taken = [];
  queue = new MemoryQueue(clock, ({ body }) => taken.push(body));
});

const send = (body: string, group = body, deduplicationId = body) =>
  queue.send({ body, group, deduplicationId });
const receive = (max = 10) => queue.receive(max, 60_000);
const bodies = (messages: readonly { readonly body: string }[]) => messages.map(({ body }) => body);

test('gives the messages of a group together and in order, and none more while one is in flight', () => {
  send('a1', 'a');
  send('b1', 'b');
  send('a2', 'a');
  send('a3', 'a');
  const first = receive(3);
  expect(bodies(first)).toEqual(['a1', 'b1', 'a2']);
  expect(receive()).toEqual([]);
  for (const { receipt } of first) expect(queue.delete(receipt)).toBe(true);
  expect(bodies(receive())).toEqual(['a3']);
});

test('delivers again what was not deleted in time, counted, and before what came after it', async () => {
  send('a1', 'a');
  send('a2', 'a');
  const [before] = receive(1);
  await clock.advance(59_999);
  expect(receive()).toEqual([]);
  await clock.advance(1);
  expect(receive()).toMatchObject([
    { body: 'a1', receiveCount: 2 },
    { body: 'a2', receiveCount: 1 },
  ]);
  expect(queue.delete(before?.receipt ?? '')).toBe(false);
});

test('hides a message for longer, or gives it back at once', async () => {
  send('a');
  const [message] = receive();
  await clock.advance(50_000);
  expect(queue.setVisibility(message?.receipt ?? '', 60_000)).toBe(true);
  await clock.advance(50_000);
  expect(receive()).toEqual([]);
  expect(queue.setVisibility(message?.receipt ?? '', 0)).toBe(true);
  expect(receive()).toMatchObject([{ receiveCount: 2 }]);
});

test('takes and drops a message with the deduplication id of one in the last five minutes', async () => {
  send('first', 'a', 'id');
  await clock.advance(299_999);
  send('duplicate', 'a', 'id');
  await clock.advance(1);
  send('another', 'a', 'id');
  expect(taken).toEqual(['first', 'another']);
});

test('keeps a receive call waiting until there is a message, or its time is over', async () => {
  const answers: string[][] = [];
  const poll = () => queue.poll(10, 60_000, 2_000, (messages) => answers.push(bodies(messages)));
  poll();
  await clock.advance(1_000);
  send('a');
  expect(answers).toEqual([['a']]);
  poll();
  await clock.advance(1_999);
  expect(answers.length).toBe(1);
  await clock.advance(1);
  expect(answers).toEqual([['a'], []]);
});

test('gives a message to a caller that is dead, who has it until it becomes visible again', async () => {
  const options = { clock, queues: { queue } };
  const process = clock.process();
  const poll = { QueueUrl: 'queue', WaitTimeSeconds: 2, VisibilityTimeout: 60 };
  void memorySqsClient(options, process.clock).send(new ReceiveMessageCommand(poll));
  process.kill();
  send('a');
  expect(receive()).toEqual([]);
  await clock.advance(60_000);
  expect(receive()).toMatchObject([{ receiveCount: 2 }]);
});

test.each<[CallFate, string[], string]>([
  ['served', ['a', 'b'], '2 taken'],
  ['late', ['a', 'b'], '2 taken'],
  ['failed', [], 'error'],
  ['answer-lost', ['a', 'b'], 'error'],
  ['refused', ['b'], '1 taken'],
  ['hung', ['a', 'b'], 'no answer'],
])('a call that is %s takes %j, and its caller hears: %s', async (fate, expected, heard) => {
  const client = memorySqsClient({ clock, queues: { queue }, fateOf: () => fate }, clock);
  const Entries = ['a', 'b'].map((body) => ({
    Id: body,
    MessageBody: body,
    MessageGroupId: body,
    MessageDeduplicationId: body,
  }));
  let answer = 'no answer';
  void client.send(new SendMessageBatchCommand({ QueueUrl: 'queue', Entries })).then(
    ({ Successful = [] }) => {
      answer = `${Successful.length} taken`;
    },
    () => {
      answer = 'error';
    },
  );
  await clock.advance(60_000);
  expect(taken).toEqual(expected);
  expect(answer).toBe(heard);
});
