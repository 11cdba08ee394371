import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Endpoint } from '../../core/endpoint.ts';
import {
  InboxMessage,
  MESSAGE_VERSION,
  messageGroup,
  type RequestMessage,
  readMessage,
} from '../../core/messages.ts';
import { verifyReply } from '../../core/radius/authenticator.ts';
import { CODE, type Packet } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import { type Relay, type RelayOptions, startRelay } from '../../relay/relay.ts';
import {
  type Cloud,
  EventRecorder,
  LOCALHOST,
  localClient,
  localSite,
  OLD_SECRET,
  packetOf,
  SECRET,
  STRANGE_SECRET,
  scriptedSqs,
  signedRequest,
  startCloud,
  surroundings,
  type UdpPeer,
  udpPeer,
} from './support.ts';

let cloud: Cloud;
let client: UdpPeer;
let events: EventRecorder;
let relays: Relay[];

beforeEach(async () => {
  cloud = await startCloud();
  client = await udpPeer();
  events = new EventRecorder();
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.drain()));
  await client.close();
  await cloud.stop();
});

async function start(changes: Partial<RelayOptions> = {}): Promise<Relay> {
  const relay = await startRelay({
    site: localSite(),
    ...surroundings(cloud, events),
    timings: { drainMs: 0, outboxVisibilitySeconds: 1 },
    ...changes,
  });
  relays.push(relay);
  return relay;
}

/** Takes the next request out of the inbox. */
async function forwarded(): Promise<RequestMessage> {
  const { body } = await cloud.takeFromInbox();
  const message = readMessage(InboxMessage, JSON.stringify(body));
  if (message.kind !== 'request') throw new Error(`expected a request, got ${message.kind}`);
  return message;
}

/** The reply that has come to the client. */
async function answered(): Promise<{ reply: Packet; source: Endpoint }> {
  const { datagram, source } = await client.received.first(() => true);
  return { reply: packetOf(datagram), source };
}

const replyTo = ({ correlationId, origin }: RequestMessage, changes: object = {}) => ({
  version: MESSAGE_VERSION,
  kind: 'reply',
  correlationId,
  origin,
  answer: 'ack',
  ...changes,
});

const page = async ({ httpAddress }: Relay, path: string) => {
  const response = await fetch(`http://${httpAddress.address}:${httpAddress.port}${path}`);
  return { status: response.status, text: await response.text() };
};

test('puts a verified request into the inbox, with its bytes, its client and its session for a group', async () => {
  const relay = await start({ clock: { ...systemClock, now: () => 1_700_000_000_123 } });
  const request = signedRequest();
  await client.send(Buffer.concat([request, Buffer.from('padding')]), relay.coaAddress);
  const { message, body } = await cloud.takeFromInbox();
  await events.first(({ kind }) => kind === 'request-forwarded');
  const [event] = events.of('request-forwarded');
  // Whether the relay knows its skew by then depends on whether SQS has answered a call.
  const { clockSkewMs: _, ...rest } = body as { clockSkewMs?: number };
  expect(rest).toEqual({
    version: MESSAGE_VERSION,
    kind: 'request',
    correlationId: event?.correlationId,
    receivedAtMs: 1_700_000_000_123,
    patienceSeconds: 10,
    origin: {
      kind: 'radius',
      relay: 'test',
      client: { name: 'policy-server', ...client.endpoint },
      packet: Buffer.from(request).toString('base64'),
    },
  });
  expect(message.Attributes).toMatchObject({
    MessageGroupId: messageGroup(Buffer.from('0001048580')),
    MessageDeduplicationId: event?.correlationId,
  });
});

test.each([
  ['CoA-ACK', CODE.CoaRequest, 'ack', undefined, CODE.CoaAck],
  ['CoA-NAK', CODE.CoaRequest, 'nak', 404, CODE.CoaNak],
  ['Disconnect-ACK', CODE.DisconnectRequest, 'ack', undefined, CODE.DisconnectAck],
] as const)(
  'answers with a %s from the very port that was asked',
  async (_, code, answer, errorCause, replied) => {
    const relay = await start();
    const request = signedRequest({ code });
    await client.send(request, relay.coaAddress);
    await cloud.send('outbox', replyTo(await forwarded(), { answer, errorCause }));
    const [received] = await client.received.atLeast(1);
    const reply = packetOf(received?.datagram ?? Buffer.alloc(0));
    expect(received?.source).toEqual(relay.coaAddress);
    expect(reply.code).toBe(replied);
    expect(verifyReply(reply, packetOf(request), SECRET, { requireMessageAuthenticator: true })).toEqual({
      ok: true,
    });
    const sent = await events.first(({ kind }) => kind === 'reply-sent');
    expect(sent).toMatchObject({ code: replied, client: 'policy-server', latencyMs: expect.any(Number) });
    await vi.waitFor(() => expect(messagesIn('outbox.fifo')).toBe(0));
  },
);

