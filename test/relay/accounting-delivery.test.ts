import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { formatEndpoint } from '../../core/endpoint.ts';
import { signReply, verifyRequest } from '../../core/radius/authenticator.ts';
import { decodeAttributes, encodeAttributes, firstValue } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { type Relay, startRelay } from '../../relay/relay.ts';
import {
  type Cloud,
  closedPort,
  EventRecorder,
  LOCALHOST,
  localSite,
  packetOf,
  type Received,
  SECRET,
  STRANGE_SECRET,
  scriptedSqs,
  startCloud,
  surroundings,
  type UdpPeer,
  udpPeer,
} from './support.ts';

/** Impatient, so that no test has to wait long for what is to happen. */
const TIMINGS = { irtMs: 20, mrtMs: 40, attemptMs: 100, roundPauseMs: 10 };

let cloud: Cloud;
let server: UdpPeer;
let other: UdpPeer;
let events: EventRecorder;
let relays: Relay[];

beforeEach(async () => {
  cloud = await startCloud();
  server = await udpPeer();
  other = await udpPeer();
  events = new EventRecorder();
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.drain()));
  await Promise.all([server.close(), other.close()]);
  await cloud.stop();
});

async function start(
  ports: readonly number[],
  { drainMs = 0, visibilitySeconds = 60, giveWayMs = 600_000, sqs = cloud.sqs } = {},
): Promise<Relay> {
  const relay = await startRelay({
    site: localSite({
      accounting: ports.map((port) => ({
        name: formatEndpoint({ address: LOCALHOST, port }),
        address: LOCALHOST,
        port,
        secret: SECRET,
        messageAuthenticator: false,
        requireMessageAuthenticator: false,
        zeroAuthenticatorReplies: true,
      })),
    }),
    ...surroundings(cloud, events),
    sqs,
    timings: {
      drainMs,
      accounting: { ...TIMINGS, giveWayMs },
      accountingVisibilitySeconds: visibilitySeconds,
    },
  });
  relays.push(relay);
  return relay;
}

const record = (acctSessionId: string, changes: object = {}) => ({
  kind: 'accounting',
  correlationId: `of ${acctSessionId}`,
  status: 'Start',
  acctSessionId,
  serviceSession: 'gold',
  eventAtMs: 1_700_000_000_000,
  attributes: Buffer.from(encodeAttributes([{ name: 'Acct-Session-Id', value: acctSessionId }])).toString(
    'base64',
  ),
  ...changes,
});

const sessionOf = ({ datagram }: Received) =>
  firstValue(decodeAttributes(packetOf(datagram)), 'Acct-Session-Id');
const respond = (peer: UdpPeer, { datagram, source }: Received, secret = SECRET) =>
  peer.send(
    signReply(packetOf(datagram), { code: CODE.AccountingResponse, attributes: new Uint8Array() }, secret),
    source,
  );
/** Answers every record from now on. */
const answerAll = (peer: UdpPeer) => peer.received.onEach((received) => void respond(peer, received));
const messages = () => {
  const queue = cloud.server.inspectQueue('accounting.fifo')?.messages;
  return { ready: queue?.ready ?? [], held: queue?.inflight ?? [] };
};
const answered = (correlationId: string) =>
  events.first((event) => event.kind === 'accounting-answered' && event.correlationId === correlationId);

test('keeps a record in the queue until its Accounting-Response has come', async () => {
  await start([server.endpoint.port]);
  await cloud.send('accounting', record('one'), 'one');
  const [first, ...repeats] = await server.received.atLeast(3);
  if (first === undefined) throw new Error('nothing came');
  const request = packetOf(first.datagram);
  expect(request.code).toBe(CODE.AccountingRequest);
  expect(verifyRequest(request, SECRET)).toEqual({ ok: true });
  expect(sessionOf(first)).toBe('one');
  for (const repeat of repeats) expect(repeat).toEqual(first);
  expect(messages().held.length).toBe(1);
  await respond(server, first);
  expect(await answered('of one')).toMatchObject({
    status: 'Start',
    acctSessionId: 'one',
    serviceSession: 'gold',
  });
  await vi.waitFor(() => expect(messages()).toEqual({ ready: [], held: [] }));
});

