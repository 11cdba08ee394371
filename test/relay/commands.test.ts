import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChangeMessageVisibilityCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type CommandMessage, messageGroup } from '../../core/messages.ts';
import { decodeAttributes, firstValue } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import { Commands } from '../../relay/commands.ts';
import { HandledMessages } from '../../relay/handled-messages.ts';
import { Inbox } from '../../relay/queues/inbox.ts';
import { Queue } from '../../relay/queues/queue.ts';
import { type Relay, type RelayOptions, startRelay } from '../../relay/relay.ts';
import {
  answer,
  type Cloud,
  closedPort,
  command,
  EventRecorder,
  LOCALHOST,
  localNas,
  localSite,
  packetOf,
  type Received,
  type ReplyParts,
  STRANGE_SECRET,
  scriptedSqs,
  signedRequest,
  startCloud,
  surroundings,
  type UdpPeer,
  udpPeer,
} from './support.ts';

/** Impatient, so that no test has to wait long for what is to happen. */
const TIMINGS = { irtMs: 20, mrtMs: 1_000, mrc: 0 };

let cloud: Cloud;
let nas: UdpPeer;
let other: UdpPeer;
let events: EventRecorder;
let relays: Relay[];

beforeEach(async () => {
  cloud = await startCloud();
  nas = await udpPeer();
  other = await udpPeer();
  events = new EventRecorder();
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.drain()));
  await Promise.all([nas.close(), other.close()]);
  await cloud.stop();
});

async function start({ timings, ...changes }: Partial<RelayOptions> = {}): Promise<Relay> {
  const nases = [localNas(nas.endpoint), localNas(other.endpoint, { name: 'bng-2' })];
  const relay = await startRelay({
    site: localSite({ nases }),
    ...surroundings(cloud, events),
    timings: { drainMs: 0, commands: TIMINGS, ...timings },
    ...changes,
  });
  relays.push(relay);
  return relay;
}

const groupOf = ({ session }: CommandMessage) => messageGroup(Buffer.from(session.acctSessionId));
const send = (message: CommandMessage) => cloud.send('outbox', message, groupOf(message));
/** A command for a session of its own. */
const commandOf = (acctSessionId: string, changes: Partial<CommandMessage> & { nas?: string } = {}) =>
  command({ session: { nas: changes.nas ?? 'bng-1', acctSessionId }, ...changes });
const sessionOf = ({ datagram }: Received) =>
  firstValue(decodeAttributes(packetOf(datagram)), 'Acct-Session-Id');
const answerAll = (peer: UdpPeer, parts?: ReplyParts) =>
  peer.received.onEach((received) => void answer(peer, received, parts));
const outcome = async () => (await cloud.takeFromInbox()).body;
const outbox = () => {
  const messages = cloud.server.inspectQueue('outbox.fifo')?.messages;
  return { ready: messages?.ready ?? [], held: messages?.inflight ?? [] };
};
/** Makes every message of the outbox visible, as time does with those of a relay that is gone. */
const reveal = async () => {
  for (const { receiptHandle: ReceiptHandle } of outbox().held) {
    const change = { QueueUrl: cloud.queues.outbox, ReceiptHandle, VisibilityTimeout: 0 };
    await cloud.sqs.send(new ChangeMessageVisibilityCommand(change));
  }
};
/** Patient, because a busy machine takes its time. */
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000 });
const isEmpty = () => expect(outbox()).toEqual({ ready: [], held: [] });
const eventOf = (kind: string) => events.first((event) => event.kind === kind);
const page = async ({ httpAddress }: Relay, path: string) => {
  const response = await fetch(`http://${httpAddress.address}:${httpAddress.port}${path}`);
  return { status: response.status, text: await response.text() };
};

test('reports a CoA-ACK in the group of the session, and then deletes the command', async () => {
  const relay = await start({ clock: { ...systemClock, now: () => 1_700_000_000_000 } });
  await send(command());
  const received = await nas.received.first(() => true);
  expect(outbox().held.length).toBe(1);
  await answer(nas, received);
  const { message, body } = await cloud.takeFromInbox();
  expect(body).toEqual({
    version: 1,
    kind: 'outcome',
    correlationId: 'some-request',
    commandId: 'some-request of 0001048580/1',
    session: { nas: 'bng-1', acctSessionId: '0001048580' },
    result: 'ack',
    atMs: 1_700_000_000_000,
  });
  expect(message.Attributes).toMatchObject({ MessageGroupId: messageGroup(Buffer.from('0001048580')) });
  await eventually(isEmpty);
  const { text } = await page(relay, '/metrics');
  expect(text).toContain('interlock_relay_commands_total{nas="bng-1",result="ack"} 1\n');
  expect(text).toContain('interlock_relay_command_latency_seconds_count 1\n');
});

