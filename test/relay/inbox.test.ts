import { afterEach, beforeEach, expect, test } from 'vitest';
import { Inbox, type InboxRequest } from '../../relay/inbox.ts';
import { Queue } from '../../relay/queue.ts';
import {
  EventRecorder,
  LOCALHOST,
  packetOf,
  Recorder,
  type SqsCall,
  scriptedSqs,
  signedRequest,
} from './support.ts';

/** A call, and the means to let it end. */
interface OpenCall {
  readonly ids: readonly string[];
  readonly succeed: (refused?: readonly string[]) => void;
  readonly fail: () => void;
}

let calls: Recorder<OpenCall>;
let events: EventRecorder;
let settled: Recorder<readonly [id: string, isForwarded: boolean]>;
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
  const queue = new Queue('inbox', url, { sqs: scripted.sqs, now: () => 0, report: events.add });
  inbox = new Inbox(queue, ({ correlationId }, isForwarded) => settled.add([correlationId, isForwarded]));
  stop = scripted.stop;
});

afterEach(() => stop());

const idOf = ({ MessageBody }: SqsCall['entries'][number]) => String(JSON.parse(MessageBody).correlationId);

/** A request of a session, by default its own. */
function request(correlationId: string, acctSessionId = correlationId): InboxRequest {
  const attributes = [{ name: 'Acct-Session-Id', value: acctSessionId }] as const;
  return {
    correlationId,
    receivedAtMs: 0,
    client: 'policy-server',
    source: { address: LOCALHOST, port: 50_000 },
    packet: packetOf(signedRequest({ attributes })),
  };
}

function offer(count: number): string[] {
  const ids = Array.from({ length: count }, (_, index) => `request-${index}`);
  for (const id of ids) inbox.offer(request(id));
  return ids;
}

test('sends what came in one turn of the event loop together, ten to a call', async () => {
  const ids = offer(25);
  const sent = await calls.atLeast(3);
  expect(sent.map((call) => call.ids.length).sort()).toEqual([10, 10, 5]);
  expect(sent.flatMap((call) => call.ids).sort()).toEqual(ids.sort());
  for (const call of sent) call.succeed();
  await settled.atLeast(25);
  expect(settled.all.every(([, isForwarded]) => isForwarded)).toBe(true);
});

test('has at most eight calls under way; what waits meanwhile fills the next ones', async () => {
  offer(100);
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

test('lets no two calls race with requests of one session', async () => {
  inbox.offer(request('first', 'session'));
  const [first] = await calls.atLeast(1);
  inbox.offer(request('second', 'session'));
  inbox.offer(request('stranger'));
  inbox.offer(request('third', 'session'));
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
  offer(3);
  const [call] = await calls.atLeast(1);
  call?.succeed(['request-1']);
  expect(await settled.atLeast(3)).toEqual([
    ['request-0', true],
    ['request-1', false],
    ['request-2', true],
  ]);
  expect(events.all).toEqual([
    { kind: 'queue-entry-refused', queue: 'inbox', error: 'InternalError: try again' },
  ]);
});

test('gives up a call that failed, and says when the queue is well again', async () => {
  offer(2);
  const [call] = await calls.atLeast(1);
  call?.fail();
  expect(await settled.atLeast(2)).toEqual([
    ['request-0', false],
    ['request-1', false],
  ]);
  inbox.offer(request('later'));
  const [, next] = await calls.atLeast(2);
  next?.succeed();
  await settled.atLeast(3);
  expect(events.all).toEqual([
    { kind: 'queue-trouble', queue: 'inbox', error: 'InternalFailure: Error: no' },
    { kind: 'queue-recovered', queue: 'inbox' },
  ]);
});

test('takes no more than a thousand that wait', async () => {
  offer(1000);
  expect(inbox.offer(request('one too many'))).toBe(false);
  expect(inbox.size).toBe(1000);
  await calls.atLeast(8);
  expect(inbox.offer(request('there is room again'))).toBe(true);
});
