import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { prepareSecret, signReply, verifyReply, verifyRequest } from '../../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import type { AccountingServer } from '../../../relay/accounting-servers.ts';
import { type Relay, type RelayOptions, startRelay } from '../../../relay/relay.ts';
import { attribute, craft, MESSAGE_AUTHENTICATOR } from '../../core/radius/craft.ts';
import {
  type Cloud,
  EventRecorder,
  LOCALHOST,
  packetOf,
  type Received,
  SECRET,
  STRANGE_SECRET,
  scriptedSqs,
  startCloud,
  surroundings,
  type UdpPeer,
  udpPeer,
} from '../support.ts';
import { accountingRequest, delayed, queuedIn, siteWithFeed, stamped } from './support.ts';

const UPSTREAM = prepareSecret('between relay and server');

let cloud: Cloud;
let nas: UdpPeer;
let server: UdpPeer;
let events: EventRecorder;
let relays: Relay[];

beforeEach(async () => {
  cloud = await startCloud();
  nas = await udpPeer();
  server = await udpPeer();
  events = new EventRecorder();
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.drain()));
  await Promise.all([nas.close(), server.close()]);
  await cloud.stop();
});

const serverAt = (port: number): AccountingServer => ({
  name: `127.0.0.1:${port}`,
  address: LOCALHOST,
  port,
  secret: UPSTREAM,
  messageAuthenticator: false,
  requireMessageAuthenticator: false,
  zeroAuthenticatorReplies: true,
});

async function start(changes: Partial<RelayOptions> = {}, ports = [server.endpoint.port], secret = SECRET) {
  const relay = await startRelay({
    site: siteWithFeed({ mode: 'proxy', secrets: [secret] }, { accounting: ports.map(serverAt) }),
    ...surroundings(cloud, events),
    timings: { drainMs: 0, outboxVisibilitySeconds: 1 },
    ...changes,
  });
  relays.push(relay);
  const { accountingAddress } = relay;
  if (accountingAddress === undefined) throw new Error('the relay takes no accounting');
  return { relay, tell: (request: Uint8Array) => nas.send(request, accountingAddress) };
}

/** Answers what a server has got, with the Proxy-States of the request and more. */
function respond(
  { datagram, source }: Received,
  { peer = server, more = [] as readonly Attribute[], secret = UPSTREAM } = {},
): Promise<void> {
  const request = packetOf(datagram);
  const states = request.attributes.filter(({ type }) => type === 33);
  const attributes = Buffer.concat([
    encodeAttributes(more),
    ...states.map(({ value }) => attribute(33, Buffer.from(value))),
  ]);
  return peer.send(signReply(request, { code: CODE.AccountingResponse, attributes }, secret), source);
}

const octetsOf = ({ bytes }: Packet) => Buffer.from(bytes.subarray(20));

test('forwards a request byte for byte with its Proxy-State last, and answers when the server has answered', async () => {
  const { tell } = await start();
  const request = packetOf(
    accountingRequest({
      identifier: 77,
      more: [
        { name: 'Class', value: Buffer.from('gold') },
        { name: 'Proxy-State', value: Buffer.from('of another proxy') },
        { unknown: { type: 250 }, value: Buffer.from('unknown') },
        { malformed: { type: 8, reason: '' }, value: Buffer.of(1) },
        { name: 'Class', value: Buffer.from('more of it') },
      ],
    }),
  );
  await tell(request.bytes);
  const received = await server.received.first(() => true);
  const forwarded = packetOf(received.datagram);
  expect(verifyRequest(forwarded, UPSTREAM)).toEqual({ ok: true });
  expect(octetsOf(forwarded).subarray(0, request.bytes.length - 20)).toEqual(octetsOf(request));
  expect(forwarded.attributes.at(-1)?.type).toBe(33);
  expect(forwarded.attributes).toHaveLength(request.attributes.length + 1);
  expect(nas.received.all).toEqual([]);

  await respond(received, { more: [{ name: 'Reply-Message', value: 'recorded' }] });
  const reply = packetOf((await nas.received.first(() => true)).datagram);
  expect(verifyReply(reply, request, SECRET)).toEqual({ ok: true });
  expect(reply.attributes.map(({ type, value }) => [type, Buffer.from(value).toString()])).toEqual([
    [18, 'recorded'],
    [33, 'of another proxy'],
  ]);
  await events.first(({ kind }) => kind === 'feed-queued');
  expect(queuedIn(cloud)).toMatchObject([{ status: 'start', classes: expect.any(Array) }]);
});