test('answers a request once, also when its reply is sent again', async () => {
  const relay = await start();
  await client.send(signedRequest(), relay.coaAddress);
  const message = await forwarded();
  await cloud.send('outbox', replyTo(message));
  await answered();
  await cloud.send('outbox', replyTo(message));
  expect(await events.first(({ kind }) => kind === 'message-repeated')).toMatchObject({
    queue: 'outbox',
    correlationId: message.correlationId,
  });
  await vi.waitFor(() => expect(messagesIn('outbox.fifo')).toBe(0));
  expect(events.of('reply-sent')).toHaveLength(1);
});

test('answers with the secret that the request was signed with, during a rotation', async () => {
  const clients = [localClient({ secrets: [SECRET, OLD_SECRET] })];
  const relay = await start({ site: localSite({ clients }) });
  const request = signedRequest({ secret: OLD_SECRET });
  await client.send(request, relay.coaAddress);
  await cloud.send('outbox', replyTo(await forwarded()));
  const { reply } = await answered();
  expect(verifyReply(reply, packetOf(request), OLD_SECRET)).toEqual({ ok: true });
});

test('drops a repeat until the request is answered, then forwards it as another one', async () => {
  const relay = await start();
  const request = signedRequest();
  await client.send(request, relay.coaAddress);
  const first = await forwarded();
  await client.send(request, relay.coaAddress);
  await events.first((event) => event.kind === 'discarded');
  expect(events.of('discarded')).toMatchObject([
    { reason: 'repeat-in-progress', client: 'policy-server', correlationId: first.correlationId },
  ]);
  await cloud.send('outbox', replyTo(first));
  await answered();
  await client.send(request, relay.coaAddress);
  const second = await forwarded();
  expect(second.origin.packet).toBe(first.origin.packet);
  expect(second.correlationId).not.toBe(first.correlationId);
});

test('answers a request that an earlier relay took on', async () => {
  const before = await start();
  const request = signedRequest();
  await client.send(request, before.coaAddress);
  const message = await forwarded();
  await before.drain();
  await start({ site: localSite({ coa: before.coaAddress }) });
  await cloud.send('outbox', replyTo(message));
  const { reply, source } = await answered();
  expect(source).toEqual(before.coaAddress);
  expect(verifyReply(reply, packetOf(request), SECRET)).toEqual({ ok: true });
});

test.each([
  ['of a client that is none', replyFor(signedRequest(), '192.0.2.1'), 'unknown-source'],
  [
    'to a request that nobody signed',
    replyFor(signedRequest({ secret: STRANGE_SECRET })),
    'wrong-request-authenticator',
  ],
  ['to a reply', replyFor(signedRequest({ code: CODE.CoaAck })), 'unexpected-code'],
  ['to no packet', replyFor(Buffer.from('nothing')), 'datagram-too-short'],
])('does not send a reply %s, and deletes it', async (_, reply, reason) => {
  await start();
  await cloud.send('outbox', reply);
  expect(await events.first(({ kind }) => kind === 'reply-not-sent')).toMatchObject({ reason });
  await vi.waitFor(() => expect(messagesIn('outbox.fifo')).toBe(0));
  expect(client.received.all).toEqual([]);
});

test('leaves what is no message for the dead-letter queue', async () => {
  const relay = await start();
  await cloud.send('outbox', { kind: 'greeting' });
  await events.first((event) => event.kind === 'message-left' && event.reason === 'malformed');
  expect(messagesIn('outbox.fifo')).toBe(1);
  expect((await page(relay, '/metrics')).text).toContain(
    'interlock_relay_messages_left_total{queue="outbox",reason="malformed"}',
  );
});

test('counts what it discards, and answers none of it', async () => {
  const relay = await start();
  await client.send(Buffer.from('no packet'), relay.coaAddress);
  await client.send(signedRequest({ secret: STRANGE_SECRET }), relay.coaAddress);
  await client.send(signedRequest({ secret: STRANGE_SECRET }), relay.coaAddress);
  await vi.waitFor(() => expect(events.discards.length).toBe(3));
  const { text } = await page(relay, '/metrics');
  expect(text).toContain('interlock_relay_discarded_total{reason="datagram-too-short"} 1\n');
  expect(text).toContain('interlock_relay_discarded_total{reason="wrong-request-authenticator"} 2\n');
  expect(client.received.all).toEqual([]);
});

