import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../relay/clock.ts';
import { Inbox } from '../../../relay/queues/inbox.ts';
import { Queue } from '../../../relay/queues/queue.ts';
import { EventRecorder, Recorder, type SqsCall, scriptedSqs } from '../support.ts';

/** A call, and the means to let it end. */
interface OpenCall {
  readonly ids: readonly string[];
  readonly succeed: (refused?: readonly string[]) => void;
  readonly fail: () => void;
}

let calls: Recorder<OpenCall>;
let events: EventRecorder;
let settled: Recorder<readonly [id: string, isSent: boolean]>;
let inbox: Inbox;
let stop: () => Promise<void>;

beforeEach(async () => {
  calls = new Recorder();
  events = new EventRecorder();
  settled = new Recorder();
  const scripted = await scriptedSqs(({ entries }) => {
    const { promise, resolve, reject } = Promise.withResolvers<object>();
    calls.add({
      ids: entries.map(idOf),
      succeed: (refused = []) => {
        const isRefused = (entry: SqsCall['entries'][number]) => refused.includes(idOf(entry));
        resolve({
          Successful: entries.filter((entry) => !isRefused(entry)),
          Failed: entries
            .filter(isRefused)
            .map(({ Id }) => ({ Id, Code: 'InternalError', Message: 'try again' })),
        });
      },
      fail: () => reject(new Error('no')),
    });
    return promise;
  });
  const url = 'http://localhost/000000000000/inbox.fifo';
  const queue = new Queue('inbox', url, { sqs: scripted.sqs, clock: systemClock, report: events.add });
  inbox = new Inbox(queue, { clock: systemClock });
  stop = scripted.stop;
});

afterEach(() => stop());

const idOf = ({ MessageBody }: SqsCall['entries'][number]) => MessageBody;

/** Offers a message, by default in a group of its own; false when it was not taken. */
function offer(id: string, group = id): boolean {
  const sent = inbox.offer({ body: id, group, deduplicationId: id });
  void sent?.then((isSent) => settled.add([id, isSent]));
  return sent !== undefined;
}

function offerMany(count: number): string[] {
  const ids = Array.from({ length: count }, (_, index) => `message-${index}`);
  for (const id of ids) offer(id);
  return ids;
}

test('sends what came in one turn of the event loop together, ten to a call', async () => {
  const ids = offerMany(25);
  const sent = await calls.atLeast(3);
  expect(sent.map((call) => call.ids.length).sort()).toEqual([10, 10, 5]);
  expect(sent.flatMap((call) => call.ids).sort()).toEqual(ids.sort());
  for (const call of sent) call.succeed();
  await settled.atLeast(25);
  expect(settled.all.every(([, isSent]) => isSent)).toBe(true);
});

test('has at most eight calls under way; what waits meanwhile fills the next ones', async () => {
  offerMany(100);
  const sent = [...(await calls.atLeast(8))];
  expect(inbox.size).toBe(20);
  sent[0]?.succeed();
  await calls.atLeast(9);
  expect(inbox.size).toBe(10);
  expect(calls.all.at(-1)?.ids.length).toBe(10);
  for (const call of sent) call.succeed();
  await calls.atLeast(10);
  for (const call of calls.all) call.succeed();
  await settled.atLeast(100);
});

test('lets no two calls race with messages of one group', async () => {
  offer('first', 'group');
  const [first] = await calls.atLeast(1);
  offer('second', 'group');
  offer('stranger');
  offer('third', 'group');
  const [, stranger] = await calls.atLeast(2);
  expect(stranger?.ids).toEqual(['stranger']);
  first?.succeed();
  const [, , later] = await calls.atLeast(3);
  expect(later?.ids).toEqual(['second', 'third']);
  stranger?.succeed();
  later?.succeed();
  await settled.atLeast(4);
});

test('tells which entries of a batch SQS refused, and forwards the others', async () => {
  offerMany(3);
  const [call] = await calls.atLeast(1);
  call?.succeed(['message-1']);
  expect(await settled.atLeast(3)).toEqual([
    ['message-0', true],
    ['message-1', false],
    ['message-2', true],
  ]);
  expect(events.all).toEqual([
    { kind: 'queue-entry-refused', queue: 'inbox', error: 'InternalError: try again' },
  ]);
});

test('gives up a call that failed, and says when the queue is well again', async () => {
  offerMany(2);
  const [call] = await calls.atLeast(1);
  call?.fail();
  expect(await settled.atLeast(2)).toEqual([
    ['message-0', false],
    ['message-1', false],
  ]);
  offer('later');
  const [, next] = await calls.atLeast(2);
  next?.succeed();
  await settled.atLeast(3);
  expect(events.all).toEqual([
    { kind: 'queue-trouble', queue: 'inbox', error: 'InternalFailure: Error: no' },
    { kind: 'queue-recovered', queue: 'inbox' },
  ]);
});

test('takes no more than a thousand that wait', async () => {
  offerMany(1000);
  expect(offer('one too many')).toBe(false);
  expect(inbox.size).toBe(1000);
  await calls.atLeast(8);
  expect(offer('there is room again')).toBe(true);
});
