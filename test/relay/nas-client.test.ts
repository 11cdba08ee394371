import { beforeEach, expect, test } from 'vitest';
import type { CommandMessage } from '../../core/messages.ts';
import { type Secret, signReply, verifyRequest } from '../../core/radius/authenticator.ts';
import { decodeAttributes, firstValue } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { type Nas, NasClient } from '../../relay/nas-client.ts';
import type { Outcome, Unsent } from '../../relay/outcome.ts';
import { RadiusClient } from '../../relay/radius/client.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryNetwork } from './memory-network.ts';
import {
  answer,
  command,
  EventRecorder,
  LOCALHOST,
  localNas,
  memoryPeer,
  OLD_SECRET,
  type Peer,
  packetOf,
  type Received,
  type ReplyParts,
  SECRET,
  STRANGE_SECRET,
} from './support.ts';

const NOW_MS = 1_700_000_000_999;
const never = new AbortController().signal;

let clock: ManualClock;
let peer: Peer;
let events: EventRecorder;
let client: RadiusClient;

beforeEach(() => {
  clock = new ManualClock(NOW_MS);
  const network = new MemoryNetwork(clock);
  peer = memoryPeer(network, { address: LOCALHOST, port: 3799 });
  events = new EventRecorder();
  client = new RadiusClient({
    transport: network.host(LOCALHOST),
    clock,
    random: () => 0.5,
    onIgnored: (_, reason) => events.add({ kind: 'reply-ignored', server: 'bng-1', reason }),
  });
});

/** A NAS that is asked for a minute: at 0, 2, 6, 14, 30 and 46 s, but at most five times. */
function nasClient(changes: Partial<Nas> = {}, limits = { maxConcurrent: 256, maxWaiting: 256 }): NasClient {
  return new NasClient(localNas(peer.endpoint, changes), { client, clock, report: events.add, limits });
}

const timely = (changes: Partial<CommandMessage> = {}) => command({ startBeforeMs: NOW_MS, ...changes });

/** A command that is under way; its outcome is `pending` until there is one. */
async function carryOut(nas: NasClient, message = timely(), abandon = never, isHeld = () => true) {
  const command: { outcome: Outcome | Unsent | undefined | 'pending' } = { outcome: 'pending' };
  void nas
    .carryOut(message, { isLate: () => clock.now() > message.startBeforeMs, isHeld, abandon })
    .then((outcome) => {
      command.outcome = outcome;
    });
  await clock.advance(0);
  return command;
}

/** The first request that the NAS has. */
function firstReceived(): Received {
  const [received] = peer.received.all;
  if (received === undefined) throw new Error('nothing came');
  return received;
}

async function reply(received: Received, parts?: ReplyParts): Promise<void> {
  await answer(peer, received, parts);
  await clock.advance(0);
}

const isSignedWith = (secret: Secret) => (received: Received) =>
  verifyRequest(packetOf(received.datagram), secret).ok;
const ignored = () => events.of('reply-ignored').map(({ reason }) => reason);

