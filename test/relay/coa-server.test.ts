import { afterEach, beforeEach, expect, test } from 'vitest';
import { MESSAGE_VERSION } from '../../core/messages.ts';
import { systemClock } from '../../relay/clock.ts';
import { CoaServer } from '../../relay/coa-server.ts';
import { Inbox } from '../../relay/queues/inbox.ts';
import { Queue } from '../../relay/queues/queue.ts';
import { findClientBySource } from '../../relay/site/clients.ts';
import { EventRecorder, LOCALHOST, localClient, scriptedSqs, signedRequest } from './support.ts';

const source = { address: LOCALHOST, port: 50_000 };

let isSqsWell: boolean;
let sentGroups: unknown[];
let events: EventRecorder;
let inbox: Inbox;
let coaServer: CoaServer;
let stop: () => Promise<void>;

beforeEach(async () => {
  isSqsWell = true;
  events = new EventRecorder();
  sentGroups = [];
  const { sqs, stop: stopSqs } = await scriptedSqs(({ entries }) => {
    if (!isSqsWell) throw new Error('away');
    sentGroups.push(...entries.map(({ MessageGroupId }) => MessageGroupId));
    return { Successful: entries };
  });
  const url = 'http://localhost/000000000000/inbox.fifo';
  inbox = new Inbox(new Queue('inbox', url, { sqs, clock: systemClock, report: events.add }), {
    clock: systemClock,
  });
  let ids = 0;
  coaServer = new CoaServer({
    relay: 'demo',
    findClient: findClientBySource([localClient()]),
    eventTimestampWindowSeconds: 300,
    inbox,
    send: () => Promise.reject(new Error('no route to host')),
    clock: systemClock,
    clockSkewMs: () => undefined,
    newId: () => `request-${ids++}`,
    report: events.add,
  });
  stop = stopSqs;
});

afterEach(() => stop());

test('gives a request up when SQS does not take it, and takes its repeat on', async () => {
  isSqsWell = false;
  coaServer.receive(signedRequest(), source);
  expect(coaServer.inProgress).toBe(1);
  expect(await events.first(({ kind }) => kind === 'discarded')).toEqual({
    kind: 'discarded',
    reason: 'inbox-unavailable',
    source,
    client: 'policy-server',
    correlationId: 'request-0',
  });
  expect(coaServer.inProgress).toBe(0);
  isSqsWell = true;
  coaServer.receive(signedRequest(), source);
  expect(await events.first(({ kind }) => kind === 'request-forwarded')).toMatchObject({
    correlationId: 'request-1',
  });
});

test('sends a request without Acct-Session-Id in the message group of its User-Name', async () => {
  const attributes = [
    { name: 'Framed-IP-Address', value: '198.51.100.7' },
    { name: 'User-Name', value: 'client1@isp1.com' },
  ] as const;
  coaServer.receive(signedRequest({ attributes }), source);
  await events.first(({ kind }) => kind === 'request-forwarded');
  const group = `by:${Buffer.from('User-Name client1@isp1.com').toString('base64url')}`;
  expect(sentGroups).toEqual([group]);
});

test('discards what the inbox has no room for, without taking its repeat for one in progress', async () => {
  const numbered = (number: number) =>
    signedRequest({ attributes: [{ name: 'Acct-Session-Id', value: String(number) }] });
  for (let number = 1; number <= 1001; number++) coaServer.receive(numbered(number), source);
  expect(events.discards).toEqual(['inbox-full']);
  expect([inbox.size, coaServer.inProgress]).toEqual([1000, 1000]);
  coaServer.receive(numbered(1001), source);
  expect(events.discards).toEqual(['inbox-full', 'inbox-full']);
});

test('says when a reply cannot leave, and takes the repeat of its request on', async () => {
  coaServer.receive(signedRequest(), source);
  const packet = Buffer.from(signedRequest()).toString('base64');
  await coaServer.answer({
    version: MESSAGE_VERSION,
    kind: 'reply',
    correlationId: 'request-0',
    origin: { kind: 'radius', relay: 'demo', client: { name: 'policy', ...source }, packet },
    answer: 'ack',
  });
  expect(events.of('reply-not-sent')).toEqual([
    {
      kind: 'reply-not-sent',
      correlationId: 'request-0',
      destination: source,
      reason: 'send-failed',
      error: 'Error: no route to host',
    },
  ]);
  expect(coaServer.inProgress).toBe(0);
});