test('deletes a record that is made again from the same write, however late, and sends it once', async () => {
  await start([server.endpoint.port]);
  answerAll(server);
  await cloud.send('accounting', record('one', { id: 'start of one' }), 'one');
  await answered('of one');
  await cloud.send('accounting', record('one', { id: 'start of one', correlationId: 'again' }), 'one');
  expect(await events.first(({ kind }) => kind === 'message-repeated')).toMatchObject({
    queue: 'accounting',
    correlationId: 'again',
  });
  await vi.waitFor(() => expect(messages()).toEqual({ ready: [], held: [] }));
  expect(events.of('accounting-answered')).toHaveLength(1);
});

test('sends every record that has no id, as earlier releases of account made them', async () => {
  await start([server.endpoint.port]);
  answerAll(server);
  await cloud.send('accounting', record('one'), 'one');
  await cloud.send('accounting', record('one', { correlationId: 'again' }), 'one');
  await answered('of one');
  await answered('again');
  expect(events.of('message-repeated')).toEqual([]);
});

test('ignores a forged response, and keeps the record', async () => {
  await start([server.endpoint.port]);
  await cloud.send('accounting', record('one'), 'one');
  const first = await server.received.first(() => true);
  await respond(server, first, STRANGE_SECRET);
  expect(await events.first(({ kind }) => kind === 'reply-ignored')).toMatchObject({
    server: formatEndpoint(server.endpoint),
    reason: 'wrong-response-authenticator',
  });
  await server.received.next();
  expect(messages().held.length).toBe(1);
  await respond(server, first);
  await answered('of one');
});

/** A queue with batches of records, named `GROUP:NUMBER`: SQS gives several messages of one group together, fauxqs
 * never does. */
async function queueOf(nextBatch: () => Promise<readonly string[] | undefined>) {
  const deleted: string[] = [];
  const scripted = await scriptedSqs(async ({ action, queueUrl, entries }) => {
    if (queueUrl !== cloud.queues.accounting) return undefined;
    if (action === 'DeleteMessageBatch') deleted.push(...entries.map(({ ReceiptHandle }) => ReceiptHandle));
    if (action !== 'ReceiveMessage') return { Successful: entries, Failed: [] };
    const batch = await nextBatch();
    return (
      batch && {
        Messages: batch.map((session) => ({
          MessageId: session,
          Body: JSON.stringify(record(session)),
          ReceiptHandle: session,
          Attributes: { MessageGroupId: session.split(':')[0] },
        })),
      }
    );
  });
  return { ...scripted, deleted };
}

test('delivers the records of one session in order while others pass', async () => {
  const batches = [['a:1', 'a:2', 'b:1']];
  const { deleted, ...scripted } = await queueOf(async () => batches.shift());
  const relay = await start([server.endpoint.port], { sqs: scripted.sqs });
  await respond(server, await server.received.first((received) => sessionOf(received) === 'b:1'));
  await answered('of b:1');
  const first = await server.received.next((received) => sessionOf(received) === 'a:1');
  expect(server.received.all.map(sessionOf)).not.toContain('a:2');
  await respond(server, first);
  const second = await server.received.first((received) => sessionOf(received) === 'a:2');
  expect(deleted).toEqual(['b:1', 'a:1']);
  await respond(server, second);
  await answered('of a:2');
  await relay.drain();
  expect(deleted).toEqual(['b:1', 'a:1', 'a:2']);
  await scripted.stop();
});

test('turns to the next server when one is silent, and stays there', async () => {
  await start([server.endpoint.port, other.endpoint.port]);
  answerAll(other);
  await cloud.send('accounting', record('one'), 'one');
  await answered('of one');
  expect(events.of('accounting-unanswered')).toMatchObject([{ correlationId: 'of one', result: 'timeout' }]);
  expect(events.of('accounting-server-changed')).toEqual([
    {
      kind: 'accounting-server-changed',
      from: formatEndpoint(server.endpoint),
      to: formatEndpoint(other.endpoint),
    },
  ]);
  await cloud.send('accounting', record('two'), 'two');
  await answered('of two');
  expect(server.received.all.map(sessionOf)).not.toContain('two');
});