test('reports a CoA-NAK with its Error-Cause', async () => {
  await start();
  answerAll(nas, { code: CODE.CoaNak, attributes: [{ name: 'Error-Cause', value: 503 }] });
  await send(command());
  expect(await outcome()).toMatchObject({ result: 'nak', errorCause: 503 });
});

test('finds a NAS by the names that it had before, and counts it under the one that it has', async () => {
  const nases = [
    localNas(nas.endpoint, { formerly: ['olt', 'bng-0'] }),
    localNas(other.endpoint, { name: 'bng-2' }),
  ];
  const relay = await start({ site: localSite({ nases }) });
  answerAll(nas);
  for (const name of ['bng-0', 'bng-1', 'olt']) {
    await send(commandOf(`of ${name}`, { nas: name, commandId: name }));
    // The session keeps its key.
    expect(await outcome()).toMatchObject({ session: { nas: name }, result: 'ack' });
  }
  const { text } = await page(relay, '/metrics');
  expect(text).toContain('interlock_relay_commands_total{nas="bng-1",result="ack"} 3\n');
  expect(text.match(/^interlock_relay_commands_in_flight\{.*$/gm)).toEqual([
    'interlock_relay_commands_in_flight{nas="bng-1"} 0',
    'interlock_relay_commands_in_flight{nas="bng-2"} 0',
  ]);
});

test.each([
  ['is silent', async () => nas.endpoint, 'timeout'],
  ['is not there', async () => ({ address: LOCALHOST, port: await closedPort() }), 'unreachable'],
] as const)('reports that a NAS %s, and is well itself', async (_, endpoint, result) => {
  const nases = [localNas(await endpoint(), { answerTimeoutSeconds: 0.1 })];
  const relay = await start({ site: localSite({ nases }) });
  await send(command());
  expect(await outcome()).toMatchObject({ result });
  expect((await page(relay, '/healthz')).status).toBe(200);
  const { text } = await page(relay, '/metrics');
  expect(text).toContain(`interlock_relay_commands_total{nas="bng-1",result="${result}"} 1\n`);
});

test.each<[string, Partial<CommandMessage>, string, object]>([
  ['that comes too late', { startBeforeMs: 0 }, 'expired', { result: 'expired' }],
  [
    'for a NAS that the site does not have',
    { session: { nas: 'bng-9', acctSessionId: '0001048580' } },
    'unknown-nas',
    { result: 'nak', errorCause: 502, text: 'unknown-nas', isUnsent: true },
  ],
  [
    'of more than 4096 octets',
    { attributes: Buffer.alloc(4096).toString('base64') },
    'no-packet',
    { result: 'nak', errorCause: 506, text: 'no-packet', isUnsent: true },
  ],
])('does not send a command %s, and reports that', async (_, changes, reason, expected) => {
  const relay = await start();
  await send(command(changes));
  expect(await outcome()).toMatchObject(expected);
  expect(await eventOf('command-not-sent')).toMatchObject({ reason });
  await eventually(isEmpty);
  expect(nas.received.all).toEqual([]);
  expect((await page(relay, '/metrics')).text).toContain(
    `interlock_relay_commands_not_sent_total{reason="${reason}"} 1\n`,
  );
});

test('counts forged answers, and goes on waiting', async () => {
  const relay = await start();
  await send(command());
  const received = await nas.received.first(() => true);
  await answer(nas, received, { secret: STRANGE_SECRET });
  await eventOf('reply-ignored');
  expect((await page(relay, '/metrics')).text).toContain(
    'interlock_relay_commands_in_flight{nas="bng-1"} 1\n',
  );
  await answer(nas, received);
  expect(await outcome()).toMatchObject({ result: 'ack' });
});

test('does not send what a relay that was killed has received, and reports it as interrupted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-commands-'));
  const site = join(folder, 'site.yaml');
  await writeFile(
    site,
    `
site: test
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0" }
queues: ${JSON.stringify(cloud.queues)}
clients: [{ name: policy-server, source: 127.0.0.1, secret: a secret of twenty-four. }]
nases:
  - name: bng-1
    address: 127.0.0.1:${nas.endpoint.port}
    secret: a secret of twenty-four.
    identifiedBy: [192.0.2.1]
`,
  );
  const main = new URL('../../relay/main.ts', import.meta.url).pathname;
  const env = {
    AWS_ENDPOINT_URL: cloud.server.address,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
  const killed = spawn(process.execPath, [main, site], { env, stdio: 'ignore' });
  const exit = once(killed, 'exit');
  await send(command());
  await nas.received.first(() => true);
  killed.kill('SIGKILL');
  await exit;
  const asked = nas.received.all.length;

  await start();
  // A call that the killed relay had open may take the command once more, and nobody hears of it.
  const revealed = async () => {
    await reveal();
    isEmpty();
  };
  await vi.waitFor(revealed, { interval: 500, timeout: 10_000 });
  expect(events.of('command-not-sent')[0]).toMatchObject({ reason: 'received-before' });
  expect(await outcome()).toMatchObject({ commandId: command().commandId, result: 'interrupted' });
  expect(nas.received.all.length).toBe(asked);
  await rm(folder, { recursive: true });
});

