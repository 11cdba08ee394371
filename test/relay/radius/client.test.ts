import { afterEach, beforeEach, expect, test } from 'vitest';
import { signReply } from '../../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { systemClock } from '../../../relay/clock.ts';
import { type ExchangePolicy, RadiusClient, type RadiusServer } from '../../../relay/radius/client.ts';
import { udpTransport } from '../../../relay/radius/udp.ts';
import {
  closedPort,
  packetOf,
  type Received,
  Recorder,
  SECRET,
  STRANGE_SECRET,
  type UdpPeer,
  udpPeer,
} from '../support.ts';

const request = {
  code: CODE.AccountingRequest,
  attributes: encodeAttributes([{ name: 'Acct-Session-Id', value: '0001048580:000001' }]),
};
/** Impatient, so that no test has to wait long for what is to happen. */
const policy: ExchangePolicy = { irtMs: 20, mrtMs: 40, mrc: 0, mrdMs: 0, endsWhenUnreachable: true };
const never = new AbortController().signal;

let server: UdpPeer;
let client: RadiusClient;
let ignored: Recorder<string>;

beforeEach(async () => {
  server = await udpPeer();
  ignored = new Recorder();
  client = new RadiusClient({
    transport: udpTransport,
    clock: systemClock,
    random: Math.random,
    onIgnored: (_, reason) => ignored.add(reason),
  });
});

afterEach(async () => {
  await client.close();
  await server.close();
});

const target = (changes: Partial<RadiusServer> = {}): RadiusServer => ({
  ...server.endpoint,
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

test('repeats a request byte for byte from the same port until it is answered', async () => {
  const exchange = client.exchange(request, target(), policy, never);
  const [first, ...repeats] = await server.received.atLeast(4);
  expect(repeats.length).toBeGreaterThanOrEqual(3);
  for (const repeat of repeats) expect(repeat).toEqual(first);
  if (first !== undefined) await answer(first);
  expect(await exchange).toMatchObject({ kind: 'reply', packet: { code: CODE.AccountingResponse } });
});

test('puts a Message-Authenticator first where the server wants one', async () => {
  const exchange = client.exchange(request, target({ messageAuthenticator: true }), policy, never);
  const [received] = await server.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  expect(packetOf(received.datagram).attributes[0]?.type).toBe(80);
  await answer(received);
  expect(await exchange).toMatchObject({ kind: 'reply' });
});

test('ignores what does not answer the request, and goes on waiting', async () => {
  const exchange = client.exchange(request, target(), policy, never);
  const [received] = await server.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  const { source } = received;
  const otherIdentifier = Buffer.from(replyTo(received));
  otherIdentifier.writeUInt8((otherIdentifier.readUInt8(1) + 1) % 256, 1);
  await server.send(Buffer.from('no packet'), source);
  await server.send(replyTo(received, STRANGE_SECRET), source);
  await server.send(replyTo(received, SECRET, CODE.CoaAck), source);
  await server.send(otherIdentifier, source);
  expect(await ignored.atLeast(4)).toEqual([
    'datagram-too-short',
    'wrong-response-authenticator',
    'code-mismatch',
    'nothing-pending',
  ]);
  await answer(received);
  expect(await exchange).toMatchObject({ kind: 'reply' });
});

test('ignores a second reply to the same request', async () => {
  const exchange = client.exchange(request, target(), policy, never);
  const [received] = await server.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  await answer(received);
  await exchange;
  await answer(received);
  expect(await ignored.next()).toBe('nothing-pending');
});

test('hears nobody but the server that it asked', async () => {
  const stranger = await udpPeer();
  const exchange = client.exchange(request, target(), policy, never);
  const [received] = await server.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  await stranger.send(replyTo(received, STRANGE_SECRET), received.source);
  await answer(received);
  expect(await exchange).toMatchObject({ kind: 'reply' });
  expect(ignored.all).toEqual([]);
  await stranger.close();
});

test('gives up when the policy says so', async () => {
  const result = await client.exchange(request, target(), { ...policy, mrdMs: 50 }, never);
  expect(result).toEqual({ kind: 'timeout' });
});

test('gives up when the caller does', async () => {
  const abort = new AbortController();
  const exchange = client.exchange(request, target(), policy, abort.signal);
  await server.received.atLeast(1);
  abort.abort();
  expect(await exchange).toEqual({ kind: 'aborted' });
  expect(await client.exchange(request, target(), policy, abort.signal)).toEqual({ kind: 'aborted' });
});

test('learns at once that nobody listens on the port', async () => {
  const port = await closedPort();
  const patient = { ...policy, irtMs: 60_000 };
  expect(await client.exchange(request, target({ port }), patient, never)).toEqual({ kind: 'unreachable' });
});

test('goes on asking where nobody listens, if the policy wants it, until somebody does', async () => {
  const port = await closedPort();
  const exchange = client.exchange(
    request,
    target({ port }),
    { ...policy, endsWhenUnreachable: false },
    never,
  );
  const late = await udpPeer(port);
  const [received] = await late.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  await late.send(replyTo(received), received.source);
  expect(await exchange).toMatchObject({ kind: 'reply' });
  await late.close();
});

test('reports an address that no datagram can be sent to as unreachable', async () => {
  const nowhere = target({ address: '255.255.255.255' });
  expect(await client.exchange(request, nowhere, policy, never)).toEqual({ kind: 'unreachable' });
});

test('takes another socket for the 257th request at a time', async () => {
  const abort = new AbortController();
  const exchanges = Array.from({ length: 257 }, () =>
    client.exchange(request, target(), policy, abort.signal),
  );
  const identifiers = new Map<number, Set<number>>();
  while ([...identifiers.values()].reduce((sum, { size }) => sum + size, 0) < 257) {
    const { datagram, source } = await server.received.next();
    identifiers.set(source.port, (identifiers.get(source.port) ?? new Set()).add(datagram.readUInt8(1)));
  }
  expect([...identifiers.values()].map(({ size }) => size).sort()).toEqual([1, 256]);
  abort.abort();
  await Promise.all(exchanges);
});

test('is busy when sixteen sockets have no Identifier left', async () => {
  const abort = new AbortController();
  const patient = { ...policy, irtMs: 60_000 };
  const exchanges = Array.from({ length: 16 * 256 }, () =>
    client.exchange(request, target(), patient, abort.signal),
  );
  expect(await client.exchange(request, target(), patient, abort.signal)).toEqual({ kind: 'busy' });
  abort.abort();
  await Promise.all(exchanges);
});

test.each([
  ['are too many', new Uint8Array(4077)],
  ['run past their end', Uint8Array.of(44, 9, 1)],
])('throws for attributes that %s', async (_, attributes) => {
  const exchange = client.exchange({ ...request, attributes }, target(), policy, never);
  await expect(exchange).rejects.toThrow(RangeError);
});
