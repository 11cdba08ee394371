import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandMessage } from '../../core/messages.ts';
import { type Secret, signReply, verifyRequest } from '../../core/radius/authenticator.ts';
import { decodeAttributes, firstValue } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import { type Nas, NasClient } from '../../relay/nas-client.ts';
import { RadiusClient } from '../../relay/radius/client.ts';
import { udpTransport } from '../../relay/radius/udp.ts';
import {
  answer,
  closedPort,
  command,
  EventRecorder,
  localNas,
  OLD_SECRET,
  packetOf,
  type Received,
  SECRET,
  STRANGE_SECRET,
  type UdpPeer,
  udpPeer,
} from './support.ts';

/** Impatient, so that no test has to wait long for what is to happen. */
const TIMINGS = { irtMs: 20, mrtMs: 40, mrc: 0 };
const NOW_MS = 1_700_000_000_999;
const never = new AbortController().signal;

let peer: UdpPeer;
let events: EventRecorder;
let client: RadiusClient;
let nowMs: number;

beforeEach(async () => {
  peer = await udpPeer();
  events = new EventRecorder();
  nowMs = NOW_MS;
  client = new RadiusClient({
    transport: udpTransport,
    clock: systemClock,
    random: Math.random,
    onIgnored: (_, reason) => events.add({ kind: 'reply-ignored', server: 'bng-1', reason }),
  });
});

afterEach(async () => {
  await client.close();
  await peer.close();
});

function nasClient(changes: Partial<Nas> = {}, limits = { maxConcurrent: 256, maxWaiting: 256 }): NasClient {
  const nas = localNas(peer.endpoint, changes);
  const clock = { ...systemClock, now: () => nowMs };
  return new NasClient(nas, { client, clock, report: events.add, timings: TIMINGS, limits });
}

const timely = (changes: Partial<CommandMessage> = {}) => command({ startBeforeMs: NOW_MS, ...changes });
const carryOut = (nas: NasClient, message = timely(), abandon = never) => nas.carryOut(message, abandon);
const isSignedWith = (secret: Secret) => (received: Received) =>
  verifyRequest(packetOf(received.datagram), secret).ok;
const ignored = () => events.of('reply-ignored').map(({ reason }) => reason);