test('deletes a command that is sent again when its outcome is in the inbox, and tells neither', async () => {
  const relay = await start();
  answerAll(nas);
  await send(command());
  expect(await outcome()).toMatchObject({ result: 'ack' });
  await eventually(isEmpty);
  await send(command());
  expect(await eventOf('message-repeated')).toMatchObject({
    queue: 'outbox',
    correlationId: command().correlationId,
  });
  await eventually(isEmpty);
  expect(events.of('command-sent').length).toBe(1);
  expect(cloud.server.inspectQueue('inbox.fifo')?.messages.ready).toEqual([]);
  expect((await page(relay, '/metrics')).text).toContain(
    'interlock_relay_messages_repeated_total{queue="outbox"} 1\n',
  );
});

test('knows a command that comes again while it is under way', async () => {
  await start();
  await send(command());
  const received = await nas.received.first(() => true);
  await reveal();
  await eventually(() => expect(outbox().held[0]?.message.approximateReceiveCount).toBe(2));
  await answer(nas, received);
  expect(await outcome()).toMatchObject({ result: 'ack' });
  await eventually(isEmpty);
  expect(events.of('command-sent').length).toBe(1);
  expect(events.of('command-not-sent')).toEqual([]);
});

test('keeps a command until SQS has its outcome, hidden from others, and reports it once', async () => {
  const inbox = cloud.queues.inbox.replace('inbox.fifo', 'absent.fifo');
  await start({ queues: { ...cloud.queues, inbox }, timings: { outboxVisibilitySeconds: 1 } });
  answerAll(nas);
  await send(command());
  await events.first((event) => event.kind === 'queue-trouble' && event.queue === 'inbox');
  const hiddenUntilMs = () => outbox().held[0]?.visibilityDeadline;
  const before = hiddenUntilMs();
  await eventually(() => expect(hiddenUntilMs()).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY));

  const attributes = { FifoQueue: 'true' };
  cloud.server.createQueue('absent.fifo', { attributes, region: 'eu-central-1' });
  await events.first((event) => event.kind === 'queue-recovered');
  await eventually(isEmpty);
  const reported = cloud.server.inspectQueue('absent.fifo')?.messages.ready ?? [];
  expect(reported.map(({ body }) => JSON.parse(body).result)).toEqual(['ack']);
  expect(events.of('command-sent').length).toBe(1);
});

test('sends outcomes to their queue, and to the inbox where that is not there yet', async () => {
  const outcomes = cloud.queues.inbox.replace('inbox.fifo', 'outcomes.fifo');
  await start({ queues: { ...cloud.queues, outcomes } });
  answerAll(nas);
  await send(commandOf('before the update'));
  expect(await outcome()).toMatchObject({ session: { acctSessionId: 'before the update' }, result: 'ack' });
  await eventually(isEmpty);

  cloud.server.createQueue('outcomes.fifo', { attributes: { FifoQueue: 'true' }, region: 'eu-central-1' });
  await send(commandOf('after it'));
  await events.first((event) => event.kind === 'queue-recovered' && event.queue === 'outcomes');
  await eventually(isEmpty);
  const reported = cloud.server.inspectQueue('outcomes.fifo')?.messages.ready ?? [];
  expect(reported.map(({ body }) => JSON.parse(body).session.acctSessionId)).toEqual(['after it']);
});

test('carries out the commands of one NAS while another is silent', async () => {
  await start();
  answerAll(other);
  await send(commandOf('silent'));
  await nas.received.first(() => true);
  await send(commandOf('answered', { nas: 'bng-2' }));
  expect(await outcome()).toMatchObject({ session: { acctSessionId: 'answered' }, result: 'ack' });
  expect(outbox().held.length).toBe(1);
});