test('turns to the next server at once when nobody listens at one', async () => {
  await start([await closedPort(), other.endpoint.port]);
  answerAll(other);
  await cloud.send('accounting', record('one'), 'one');
  await answered('of one');
  expect(events.of('accounting-unanswered')).toMatchObject([{ result: 'unreachable' }]);
});

test('comes back to the first server, round after round', async () => {
  await start([server.endpoint.port, other.endpoint.port]);
  await cloud.send('accounting', record('one'), 'one');
  await events.first(
    (event) => event.kind === 'accounting-server-changed' && event.to.endsWith(`:${server.endpoint.port}`),
  );
  answerAll(server);
  expect(await answered('of one')).toMatchObject({ server: formatEndpoint(server.endpoint) });
});

test('holds no more records than it can keep, and gets all of them delivered in the end', async () => {
  await start([server.endpoint.port]);
  const sessions = Array.from({ length: 80 }, (_, index) => `session-${index}`);
  for (const session of sessions) await cloud.send('accounting', record(session), session);
  await vi.waitFor(() => expect(messages().held.length).toBeGreaterThan(54));
  expect(messages().held.length).toBeLessThanOrEqual(64);
  answerAll(server);
  await Promise.all(sessions.map((session) => answered(`of ${session}`)));
  await vi.waitFor(() => expect(messages()).toEqual({ ready: [], held: [] }));
});

test('leaves a record to the queue that stays unanswered while others are answered, and makes room', async () => {
  await start([server.endpoint.port], { giveWayMs: 50, visibilitySeconds: 1 });
  server.received.onEach((received) => void (sessionOf(received) !== 'bad' && respond(server, received)));
  await cloud.send('accounting', record('bad'), 'bad');
  const left = events.first(({ kind }) => kind === 'message-left');
  for (let good = 1; events.of('message-left').length === 0; good++) {
    await events.next(({ kind }) => kind === 'accounting-unanswered' || kind === 'message-left');
    await cloud.send('accounting', record(`good ${good}`), `good ${good}`);
    await answered(`of good ${good}`);
  }
  expect(await left).toMatchObject({
    queue: 'accounting',
    reason: 'unanswered',
    correlationId: 'of bad',
    detail: 'no server answers Start bad, and others are answered',
  });
  // It is there still, and comes again when the queue no longer hides it.
  answerAll(server);
  await answered('of bad');
});

test('leaves what comes after it in the same session as well, and sends none of that', async () => {
  let goods = 0;
  const batches = [['bad:1', 'bad:2']];
  const { deleted, ...scripted } = await queueOf(async () => {
    const bad = batches.shift();
    if (bad !== undefined) return bad;
    await events.next(({ kind }) => kind === 'accounting-unanswered');
    return [`good:${++goods}`];
  });
  const relay = await start([server.endpoint.port], { giveWayMs: 50, sqs: scripted.sqs });
  server.received.onEach(
    (received) => void (sessionOf(received)?.startsWith('good') && respond(server, received)),
  );
  expect(await events.first(({ kind }) => kind === 'message-left')).toMatchObject({ messageId: 'bad:1' });
  await relay.drain();
  expect(server.received.all.map(sessionOf)).not.toContain('bad:2');
  expect(deleted.filter((session) => session.startsWith('bad'))).toEqual([]);
  await scripted.stop();
});

test('leaves nothing to the queue when the server ends in the middle of its work', async () => {
  await start([server.endpoint.port], { giveWayMs: 50 });
  await cloud.send('accounting', record('one'), 'one');
  await server.received.first((received) => sessionOf(received) === 'one');
  await cloud.send('accounting', record('two'), 'two');
  await respond(server, await server.received.first((received) => sessionOf(received) === 'two'));
  await answered('of two');
  for (let times = 0; times < 3; times++) await events.next(({ kind }) => kind === 'accounting-unanswered');
  answerAll(server);
  await answered('of one');
  expect(events.of('message-left')).toEqual([]);
});

