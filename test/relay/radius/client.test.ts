import { beforeEach, expect, test } from 'vitest';
import { signReply } from '../../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import {
  type ExchangePolicy,
  type ExchangeResult,
  RadiusClient,
  type RadiusServer,
} from '../../../relay/radius/client.ts';
import type { Transport } from '../../../relay/radius/transport.ts';
import { ManualClock } from '../manual-clock.ts';
import { MemoryNetwork } from '../memory-network.ts';
import {
  memoryPeer,
  type Peer,
  packetOf,
  type Received,
  Recorder,
  SECRET,
  STRANGE_SECRET,
} from '../support.ts';

const SERVER = { address: '192.0.2.1', port: 1813 };
const request = {
  code: CODE.AccountingRequest,
  attributes: encodeAttributes([{ name: 'Acct-Session-Id', value: '0001048580:000001' }]),
};
/** Sends at 0, 2, 6, 14 and 30 s, and every 16 s from then on. */
const policy: ExchangePolicy = { irtMs: 2_000, mrtMs: 16_000, mrc: 0, mrdMs: 0, endsWhenUnreachable: true };
const never = new AbortController().signal;

let clock: ManualClock;
let network: MemoryNetwork;
let server: Peer;
let client: RadiusClient;
let ignored: Recorder<string>;

beforeEach(() => {
  clock = new ManualClock();
  network = new MemoryNetwork(clock);
  server = memoryPeer(network, SERVER);
  ignored = new Recorder();
  client = clientOn(network.host('192.0.2.10'));
});

const clientOn = (transport: Transport) =>
  new RadiusClient({ transport, clock, random: () => 0.5, onIgnored: (_, reason) => ignored.add(reason) });
const target = (changes: Partial<RadiusServer> = {}): RadiusServer => ({
  ...SERVER,
  secret: SECRET,
  messageAuthenticator: false,
  requireMessageAuthenticator: false,
  zeroAuthenticatorReplies: false,
  ...changes,
});
const replyTo = ({ datagram }: Received, secret = SECRET, code: number = CODE.AccountingResponse) =>
  signReply(packetOf(datagram), { code, attributes: new Uint8Array() }, secret);
const answer = (received: Received, secret = SECRET) =>
  server.send(replyTo(received, secret), received.source);

/** Begins an exchange; its result is undefined until there is one. */
async function begin(changes: Partial<RadiusServer> = {}, own: Partial<ExchangePolicy> = {}, signal = never) {
  const exchange: { result?: ExchangeResult; isSent: boolean } = { isSent: false };
  const onSent = () => {
    exchange.isSent = true;
  };
  void client.exchange(request, target(changes), { ...policy, ...own }, signal, onSent).then((result) => {
    exchange.result = result;
  });
  await clock.advance(0);
  return exchange;
}

/** The first datagram that the server has. */
function firstReceived(): Received {
  const [received] = server.received.all;
  if (received === undefined) throw new Error('nothing came');
  return received;
}

test('repeats a request byte for byte from the same port until it is answered', async () => {
  const exchange = await begin();
  const arrivals: number[] = [];
  const startedAtMs = clock.now();
  server.received.onEach(() => arrivals.push(clock.now() - startedAtMs));
  await clock.advance(40_000);
  expect(arrivals).toEqual([2_000, 6_000, 14_000, 30_000]);
  for (const repeat of server.received.all) expect(repeat).toEqual(firstReceived());
  await answer(firstReceived());
  await clock.advance(100_000);
  const packet = expect.objectContaining({ code: CODE.AccountingResponse });
  expect(exchange).toEqual({ isSent: true, result: { kind: 'reply', packet, latencyMs: 40_000 } });
  expect(arrivals.length).toBe(4);
});

test('sends a request once over a channel that loses nothing, and waits as long for its reply', async () => {
  const host = network.host('192.0.2.11');
  client = clientOn({
    ...host,
    connect: async (remote, owner) => ({ ...(await host.connect(remote, owner)), isReliable: true }),
  });
  const exchange = await begin({}, { mrdMs: 30_000 });
  await clock.advance(29_999);
  expect(exchange.result).toBeUndefined();
  await clock.advance(1);
  expect(exchange).toEqual({ isSent: true, result: { kind: 'timeout' } });
  expect(server.received.all.length).toBe(1);
});

test('puts a Message-Authenticator first where the server wants one', async () => {
  const exchange = await begin({ messageAuthenticator: true });
  expect(packetOf(firstReceived().datagram).attributes[0]?.type).toBe(80);
  await answer(firstReceived());
  await clock.advance(0);
  expect(exchange.result).toMatchObject({ kind: 'reply' });
});