test('computes a Message-Authenticator anew, in its place', async () => {
  const secret = prepareSecret('testing123');
  const { tell } = await start({}, undefined, secret);
  const status = attribute(40, Buffer.of(0, 0, 0, 1));
  await tell(
    craft({ code: 4, attributes: [status, MESSAGE_AUTHENTICATOR, attribute(44, Buffer.from('1'))] }),
  );
  const forwarded = packetOf((await server.received.first(() => true)).datagram);
  expect(verifyRequest(forwarded, UPSTREAM, { requireMessageAuthenticator: true })).toEqual({ ok: true });
  expect(forwarded.attributes.map(({ type }) => type)).toEqual([40, 80, 44, 33]);
});

describe('a repeat of the NAS', () => {
  it('is sent to the server as a repeat, and a late answer is passed on', async () => {
    const { tell } = await start();
    for (let times = 1; times <= 3; times++) {
      await tell(accountingRequest());
      await server.received.atLeast(times);
    }
    const [first, second, third] = server.received.all;
    if (first === undefined) throw new Error('nothing came');
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    await respond(first);
    expect(packetOf((await nas.received.first(() => true)).datagram).identifier).toBe(1);
    expect(events.of('feed-forwarded')).toHaveLength(3);
  });

  it('is answered by the relay once the server has answered', async () => {
    const { tell } = await start();
    server.received.onEach((received) => void respond(received));
    await tell(accountingRequest());
    await nas.received.atLeast(1);
    await tell(accountingRequest());
    const [first, second] = await nas.received.atLeast(2);
    expect(second).toEqual(first);
    expect(server.received.all).toHaveLength(1);
  });

  it('with a raised Acct-Delay-Time is forwarded, and the cloud hears of it once', async () => {
    const { tell } = await start();
    server.received.onEach((received) => void respond(received));
    const at = stamped(Math.floor(Date.now() / 1000));
    await tell(accountingRequest({ more: [at] }));
    await events.first(({ kind }) => kind === 'feed-queued');
    await tell(accountingRequest({ more: [at, delayed(5)], identifier: 2 }));
    await nas.received.atLeast(2);
    expect(server.received.all).toHaveLength(2);
    expect(queuedIn(cloud)).toHaveLength(1);
  });
});