test('leaves nothing to the queue while the server answers nobody', async () => {
  await start([server.endpoint.port], { giveWayMs: 50 });
  await cloud.send('accounting', record('one'), 'one');
  for (let times = 0; times < 3; times++) await events.next(({ kind }) => kind === 'accounting-unanswered');
  answerAll(server);
  await answered('of one');
  expect(events.of('message-left')).toEqual([]);
});

test('goes on hiding what it holds, so that nobody else receives it', async () => {
  await start([server.endpoint.port], { visibilitySeconds: 1 });
  await cloud.send('accounting', record('one'), 'one');
  // Reported every half second from the first half second on: by the third the first second is over.
  for (let reports = 0; reports < 3; reports++) {
    await events.next(({ kind }) => kind === 'accounting-waiting');
  }
  expect(events.of('accounting-waiting').at(-1)).toMatchObject({ records: 1 });
  expect(messages().held.map(({ message }) => message.approximateReceiveCount)).toEqual([1]);
});

test('gives back what it holds when it stops, for the next relay to find at once', async () => {
  const sessions = Array.from({ length: 60 }, (_, index) => `session-${index}`);
  for (const session of sessions) await cloud.send('accounting', record(session), session);
  const before = await start([server.endpoint.port]);
  await vi.waitFor(() => expect(new Set(server.received.all.map(sessionOf)).size).toBe(60));
  await before.drain();
  expect(messages()).toMatchObject({ ready: { length: 60 }, held: [] });
  await start([other.endpoint.port]);
  answerAll(other);
  await Promise.all(sessions.map((session) => answered(`of ${session}`)));
});

test('finishes what it holds before it stops, if the server answers in time', async () => {
  const relay = await start([server.endpoint.port], { drainMs: 10_000 });
  await cloud.send('accounting', record('one'), 'one');
  await server.received.atLeast(1);
  const drained = relay.drain();
  answerAll(server);
  await drained;
  expect(messages()).toEqual({ ready: [], held: [] });
});

test.each([
  ['attributes that make no packet', 'LAkB', 'attribute-past-end'],
  [
    'more attributes than a packet holds',
    Buffer.concat(Array.from({ length: 1100 }, () => Uint8Array.of(25, 4, 1, 2))).toString('base64'),
    'a RADIUS packet has at most 4096 octets',
  ],
])('does not let a record that has %s hold up the others of its session', async (_, attributes, error) => {
  await start([server.endpoint.port]);
  answerAll(server);
  await cloud.send('accounting', record('bad', { attributes }), 'one session');
  await cloud.send('accounting', record('good'), 'one session');
  await answered('of good');
  // What is logged is all that is left of it.
  expect(events.of('accounting-not-sent')).toMatchObject([
    { attributes, error: expect.stringContaining(error) },
  ]);
  await vi.waitFor(() => expect(messages()).toEqual({ ready: [], held: [] }));
});

test('leaves a message that is no record for the dead-letter queue, and goes on', async () => {
  await start([server.endpoint.port]);
  answerAll(server);
  await cloud.send('accounting', { kind: 'greeting' }, 'bad');
  expect(await events.first(({ kind }) => kind === 'message-left')).toMatchObject({
    queue: 'accounting',
    reason: 'malformed',
    detail: expect.stringContaining('kind:'),
  });
  await cloud.send('accounting', record('good'), 'good');
  await answered('of good');
  await vi.waitFor(() => expect(messages().held.length).toBe(1));
});

test('leaves the queue alone and says so where there is no accounting server', async () => {
  await cloud.send('accounting', record('one'), 'one');
  const relay = await start([]);
  expect(events.of('accounting-not-configured').length).toBe(1);
  await vi.waitFor(async () => {
    const { address, port } = relay.httpAddress;
    expect((await fetch(`http://${address}:${port}/healthz`)).status).toBe(200);
  });
  expect(messages().ready.length).toBe(1);
});