test('ignores what does not answer the request, and goes on waiting', async () => {
  const exchange = await begin();
  const received = firstReceived();
  const { source } = received;
  const otherIdentifier = Buffer.from(replyTo(received));
  otherIdentifier.writeUInt8((otherIdentifier.readUInt8(1) + 1) % 256, 1);
  await server.send(Buffer.from('no packet'), source);
  await server.send(replyTo(received, STRANGE_SECRET), source);
  await server.send(replyTo(received, SECRET, CODE.CoaAck), source);
  await server.send(otherIdentifier, source);
  await clock.advance(0);
  expect(ignored.all).toEqual([
    'datagram-too-short',
    'wrong-response-authenticator',
    'code-mismatch',
    'nothing-pending',
  ]);
  expect(exchange.result).toBeUndefined();
  await answer(received);
  await clock.advance(0);
  expect(exchange.result).toMatchObject({ kind: 'reply' });
});

test('ignores a second reply to the same request', async () => {
  const exchange = await begin();
  await answer(firstReceived());
  await answer(firstReceived());
  await clock.advance(0);
  expect(exchange.result).toMatchObject({ kind: 'reply' });
  expect(ignored.all).toEqual(['nothing-pending']);
});

test('gives up when the policy says so', async () => {
  const exchange = await begin({}, { mrdMs: 30_000 });
  await clock.advance(29_999);
  expect(exchange.result).toBeUndefined();
  await clock.advance(1);
  expect(exchange.result).toEqual({ kind: 'timeout' });
});

test('gives up when the caller does', async () => {
  const abort = new AbortController();
  const exchange = await begin({}, {}, abort.signal);
  abort.abort();
  await clock.advance(0);
  expect(exchange.result).toEqual({ kind: 'aborted' });
  expect((await begin({}, {}, abort.signal)).result).toEqual({ kind: 'aborted' });
  expect(server.received.all.length).toBe(1);
});

test('learns at once that nobody listens on the port', async () => {
  const exchange = await begin({ port: 1814 });
  expect(exchange.result).toEqual({ kind: 'unreachable' });
});

test('goes on asking where nobody listens, if the policy wants it, until somebody does', async () => {
  const exchange = await begin({ port: 1814 }, { endsWhenUnreachable: false });
  await clock.advance(10_000);
  server = memoryPeer(network, { ...SERVER, port: 1814 });
  await clock.advance(10_000);
  await answer(firstReceived());
  await clock.advance(0);
  expect(exchange.result).toMatchObject({ kind: 'reply' });
});

test('reports a server that no channel can be opened to as unreachable, and tries another one next time', async () => {
  const host = network.host('192.0.2.11');
  let isThere = false;
  client = clientOn({
    ...host,
    connect: (remote, owner) =>
      isThere ? host.connect(remote, owner) : Promise.reject(new Error('no route to host')),
  });
  expect((await begin()).result).toEqual({ kind: 'unreachable' });
  isThere = true;
  await begin();
  expect(server.received.all.length).toBe(1);
});

test('ends what is under way on a channel that fails, and opens another one next time', async () => {
  const host = network.host('192.0.2.11');
  let fail = () => {};
  client = clientOn({
    ...host,
    connect: (remote, owner) => {
      fail = () => owner.onFailure(new Error('the network is down'));
      return host.connect(remote, owner);
    },
  });
  const exchange = await begin();
  fail();
  await clock.advance(0);
  expect(exchange.result).toEqual({ kind: 'unreachable' });
  await begin();
  const [first, second] = server.received.all.map(({ source }) => source.port);
  expect(second).not.toBe(first);
});

test('takes another channel for the 257th request at a time', async () => {
  for (let count = 0; count < 257; count++) await begin();
  const identifiers = Map.groupBy(server.received.all, ({ source }) => source.port);
  const sizes = Array.from(
    identifiers.values(),
    (received) => new Set(received.map(({ datagram }) => datagram[1])).size,
  );
  expect(sizes).toEqual([256, 1]);
});

test('is busy when sixteen channels have no Identifier left', async () => {
  const abort = new AbortController();
  const exchanges = Array.from({ length: 16 * 256 }, () =>
    client.exchange(request, target(), policy, abort.signal),
  );
  expect(await client.exchange(request, target(), policy, abort.signal)).toEqual({ kind: 'busy' });
  abort.abort();
  const results = await Promise.all(exchanges);
  expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['aborted']));
});

test('leaves nothing behind when it is closed', async () => {
  const exchange = await begin();
  await answer(firstReceived());
  await clock.advance(0);
  expect(exchange.result).toMatchObject({ kind: 'reply' });
  await client.close();
  expect(clock.nextMs).toBeUndefined();
  await answer(firstReceived());
  await clock.advance(0);
  expect(ignored.all).toEqual([]);
});

test.each([
  ['are too many', new Uint8Array(4077)],
  ['run past their end', Uint8Array.of(44, 9, 1)],
])('throws for attributes that %s', async (_, attributes) => {
  const exchange = client.exchange({ ...request, attributes }, target(), policy, never);
  await expect(exchange).rejects.toThrow(RangeError);
});