describe('a server that', () => {
  it('is away leaves the NAS without an answer; it gets one when the server is back', async () => {
    const { port } = server.endpoint;
    const { tell } = await start();
    await server.close();
    await tell(accountingRequest());
    expect(await events.first(({ kind }) => kind === 'feed-unanswered')).toMatchObject({
      reason: 'server-unreachable',
      server: `127.0.0.1:${port}`,
    });
    server = await udpPeer(port);
    server.received.onEach((received) => void respond(received));
    await tell(accountingRequest());
    await nas.received.atLeast(1);
    expect(events.of('feed-answered')).toHaveLength(1);
  });

  it('does not answer in time is asked anew by the next repeat', async () => {
    const { tell } = await start({ timings: { drainMs: 0, proxy: { answerMs: 20 } } });
    await tell(accountingRequest());
    expect(await events.first(({ kind }) => kind === 'feed-unanswered')).toMatchObject({
      reason: 'server-timeout',
    });
    await tell(accountingRequest());
    const [first, second] = await server.received.atLeast(2);
    expect(packetOf(second?.datagram ?? Buffer.of()).identifier).not.toBe(
      packetOf(first?.datagram ?? Buffer.of()).identifier,
    );
  });

  it('is not there has its requests sent to the next one at once', async () => {
    const other = await udpPeer();
    const { port } = server.endpoint;
    await server.close();
    const { tell } = await start({}, [port, other.endpoint.port]);
    other.received.onEach((received) => void respond(received, { peer: other }));
    await tell(accountingRequest());
    await nas.received.atLeast(1);
    expect(events.of('accounting-server-changed')).toHaveLength(1);
    server = await udpPeer();
    await other.close();
  });

  it('does not answer has the repeats sent to the next one', async () => {
    const other = await udpPeer();
    const { tell } = await start({ timings: { drainMs: 0, proxy: { attemptMs: 20 } } }, [
      server.endpoint.port,
      other.endpoint.port,
    ]);
    other.received.onEach((received) => void respond(received, { peer: other }));
    // The NAS repeats what is not answered.
    events.onEach(({ kind }) => kind === 'feed-unanswered' && void tell(accountingRequest()));
    await tell(accountingRequest());
    await nas.received.atLeast(1);
    expect(events.of('accounting-server-changed')[0]).toMatchObject({
      from: `127.0.0.1:${server.endpoint.port}`,
      to: `127.0.0.1:${other.endpoint.port}`,
    });
    await other.close();
  });

  it('drops one record and answers others is not left', async () => {
    const other = await udpPeer();
    const { tell } = await start({ timings: { drainMs: 0, proxy: { attemptMs: 300 } } }, [
      server.endpoint.port,
      other.endpoint.port,
    ]);
    server.received.onEach((received) => {
      const isPoison = packetOf(received.datagram).attributes.some(({ value }) => value.length === 200);
      if (!isPoison) void respond(received);
    });
    await tell(accountingRequest({ userName: 'x'.repeat(200) }));
    await server.received.atLeast(1);
    await tell(accountingRequest({ identifier: 2, id: '0002' }));
    await nas.received.atLeast(1);
    await events.first(({ kind }) => kind === 'feed-unanswered');
    expect(events.of('accounting-server-changed')).toEqual([]);
    await other.close();
  });

  it('answers with another secret is not believed', async () => {
    const { tell } = await start();
    await tell(accountingRequest());
    await respond(await server.received.first(() => true), { secret: STRANGE_SECRET });
    expect(await events.first(({ kind }) => kind === 'reply-ignored')).toMatchObject({
      reason: 'wrong-response-authenticator',
    });
    expect(nas.received.all).toEqual([]);
  });
});

describe('while SQS', () => {
  it('is away, records are forwarded and answered as ever; the cloud hears of all afterwards', async () => {
    let isAway = true;
    const sessions = new Set<string>();
    const scripted = await scriptedSqs(({ action, entries }) => {
      if (action !== 'SendMessageBatch') return {};
      if (isAway) throw new Error('away');
      for (const { MessageBody } of entries) sessions.add(JSON.parse(MessageBody).acctSessionId);
      return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
    });
    const { tell } = await start({ sqs: scripted.sqs });
    server.received.onEach((received) => void respond(received));
    for (let index = 0; index < 200; index++)
      await tell(accountingRequest({ id: `${index}`, identifier: index }));
    await nas.received.atLeast(200);
    expect(events.of('feed-queued')).toEqual([]);
    isAway = false;
    while (events.of('feed-queued').length < 200) await events.next();
    expect(sessions.size).toBe(200);
    expect(events.of('feed-dropped')).toEqual([]);
    await scripted.stop();
  });

  it('is away, Interim-Updates of a session do not pile up', async () => {
    const scripted = await scriptedSqs(({ action }) => {
      if (action === 'SendMessageBatch') throw new Error('away');
      return {};
    });
    const { relay, tell } = await start({ sqs: scripted.sqs });
    server.received.onEach((received) => void respond(received));
    await tell(accountingRequest());
    const seconds = Math.floor(Date.now() / 1000);
    const address = { name: 'Framed-IP-Address', value: '198.51.100.7' } as const;
    for (let identifier = 2; identifier < 12; identifier++) {
      const more = [stamped(seconds + identifier), ...(identifier > 6 ? [address] : [])];
      await tell(accountingRequest({ status: 'Interim-Update', identifier, more }));
    }
    await nas.received.atLeast(11);
    const { address: host, port } = relay.httpAddress;
    const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
    // The Start, and the first Interim-Update with the address.
    expect(metrics).toContain('\ninterlock_relay_feed_buffered 2\n');
    await scripted.stop();
  });

  it('does not answer, no record waits for it', async () => {
    const scripted = await scriptedSqs(({ action }) => (action === 'SendMessageBatch' ? undefined : {}));
    const { tell } = await start({ sqs: scripted.sqs });
    server.received.onEach((received) => void respond(received));
    await tell(accountingRequest());
    await nas.received.atLeast(1);
    expect(events.of('feed-answered')).toHaveLength(1);
    await scripted.stop();
  });
});