test('asks with a Message-Authenticator first, then the Event-Timestamp, then what the command says', async () => {
  const outcome = carryOut(nasClient());
  const [received] = await peer.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  const request = packetOf(received.datagram);
  expect(request.code).toBe(CODE.CoaRequest);
  expect(verifyRequest(request, SECRET, { requireMessageAuthenticator: true })).toEqual({ ok: true });
  expect(decodeAttributes(request)).toEqual([
    { name: 'Message-Authenticator', value: expect.anything() },
    { name: 'Event-Timestamp', value: 1_700_000_000 },
    { name: 'Acct-Session-Id', value: '0001048580' },
    { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
  ]);
  await answer(peer, received);
  expect(await outcome).toEqual({ result: 'ack' });
});

test('leaves the Message-Authenticator out where the NAS does not bear one', async () => {
  const outcome = carryOut(nasClient({ messageAuthenticator: false }));
  const [received] = await peer.received.atLeast(1);
  if (received === undefined) throw new Error('nothing came');
  expect(packetOf(received.datagram).attributes[0]?.type).toBe(55);
  await answer(peer, received);
  expect(await outcome).toEqual({ result: 'ack' });
});

test('repeats byte for byte from the same port while the clock goes on, and tells of the first sending', async () => {
  const outcome = carryOut(nasClient());
  const first = await peer.received.first(() => true);
  nowMs += 60_000;
  for (let repeats = 0; repeats < 3; repeats++) expect(await peer.received.next()).toEqual(first);
  await answer(peer, first, { code: CODE.CoaNak, attributes: [{ name: 'Error-Cause', value: 503 }] });
  expect(await outcome).toEqual({ result: 'nak', errorCause: 503 });
  const about = { correlationId: 'some-request', commandId: 'some-request of 0001048580/1', nas: 'bng-1' };
  const what = { acctSessionId: '0001048580', operation: 'activate', services: ['gold'] };
  expect(events.all).toEqual([
    { kind: 'command-sent', ...about, ...what },
    { kind: 'command-answered', ...about, result: 'nak', errorCause: 503, latencyMs: expect.any(Number) },
  ]);
});

test('gives up after the answer timeout of the NAS, and ignores an answer that comes later', async () => {
  expect(await carryOut(nasClient({ answerTimeoutSeconds: 0.05 }))).toEqual({ result: 'timeout' });
  expect(events.all.at(-1)).toMatchObject({ kind: 'command-unanswered', nas: 'bng-1', result: 'timeout' });
  const received = await peer.received.first(() => true);
  await answer(peer, received);
  await events.first(({ kind }) => kind === 'reply-ignored');
  expect(ignored()).toEqual(['nothing-pending']);
});

test('learns at once that nobody listens at the NAS', async () => {
  const nas = nasClient({ port: await closedPort(), answerTimeoutSeconds: 3600 });
  expect(await carryOut(nas)).toEqual({ result: 'unreachable' });
  expect(events.all.at(-1)).toMatchObject({ kind: 'command-unanswered', result: 'unreachable' });
});

test('ignores forged answers, and takes the first that is genuine', async () => {
  const outcome = carryOut(nasClient());
  const received = await peer.received.first(() => true);
  await answer(peer, received, { secret: STRANGE_SECRET });
  await answer(peer, received, { code: CODE.DisconnectAck });
  await answer(peer, received, { code: CODE.CoaNak });
  await answer(peer, received);
  expect(await outcome).toEqual({ result: 'nak' });
  await events.first((event) => event.kind === 'reply-ignored' && event.reason === 'nothing-pending');
  expect(ignored()).toEqual(['wrong-response-authenticator', 'code-mismatch', 'nothing-pending']);
});

test('ignores an answer without a Message-Authenticator where the NAS has to sign', async () => {
  const outcome = carryOut(nasClient({ requireMessageAuthenticator: true }));
  const received = await peer.received.first(() => true);
  await answer(peer, received, { messageAuthenticator: false, code: CODE.CoaNak });
  await answer(peer, received);
  expect(await outcome).toEqual({ result: 'ack' });
  expect(ignored()).toEqual(['missing-message-authenticator']);
});

test.each([
  ['ignores', false, { result: 'nak' }],
  ['takes', true, { result: 'ack' }],
])('%s a Message-Authenticator over a zero authenticator when told so', async (_, accepts, expected) => {
  const outcome = carryOut(nasClient({ zeroAuthenticatorReplies: accepts }));
  const received = await peer.received.first(() => true);
  await peer.send(zeroAuthenticatorReply(received), received.source);
  await answer(peer, received, { code: CODE.CoaNak });
  expect(await outcome).toEqual(expected);
});

test.each([
  ['sends a command at the last moment', 0, { result: 'ack' }, 1],
  ['does not start a command a millisecond later', 1, { unsent: 'expired' }, 0],
])('%s', async (_, lateMs, expected, packets) => {
  peer.received.onEach((received) => void answer(peer, received));
  nowMs += lateMs;
  expect(await carryOut(nasClient())).toEqual(expected);
  expect(peer.received.all.length).toBe(packets);
  expect(events.of('command-sent').length).toBe(packets);
});

test.each([
  ['are too many', Buffer.alloc(4096 - 20 - 18 - 6 + 1), /at most 4096 octets, this one has 4097/],
  ['run past their end', Buffer.of(44, 9, 1), /make no packet: attribute-past-end/],
])('does not send attributes that %s', async (_, attributes, detail) => {
  const message = timely({ attributes: attributes.toString('base64') });
  expect(await carryOut(nasClient(), message)).toEqual({
    unsent: 'no-packet',
    detail: expect.stringMatching(detail),
  });
  expect(events.all).toEqual([]);
});

test('has so many under way, lets so many wait, and refuses the rest', async () => {
  const nas = nasClient({}, { maxConcurrent: 1, maxWaiting: 2 });
  const first = carryOut(nas);
  const second = carryOut(nas, timely({ correlationId: 'second' }));
  const third = carryOut(nas, timely({ correlationId: 'third', startBeforeMs: NOW_MS - 1 }));
  expect(await carryOut(nas)).toEqual({ unsent: 'nas-overloaded' });
  expect(nas.inFlight).toBe(1);
  await answer(peer, await peer.received.first(() => true));
  expect(await first).toEqual({ result: 'ack' });
  peer.received.onEach((received) => void answer(peer, received, { code: CODE.CoaNak }));
  expect(await second).toEqual({ result: 'nak' });
  expect(await third).toEqual({ unsent: 'expired' });
  expect(nas.inFlight).toBe(0);
  expect(events.of('command-sent').map(({ correlationId }) => correlationId)).toEqual([
    'some-request',
    'second',
  ]);
});

test('stops when it is told to', async () => {
  const abandon = new AbortController();
  const nas = nasClient();
  const outcome = carryOut(nas, timely(), abandon.signal);
  await peer.received.atLeast(1);
  abandon.abort();
  expect(await outcome).toBeUndefined();
  expect(nas.inFlight).toBe(0);
});

test('asks anew with the previous secret when a NAS in rotation is silent, and remembers what it answers to', async () => {
  const nas = nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 0.2 });
  const answerTo = (secret: Secret) =>
    peer.received.onEach((received) => {
      if (isSignedWith(secret)(received)) void answer(peer, received, { secret });
    });
  answerTo(OLD_SECRET);
  expect(await carryOut(nas)).toEqual({ result: 'ack' });
  const current = peer.received.all.filter(isSignedWith(SECRET));
  const previous = peer.received.all.filter(isSignedWith(OLD_SECRET));
  expect(current.length).toBeGreaterThan(0);
  expect(previous.length).toBeGreaterThan(0);
  expect(previous[0]?.datagram[1]).not.toBe(current[0]?.datagram[1]);
  expect(events.of('command-sent').length).toBe(1);
  expect(events.of('nas-secret-changed')).toMatchObject([{ nas: 'bng-1', to: 'previous' }]);

  const asked = peer.received.all.length;
  expect(await carryOut(nas)).toEqual({ result: 'ack' });
  expect(peer.received.all.slice(asked).every(isSignedWith(OLD_SECRET))).toBe(true);

  answerTo(SECRET);
  expect(await carryOut(nas)).toEqual({ result: 'ack' });
  expect(events.of('nas-secret-changed').map(({ to }) => to)).toEqual(['previous', 'current']);
});