test('asks with a Message-Authenticator first, then the Event-Timestamp, then what the command says', async () => {
  const command = await carryOut(nasClient());
  const request = packetOf(firstReceived().datagram);
  expect(request.code).toBe(CODE.CoaRequest);
  expect(verifyRequest(request, SECRET, { requireMessageAuthenticator: true })).toEqual({ ok: true });
  expect(decodeAttributes(request)).toEqual([
    { name: 'Message-Authenticator', value: expect.anything() },
    { name: 'Event-Timestamp', value: 1_700_000_000 },
    { name: 'Acct-Session-Id', value: '0001048580' },
    { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
  ]);
  await reply(firstReceived());
  expect(command.outcome).toEqual({ result: 'ack' });
});

test('leaves the Message-Authenticator out where the NAS does not bear one', async () => {
  const command = await carryOut(nasClient({ messageAuthenticator: false }));
  expect(packetOf(firstReceived().datagram).attributes[0]?.type).toBe(55);
  await reply(firstReceived());
  expect(command.outcome).toEqual({ result: 'ack' });
});

test('repeats byte for byte from the same port while the clock goes on, and tells of the first sending', async () => {
  const command = await carryOut(nasClient());
  await clock.advance(29_999);
  expect(peer.received.all.length).toBe(4);
  for (const repeat of peer.received.all) expect(repeat).toEqual(firstReceived());
  await reply(firstReceived(), { code: CODE.CoaNak, attributes: [{ name: 'Error-Cause', value: 503 }] });
  expect(command.outcome).toEqual({ result: 'nak', errorCause: 503 });
  const about = { correlationId: 'some-request', commandId: 'some-request of 0001048580/1', nas: 'bng-1' };
  const what = { acctSessionId: '0001048580', operation: 'activate', services: ['gold'] };
  expect(events.all).toEqual([
    { kind: 'command-sent', ...about, ...what },
    {
      kind: 'command-answered',
      ...about,
      operation: 'activate',
      result: 'nak',
      errorCause: 503,
      latencyMs: 29_999,
    },
  ]);
});

test('gives up after the answer timeout of the NAS, and ignores an answer that comes later', async () => {
  const command = await carryOut(nasClient({ answerTimeoutSeconds: 30 }));
  await clock.advance(29_999);
  expect(command.outcome).toBe('pending');
  await clock.advance(1);
  expect(command.outcome).toEqual({ result: 'timeout' });
  expect(events.all.at(-1)).toMatchObject({ kind: 'command-unanswered', nas: 'bng-1', result: 'timeout' });
  await reply(firstReceived());
  expect(ignored()).toEqual(['nothing-pending']);
});

test('learns at once that nobody listens at the NAS', async () => {
  const command = await carryOut(nasClient({ port: 3800, answerTimeoutSeconds: 3600 }));
  expect(command.outcome).toEqual({ result: 'unreachable' });
  expect(events.all.at(-1)).toMatchObject({ kind: 'command-unanswered', result: 'unreachable' });
});

test('ignores forged answers, and takes the first that is genuine', async () => {
  const command = await carryOut(nasClient());
  await reply(firstReceived(), { secret: STRANGE_SECRET });
  await reply(firstReceived(), { code: CODE.DisconnectAck });
  await reply(firstReceived(), { code: CODE.CoaNak });
  await reply(firstReceived());
  expect(command.outcome).toEqual({ result: 'nak' });
  expect(ignored()).toEqual(['wrong-response-authenticator', 'code-mismatch', 'nothing-pending']);
});

test('ignores an answer without a Message-Authenticator where the NAS has to sign', async () => {
  const command = await carryOut(nasClient({ requireMessageAuthenticator: true }));
  await reply(firstReceived(), { messageAuthenticator: false, code: CODE.CoaNak });
  await reply(firstReceived());
  expect(command.outcome).toEqual({ result: 'ack' });
  expect(ignored()).toEqual(['missing-message-authenticator']);
});

test.each([
  ['ignores', false, { result: 'nak' }],
  ['takes', true, { result: 'ack' }],
])('%s a Message-Authenticator over a zero authenticator when told so', async (_, accepts, expected) => {
  const command = await carryOut(nasClient({ zeroAuthenticatorReplies: accepts }));
  await peer.send(zeroAuthenticatorReply(firstReceived()), firstReceived().source);
  await reply(firstReceived(), { code: CODE.CoaNak });
  expect(command.outcome).toEqual(expected);
});

test.each([
  ['sends a command at the last moment', 0, { result: 'ack' }, 1],
  ['does not start a command a millisecond later', 1, { unsent: 'expired' }, 0],
])('%s', async (_, lateMs, expected, packets) => {
  peer.received.onEach((received) => void answer(peer, received));
  await clock.advance(lateMs);
  expect((await carryOut(nasClient())).outcome).toEqual(expected);
  expect(peer.received.all.length).toBe(packets);
  expect(events.of('command-sent').length).toBe(packets);
});

test.each([
  ['are too many', Buffer.alloc(4096 - 20 - 18 - 6 + 1), /at most 4096 octets, this one has 4097/],
  ['run past their end', Buffer.of(44, 9, 1), /make no packet: attribute-past-end/],
])('does not send attributes that %s', async (_, attributes, detail) => {
  const message = timely({ attributes: attributes.toString('base64') });
  expect((await carryOut(nasClient(), message)).outcome).toEqual({
    unsent: 'no-packet',
    detail: expect.stringMatching(detail),
  });
  expect(events.all).toEqual([]);
});

test('has so many under way, lets so many wait, and refuses the rest', async () => {
  const nas = nasClient({}, { maxConcurrent: 1, maxWaiting: 2 });
  const first = await carryOut(nas);
  const second = await carryOut(nas, timely({ correlationId: 'second' }));
  const third = await carryOut(nas, timely({ correlationId: 'third', startBeforeMs: NOW_MS - 1 }));
  expect((await carryOut(nas)).outcome).toEqual({ unsent: 'nas-overloaded' });
  expect(nas.inFlight).toBe(1);
  peer.received.onEach((received) => void answer(peer, received, { code: CODE.CoaNak }));
  await reply(firstReceived());
  expect(first.outcome).toEqual({ result: 'ack' });
  expect(second.outcome).toEqual({ result: 'nak' });
  expect(third.outcome).toEqual({ unsent: 'expired' });
  expect(nas.inFlight).toBe(0);
  expect(events.of('command-sent').map(({ correlationId }) => correlationId)).toEqual([
    'some-request',
    'second',
  ]);
});

test('stops when it is told to', async () => {
  const abandon = new AbortController();
  const nas = nasClient();
  const command = await carryOut(nas, timely(), abandon.signal);
  expect(peer.received.all.length).toBe(1);
  abandon.abort();
  await clock.advance(0);
  expect(command.outcome).toBeUndefined();
  expect(nas.inFlight).toBe(0);
});

test('asks anew with the previous secret when a NAS in rotation is silent, and remembers what it answers to', async () => {
  const nas = nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 30 });
  const answerTo = (secret: Secret) =>
    peer.received.onEach((received) => {
      if (isSignedWith(secret)(received)) void answer(peer, received, { secret });
    });
  answerTo(OLD_SECRET);
  const first = await carryOut(nas);
  await clock.advance(14_999);
  expect(first.outcome).toBe('pending');
  await clock.advance(1);
  expect(first.outcome).toEqual({ result: 'ack' });
  const current = peer.received.all.filter(isSignedWith(SECRET));
  const previous = peer.received.all.filter(isSignedWith(OLD_SECRET));
  expect([current.length, previous.length]).toEqual([4, 1]);
  expect(previous[0]?.datagram[1]).not.toBe(current[0]?.datagram[1]);
  expect(events.of('command-sent').length).toBe(1);
  expect(events.of('nas-secret-changed')).toMatchObject([{ nas: 'bng-1', to: 'previous' }]);

  const asked = peer.received.all.length;
  const second = await carryOut(nas, timely({ startBeforeMs: clock.now() }));
  expect(second.outcome).toEqual({ result: 'ack' });
  expect(peer.received.all.slice(asked).every(isSignedWith(OLD_SECRET))).toBe(true);

  answerTo(SECRET);
  const third = await carryOut(nas, timely({ startBeforeMs: clock.now() }));
  await clock.advance(15_000);
  expect(third.outcome).toEqual({ result: 'ack' });
  expect(events.of('nas-secret-changed').map(({ to }) => to)).toEqual(['previous', 'current']);
});