test('says what is wrong while SQS is away, drops requests, and recovers', async () => {
  const relay = await start();
  await vi.waitFor(async () => expect((await page(relay, '/healthz')).status).toBe(200));
  const { port } = cloud.server;
  await cloud.server.stop();
  await client.send(signedRequest(), relay.coaAddress);
  await events.first((event) => event.kind === 'discarded' && event.reason === 'inbox-unavailable');
  await events.first((event) => event.kind === 'queue-trouble' && event.queue === 'outbox');
  const sick = await page(relay, '/healthz');
  expect(sick.status).toBe(503);
  expect(JSON.parse(sick.text)).toEqual({
    status: 'unavailable',
    problems: [expect.stringMatching(/^inbox: .*ECONNREFUSED/), expect.stringMatching(/^outbox: /)],
  });

  cloud.sqs.destroy();
  cloud = await startCloud(port);
  await client.send(signedRequest(), relay.coaAddress);
  expect((await forwarded()).origin.client).toMatchObject(client.endpoint);
  await vi.waitFor(async () => expect((await page(relay, '/healthz')).status).toBe(200));
  expect(
    events
      .of('queue-recovered')
      .map(({ queue }) => queue)
      .sort(),
  ).toEqual(['inbox', 'outbox']);
});

test('forgets a failure of the inbox after a minute in which nobody needed it', async () => {
  let laterMs = 0;
  let isReached = false;
  const scripted = await scriptedSqs(({ queueUrl }) => {
    if (queueUrl === cloud.queues.inbox) throw new Error('away');
    if (isReached) return undefined;
    isReached = true;
    return {};
  });
  const relay = await start({
    sqs: scripted.sqs,
    clock: { ...systemClock, monotonicNow: () => systemClock.monotonicNow() + laterMs },
  });
  await client.send(signedRequest(), relay.coaAddress);
  await events.first((event) => event.kind === 'discarded');
  const sick = await page(relay, '/healthz');
  expect(JSON.parse(sick.text).problems).toEqual(['inbox: InternalFailure: Error: away']);
  laterMs = 60_000;
  expect((await page(relay, '/healthz')).status).toBe(200);
  await relay.drain();
  await scripted.stop();
});

test('knows two pages and no third', async () => {
  const relay = await start();
  expect((await page(relay, '/metrics?now')).status).toBe(200);
  expect((await page(relay, '/')).status).toBe(404);
  expect((await page(relay, '//')).status).toBe(404);
});

test('drains: takes nothing on, answers what is under way, then is gone', async () => {
  const relay = await start({ timings: { drainMs: 10_000 } });
  await client.send(signedRequest(), relay.coaAddress);
  const message = await forwarded();
  const drained = relay.drain();
  await client.send(signedRequest({ identifier: 43 }), relay.coaAddress);
  await events.first((event) => event.kind === 'discarded' && event.reason === 'draining');
  expect(await page(relay, '/healthz')).toMatchObject({ status: 503 });
  await cloud.send('outbox', replyTo(message));
  await answered();
  await drained;
  expect(events.all.at(-1)).toEqual({ kind: 'stopped' });
  await expect(page(relay, '/healthz')).rejects.toThrow();
  const successor = await start({ site: localSite({ coa: relay.coaAddress, http: relay.httpAddress }) });
  expect(successor.coaAddress).toEqual(relay.coaAddress);
});

test('stops in the end when an answer does not come', async () => {
  const relay = await start({ timings: { drainMs: 20 } });
  await client.send(signedRequest(), relay.coaAddress);
  await forwarded();
  await relay.drain();
  expect(events.all.at(-1)).toEqual({ kind: 'stopped' });
});

test('says in one sentence where it cannot listen', async () => {
  const coa = client.endpoint;
  await expect(start({ site: localSite({ coa }) })).rejects.toThrow(
    `cannot listen for RADIUS on ${LOCALHOST}:${coa.port}: the port is already in use`,
  );
  const { httpAddress: http } = await start();
  await expect(start({ site: localSite({ http }) })).rejects.toThrow(
    `cannot listen for HTTP on ${LOCALHOST}:${http.port}: the port is already in use`,
  );
});

test('listens on IPv6 and knows an IPv4 client there', async () => {
  const relay = await start({ site: localSite({ coa: { address: '::', port: 0 } }) });
  await client.send(signedRequest(), { address: LOCALHOST, port: relay.coaAddress.port });
  const message = await forwarded();
  expect(message.origin.client.address).toBe(`::ffff:${LOCALHOST}`);
  await cloud.send('outbox', replyTo(message));
  const { source } = await answered();
  expect(source).toEqual({ address: LOCALHOST, port: relay.coaAddress.port });
});

function replyFor(request: Uint8Array, address = LOCALHOST) {
  const packet = Buffer.from(request).toString('base64');
  return {
    kind: 'reply',
    correlationId: 'some-request',
    client: { address, port: 50_000 },
    request: packet,
    answer: 'ack',
  };
}

function messagesIn(queue: string): number {
  const messages = cloud.server.inspectQueue(queue)?.messages;
  return (messages?.ready.length ?? 0) + (messages?.inflight.length ?? 0);
}