test('forwards what nothing is learned from', async () => {
  const secret = prepareSecret('testing123');
  const { tell } = await start({}, undefined, secret);
  server.received.onEach((received) => void respond(received));
  const status = (value: number) => attribute(40, Buffer.of(0, 0, 0, value));
  const records = [[], [status(1)], [status(9)], [status(1), attribute(44, Buffer.from('1')), status(1)]];
  for (const [identifier, attributes] of records.entries())
    await tell(craft({ code: 4, identifier, attributes }));
  await nas.received.atLeast(records.length);
  expect(queuedIn(cloud)).toEqual([]);
});

test('does not forward what it has forwarded before: a server that sends it back', async () => {
  const { tell } = await start();
  await tell(accountingRequest());
  const forwarded = packetOf((await server.received.first(() => true)).datagram);
  const own = forwarded.attributes.at(-1)?.value ?? Buffer.of();
  await tell(accountingRequest({ identifier: 2, more: [{ name: 'Proxy-State', value: own }] }));
  expect(await events.first(({ kind }) => kind === 'feed-discarded')).toMatchObject({ reason: 'loop' });
  expect(server.received.all).toHaveLength(1);
});

test('cannot forward what has no room for its Proxy-State', async () => {
  const secret = prepareSecret('testing123');
  const { tell } = await start({}, undefined, secret);
  const full = Array.from({ length: 16 }, () => attribute(250, Buffer.alloc(252)));
  await tell(craft({ code: 4, attributes: [...full, attribute(250, Buffer.alloc(2))] }));
  expect(await events.first(({ kind }) => kind === 'feed-unanswered')).toMatchObject({ reason: 'too-long' });
});

test('has at most 4,096 requests at a server, and turns others away until it answers', async () => {
  const { relay, tell } = await start();
  const { accountingAddress = server.endpoint } = relay;
  const peers = await Promise.all(Array.from({ length: 17 }, () => udpPeer()));
  const busy = events.first((event) => event.kind === 'feed-unanswered' && event.reason === 'server-busy');
  const forwarded = new Set<string>();
  server.received.onEach(({ source, datagram }) => forwarded.add(`${source.port} ${datagram[1]}`));
  // A datagram may be lost: the NASes repeat what they have sent until one is turned away.
  for (let rounds = 0; events.of('feed-unanswered').length === 0; rounds++) {
    expect(rounds).toBeLessThan(20);
    for (const [number, peer] of peers.entries()) {
      for (let identifier = 0; identifier < 256; identifier++)
        await peer.send(accountingRequest({ id: `${number} ${identifier}`, identifier }), accountingAddress);
      // Sending alone leaves the relay without a turn.
      await nextTurn();
    }
  }
  expect(await busy).toMatchObject({ server: `127.0.0.1:${server.endpoint.port}` });
  expect(forwarded.size).toBeLessThanOrEqual(4096);
  const [first] = server.received.all;
  if (first === undefined) throw new Error('nothing came');
  await respond(first);
  await events.first(({ kind }) => kind === 'feed-answered');
  const another = events.next(({ kind }) => kind === 'feed-forwarded');
  await tell(accountingRequest({ id: 'another' }));
  expect(await another).toMatchObject({ feed: 'bng-1' });
  await Promise.all(peers.map((peer) => peer.close()));
});

test('when it stops, gives up what no server has answered', async () => {
  const { relay, tell } = await start();
  await tell(accountingRequest());
  await server.received.atLeast(1);
  await events.first(({ kind }) => kind === 'feed-queued');
  await relay.drain();
  expect(events.of('feed-unanswered')).toMatchObject([{ reason: 'draining' }]);
});