test('does not take a NAK to the second request for one to the first, which may have been carried out', async () => {
  const nas = nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 0.2 });
  peer.received.onEach((received) => {
    if (isSignedWith(OLD_SECRET)(received)) {
      void answer(peer, received, { secret: OLD_SECRET, code: CODE.CoaNak });
    }
  });
  expect(await carryOut(nas)).toEqual({ result: 'timeout' });
  expect(await carryOut(nas)).toEqual({ result: 'nak' });
  expect(events.of('command-answered').map(({ result }) => result)).toEqual(['nak', 'nak']);
});

test('stamps the request with the previous secret with the time of its own first sending', async () => {
  const outcome = carryOut(nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 0.2 }));
  await peer.received.first(isSignedWith(SECRET));
  nowMs += 60_000;
  const received = await peer.received.first(isSignedWith(OLD_SECRET));
  const stamp = firstValue(decodeAttributes(packetOf(received.datagram)), 'Event-Timestamp');
  expect(stamp).toBe(1_700_000_060);
  await answer(peer, received, { secret: OLD_SECRET });
  expect(await outcome).toEqual({ result: 'ack' });
});

test('takes no answer signed with the other secret of a rotation', async () => {
  const outcome = carryOut(nasClient({ secrets: [SECRET, OLD_SECRET] }));
  const received = await peer.received.first(() => true);
  await answer(peer, received, { secret: OLD_SECRET });
  await answer(peer, received, { code: CODE.CoaNak });
  expect(await outcome).toEqual({ result: 'nak' });
  expect(ignored()).toEqual(['wrong-response-authenticator']);
});

test('takes no longer for a NAS that is silent to both secrets', async () => {
  const nas = nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 0.1 });
  expect(await carryOut(nas)).toEqual({ result: 'timeout' });
  expect(events.of('command-unanswered').length).toBe(1);
});

/** A CoA-ACK as FreeRADIUS 3.2 passes it on: the Message-Authenticator is not over the request's authenticator. */
function zeroAuthenticatorReply({ datagram }: Received): Uint8Array {
  const request = packetOf(datagram);
  const asked = { ...request, authenticator: new Uint8Array(16) };
  const reply = signReply(asked, { code: CODE.CoaAck, attributes: new Uint8Array() }, SECRET);
  reply.set(SECRET.md5(reply.subarray(0, 4), request.authenticator, reply.subarray(20)), 4);
  return reply;
}