test('sends the commands of one session one after the other', async () => {
  // SQS gives several messages of one group together, fauxqs never does.
  const messages = [commandOf('a'), { ...commandOf('a'), commandId: 'a/2' }, commandOf('b')];
  const batch = messages.map((message) => ({
    MessageId: message.commandId,
    Body: JSON.stringify(message),
    ReceiptHandle: message.commandId,
    Attributes: {
      MessageGroupId: groupOf(message),
      ApproximateReceiveCount: '1',
      ApproximateFirstReceiveTimestamp: String(Date.now()),
    },
  }));
  const log: string[] = [];
  const scripted = await scriptedSqs(({ action, queueUrl, entries }) => {
    if (action === 'ReceiveMessage') return batch.length > 0 ? { Messages: batch.splice(0) } : undefined;
    for (const { MessageBody, ReceiptHandle } of entries) {
      log.push(
        queueUrl === cloud.queues.inbox
          ? `${JSON.parse(MessageBody).commandId} reported`
          : `${ReceiptHandle} deleted`,
      );
    }
    return { Successful: entries, Failed: [] };
  });
  const relay = await start({ sqs: scripted.sqs });
  const sent = (commandId: string) =>
    events.first((event) => event.kind === 'command-sent' && event.commandId === commandId);
  const [first, second, stranger] = messages.map(({ commandId }) => commandId);
  await Promise.all([first, stranger].map((commandId = '') => sent(commandId)));
  expect(events.of('command-sent').map(({ commandId }) => commandId)).not.toContain(second);
  await answer(nas, await nas.received.first((received) => sessionOf(received) === 'a'));
  await sent('a/2');
  expect(log).toEqual([`${first} reported`, `${first} deleted`]);
  await relay.drain();
  await scripted.stop();
});

test('answers clients while 300 commands hang', async () => {
  const relay = await start();
  const commands = Array.from({ length: 300 }, (_, index) => commandOf(`session-${index}`));
  await Promise.all(commands.map(send));
  await eventually(() => expect(outbox().held.length).toBe(300));
  const { text } = await page(relay, '/metrics');
  expect(text).toContain('interlock_relay_commands_in_flight{nas="bng-1"} 256\n');
  expect(text).toContain('interlock_relay_commands_held 300\n');

  const client = await udpPeer();
  await client.send(signedRequest(), relay.coaAddress);
  const { correlationId, origin } = await outcome();
  const { port } = client.endpoint;
  expect(origin).toMatchObject({ client: { port } });
  const reply = { version: 1, kind: 'reply', correlationId, origin };
  await cloud.send('outbox', { ...reply, answer: 'ack' });
  await client.received.first(() => true);
  expect(outbox().held.length).toBeGreaterThanOrEqual(300);
  await client.close();
});

test('leaves a command in its queue when it holds too many, but knows those that it holds', async () => {
  const queue = (name: 'inbox' | 'outbox') =>
    new Queue(name, cloud.queues[name], { sqs: cloud.sqs, clock: systemClock, report: events.add });
  const inbox = new Inbox(queue('inbox'), { clock: systemClock });
  const commands = new Commands({
    outbox: queue('outbox'),
    outcomes: inbox,
    inbox,
    nases: [],
    handled: new HandledMessages(10),
    clock: systemClock,
    cloudClock: { pastMs: 0 },
    report: events.add,
    visibilitySeconds: 60,
    maxHeld: 1,
  });
  const take = (message: CommandMessage) => {
    const delivery = { id: message.commandId, group: groupOf(message), body: '', receiveCount: 1 };
    const times = { firstDeliveredAtMs: Date.now(), askedAtMs: systemClock.monotonicNow() };
    commands.take(message, { ...delivery, ...times, receipt: 'receipt' }, AbortSignal.abort());
  };
  take(commandOf('held'));
  take(commandOf('held'));
  take(commandOf('too many'));
  expect(commands.size).toBe(1);
  expect(events.all).toMatchObject([
    { kind: 'message-left', reason: 'overloaded', messageId: commandOf('too many').commandId },
  ]);
  await commands.finish();
});

test('drains: what is under way is finished, what comes later is left to the next relay', async () => {
  const relay = await start({ timings: { drainMs: 10_000 } });
  await send(commandOf('under way'));
  const received = await nas.received.first(() => true);
  const drained = relay.drain();
  await answer(nas, received);
  await drained;
  expect(await outcome()).toMatchObject({ result: 'ack' });
  await send(commandOf('later'));
  expect(outbox()).toMatchObject({ ready: [{ approximateReceiveCount: 0 }], held: [] });
  await start();
  await nas.received.first((later) => sessionOf(later) === 'later');
});

test('gives back what does not end in time, which the next relay reports as interrupted', async () => {
  const before = await start({ timings: { drainMs: 2_200 } });
  await send(command());
  await nas.received.first(() => true);
  await before.drain();
  expect(outbox()).toMatchObject({ ready: [{ approximateReceiveCount: 1 }], held: [] });
  const asked = nas.received.all.length;
  await start();
  expect(await outcome()).toMatchObject({ result: 'interrupted' });
  expect(nas.received.all.length).toBe(asked);
});