test('does not take a NAK to the second request for one to the first, which may have been carried out', async () => {
  const nas = nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 30 });
  peer.received.onEach((received) => {
    if (isSignedWith(OLD_SECRET)(received)) {
      void answer(peer, received, { secret: OLD_SECRET, code: CODE.CoaNak });
    }
  });
  const first = await carryOut(nas);
  await clock.advance(15_000);
  expect(first.outcome).toEqual({ result: 'timeout' });
  const second = await carryOut(nas, timely({ startBeforeMs: clock.now() }));
  expect(second.outcome).toEqual({ result: 'nak' });
  expect(events.of('command-answered').map(({ result }) => result)).toEqual(['nak', 'nak']);
});

test('stamps the request with the previous secret with the time of its own first sending', async () => {
  const command = await carryOut(nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 120 }));
  await clock.advance(60_000);
  const received = peer.received.all.find(isSignedWith(OLD_SECRET)) ?? firstReceived();
  const stamp = firstValue(decodeAttributes(packetOf(received.datagram)), 'Event-Timestamp');
  expect(stamp).toBe(1_700_000_046);
  await reply(received, { secret: OLD_SECRET });
  expect(command.outcome).toEqual({ result: 'ack' });
});

test('takes no answer signed with the other secret of a rotation', async () => {
  const command = await carryOut(nasClient({ secrets: [SECRET, OLD_SECRET] }));
  await reply(firstReceived(), { secret: OLD_SECRET });
  await reply(firstReceived(), { code: CODE.CoaNak });
  expect(command.outcome).toEqual({ result: 'nak' });
  expect(ignored()).toEqual(['wrong-response-authenticator']);
});

test('takes no longer for a NAS that is silent to both secrets', async () => {
  const command = await carryOut(nasClient({ secrets: [SECRET, OLD_SECRET], answerTimeoutSeconds: 30 }));
  await clock.advance(29_999);
  expect(command.outcome).toBe('pending');
  await clock.advance(1);
  expect(command.outcome).toEqual({ result: 'timeout' });
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
