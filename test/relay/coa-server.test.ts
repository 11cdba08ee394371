import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Endpoint } from '../../core/endpoint.ts';
import { MESSAGE_VERSION } from '../../core/messages.ts';
import { decodeAttributes, firstValue } from '../../core/radius/codec.ts';
import { CODE, type Packet } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import { CoaServer } from '../../relay/coa-server.ts';
import { Inbox } from '../../relay/queues/inbox.ts';
import { Queue } from '../../relay/queues/queue.ts';
import { findClientBySource } from '../../relay/site/clients.ts';
import { ManualClock } from './manual-clock.ts';
import { EventRecorder, LOCALHOST, localClient, packetOf, scriptedSqs, signedRequest } from './support.ts';

const source = { address: LOCALHOST, port: 50_000 };

let isSqsWell: boolean;
let sentGroups: unknown[];
let events: EventRecorder;
let inbox: Inbox;
let coaServer: CoaServer;
let clock: ManualClock;
let hasRoute: boolean;
let replies: { readonly packet: Uint8Array; readonly destination: Endpoint }[];
let stop: () => Promise<void>;

beforeEach(async () => {
  isSqsWell = true;
  hasRoute = true;
  replies = [];
  clock = new ManualClock();
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
    findClient: findClientBySource([
      localClient(),
      localClient({ name: 'flood', sources: [{ address: '127.0.0.2', prefix: 32, family: 'ipv4' }] }),
      localClient({
        name: 'slow',
        sources: [{ address: '127.0.0.3', prefix: 32, family: 'ipv4' }],
        ratePerSecond: 2,
      }),
    ]),
    eventTimestampWindowSeconds: 300,
    inbox,
    send: async (packet, destination) => {
      if (!hasRoute) throw new Error('no route to host');
      replies.push({ packet, destination });
    },
    clock,
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

describe('a relay that is asked for more than the cloud works off', () => {
  const FLOOD = { address: '127.0.0.2', port: 40_000 };
  const refusals = () => events.of('request-refused').map(({ client, reason }) => `${client}: ${reason}`);
  /** As many requests of one client, each from a port of its own. */
  const ask = (count: number, from = source) => {
    for (let index = 0; index < count; index++)
      coaServer.receive(signedRequest({ attributes: sessionOf(from, index) }), {
        ...from,
        port: from.port + index,
      });
  };
  const sessionOf = ({ address }: Endpoint, index: number) =>
    [
      { name: 'Acct-Session-Id', value: `${address} ${index}` },
      { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
    ] as const;
  const window = 16;

  test('forwards what fits into its window, lets 1,024 wait, and answers others 506 at once', () => {
    ask(window + 1024 + 2);
    expect(inbox.size).toBe(window);
    expect(coaServer.waiting).toEqual([['policy-server', 1024]]);
    expect(refusals()).toEqual(['policy-server: waiting', 'policy-server: waiting']);
    expect(coaServer.inProgress).toBe(window + 1024);
    const [reply] = replies.map(({ packet }) => packetOf(packet));
    expect(reply?.code).toBe(CODE.CoaNak);
    expect(firstValue(decodeAttributes(reply as Packet), 'Error-Cause')).toBe(506);
    expect(replies.map(({ destination }) => destination.port - source.port)).toEqual([1040, 1041]);
    expect(events.discards).toEqual([]);
  });

  test('keeps half of that for another client, and gives it its turn', async () => {
    ask(window + 1024, FLOOD);
    ask(512);
    expect(coaServer.waiting).toEqual([
      ['flood', 512],
      ['policy-server', 512],
    ]);
    expect(new Set(refusals())).toEqual(new Set(['flood: waiting']));
    await events.first(({ kind }) => kind === 'request-forwarded');
    const [{ correlationId = '' } = {}] = events.of('request-forwarded');
    coaServer.commandAt('nas', correlationId);
    coaServer.commandAt('nas', events.of('request-forwarded')[1]?.correlationId ?? '');
    expect(coaServer.waiting).toEqual([
      ['flood', 511],
      ['policy-server', 511],
    ]);
  });

  test('answers 506 what has waited for half of the patience of its client', async () => {
    ask(window + 3);
    await clock.advance(4_900);
    expect(refusals()).toEqual([]);
    await clock.advance(200);
    expect(refusals()).toEqual(Array(3).fill('policy-server: waited'));
    expect([coaServer.waiting, coaServer.inProgress]).toEqual([[], window]);
  });

  test('takes a request that it has refused on as a new one when it comes again', async () => {
    ask(window + 1);
    await clock.advance(5_100);
    expect(refusals()).toEqual(['policy-server: waited']);
    coaServer.receive(signedRequest({ attributes: sessionOf(source, window) }), {
      ...source,
      port: source.port + window,
    });
    expect(coaServer.inProgress).toBe(window + 1);
  });

  test('answers 506 beyond the rate of a client, and not its repeats', () => {
    const slow = { address: '127.0.0.3', port: 30_000 };
    ask(3, slow);
    expect(refusals()).toEqual(['slow: rate']);
    coaServer.receive(signedRequest({ attributes: sessionOf(slow, 0) }), slow);
    expect(events.discards).toEqual(['repeat-in-progress']);
  });
});

test('says when a reply cannot leave, and takes the repeat of its request on', async () => {
  hasRoute = false;
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

test('answers a request also where its latest repeat came from', async () => {
  const other = { ...source, port: 50_001 };
  coaServer.receive(signedRequest(), source);
  coaServer.receive(signedRequest(), other);
  expect(events.discards).toEqual(['repeat-in-progress']);
  const packet = Buffer.from(signedRequest()).toString('base64');
  await coaServer.answer({
    version: MESSAGE_VERSION,
    kind: 'reply',
    correlationId: 'request-0',
    origin: { kind: 'radius', relay: 'demo', client: { name: 'policy', ...source }, packet },
    answer: 'ack',
  });
  expect(replies.map(({ destination }) => destination)).toEqual([source, other]);
  expect(coaServer.inProgress).toBe(0);
});
