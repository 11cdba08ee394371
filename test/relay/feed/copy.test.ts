import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { type CommandMessage, type FeedMessage, messageGroup } from '../../../core/messages.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { prepareSecret, verifyReply } from '../../../core/radius/authenticator.ts';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import { systemClock } from '../../../relay/clock.ts';
import { type Relay, type RelayOptions, startRelay } from '../../../relay/relay.ts';
import * as vector from '../../core/radius/accounting-vectors.ts';
import { attribute, craft, MESSAGE_AUTHENTICATOR } from '../../core/radius/craft.ts';
import {
  answer,
  type Cloud,
  command,
  EventRecorder,
  localNas,
  OLD_SECRET,
  packetOf,
  type ReplyParts,
  SECRET,
  type SqsCall,
  STRANGE_SECRET,
  scriptedSqs,
  startCloud,
  surroundings,
  type UdpPeer,
  udpPeer,
} from '../support.ts';
import { accountingRequest, delayed, queuedIn, siteWithFeed, stamped, takeFrom } from './support.ts';

const NOW_SECONDS = Math.floor(Date.now() / 1000);
const NOT_FOUND = { name: 'Error-Cause', value: ERROR_CAUSE['Session-Context-Not-Found'] } as const;

let cloud: Cloud;
let nas: UdpPeer;
let events: EventRecorder;
let relays: Relay[];

beforeEach(async () => {
  cloud = await startCloud();
  nas = await udpPeer();
  events = new EventRecorder();
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.drain()));
  await nas.close();
  await cloud.stop();
});

async function start(changes: Partial<RelayOptions> = {}): Promise<Relay> {
  const relay = await startRelay({
    site: siteWithFeed(),
    ...surroundings(cloud, events),
    timings: { drainMs: 0, outboxVisibilitySeconds: 1 },
    ...changes,
  });
  relays.push(relay);
  return relay;
}

const portOf = ({ accountingAddress }: Relay) => {
  if (accountingAddress === undefined) throw new Error('the relay takes no accounting');
  return accountingAddress;
};

/** Sends a request and returns its answer, which has to verify. */
async function ask(relay: Relay, request: Uint8Array, secret = SECRET): Promise<Packet> {
  const next = nas.received.next();
  await nas.send(request, portOf(relay));
  const reply = packetOf((await next).datagram);
  expect(verifyReply(reply, packetOf(request), secret)).toEqual({ ok: true });
  return reply;
}

const statuses = () => queuedIn(cloud).map(({ status }) => status);

test('answers a Start when the cloud has it, with all that it says', async () => {
  const relay = await start();
  const request = accountingRequest({
    more: [
      { name: 'Framed-IP-Address', value: '198.51.100.7' },
      { name: 'Class', value: Buffer.from('gold') },
      { name: 'Proxy-State', value: Buffer.of(1, 2) },
      { name: 'Acct-Interim-Interval', value: 600 },
      stamped(NOW_SECONDS),
    ],
  });
  const reply = await ask(relay, request);
  expect(reply.code).toBe(CODE.AccountingResponse);
  expect(reply.bytes.subarray(20)).toEqual(Buffer.of(33, 4, 1, 2));
  const { message } = await takeFrom(cloud);
  expect(message).toEqual<FeedMessage>({
    version: 1,
    kind: 'feed',
    correlationId: expect.any(String),
    relay: 'test',
    feed: 'bng-1',
    receivedAtMs: expect.any(Number),
    status: 'start',
    nas: 'bng-1',
    acctSessionId: '0001',
    eventAtMs: NOW_SECONDS * 1000,
    isStamped: true,
    identity: { 'User-Name': 'ann@isp1.com', 'Framed-IP-Address': '198.51.100.7' },
    classes: ['676f6c64'],
    interimIntervalSeconds: 600,
  });
  expect(events.of('feed-queued')).toMatchObject([{ correlationId: message.correlationId, status: 'start' }]);
});

test.each<[string, Partial<CommandMessage>, ReplyParts, readonly string[]]>([
  ['refused an activation with 503', {}, { code: CODE.CoaNak, attributes: [NOT_FOUND] }, ['interim']],
  [
    'acknowledged a Disconnect-Request',
    { operation: 'disconnect', services: [] },
    { code: CODE.DisconnectAck },
    ['interim'],
  ],
  [
    'refused a deactivation with 503, which means the service',
    { operation: 'deactivate' },
    { code: CODE.CoaNak, attributes: [NOT_FOUND] },
    [],
  ],
  ['acknowledged an activation', {}, {}, []],
])('after its NAS has %s, the cloud hears of a session: %#', async (_, told, reply, expected) => {
  const bng = await udpPeer();
  bng.received.onEach((received) => void answer(bng, received, reply));
  const site = siteWithFeed({}, { nases: [localNas(bng.endpoint, { formerly: ['old'] })] });
  const relay = await start({ site });
  await ask(relay, accountingRequest({ more: [stamped(NOW_SECONDS)] }));
  await takeFrom(cloud);
  const message = command({ session: { nas: 'old', acctSessionId: '0001' }, ...told });
  await cloud.send('outbox', message, messageGroup(Buffer.from('0001')));
  await cloud.takeFromInbox();
  const later = { more: [stamped(NOW_SECONDS + 60)], status: 'Interim-Update', identifier: 2 } as const;
  await ask(relay, accountingRequest(later));
  expect(statuses()).toEqual(expected);
  await bng.close();
});

test.each([
  ['Start', vector.START, vector.START_RESPONSE],
  ['Stop', vector.STOP, vector.STOP_RESPONSE],
  ['Accounting-On', vector.ON, vector.ON_RESPONSE],
])('answers the worked packet with the worked response: %s', async (_, request, response) => {
  const secret = prepareSecret('testing123');
  const relay = await start({ site: siteWithFeed({ secrets: [secret] }) });
  expect(Buffer.from((await ask(relay, request, secret)).bytes)).toEqual(response);
  expect(statuses()).toHaveLength(1);
});

test('shows on its pages what it takes, and is well before the first record', async () => {
  const relay = await start();
  const { address, port } = relay.httpAddress;
  const page = async (path: string) => (await fetch(`http://${address}:${port}${path}`)).text();
  await expect.poll(() => page('/healthz')).toContain('"problems":[]');
  await ask(relay, accountingRequest());
  await ask(relay, accountingRequest({ status: 'Interim-Update', identifier: 2 }));
  const metrics = (await page('/metrics'))
    .split('\n')
    .filter((line) => /^interlock_relay_feed_\w+[{ ]/.test(line));
  expect(metrics.filter((line) => !line.includes('latency'))).toEqual([
    'interlock_relay_feed_received_total{feed="bng-1",status="start"} 1',
    'interlock_relay_feed_received_total{feed="bng-1",status="interim"} 1',
    'interlock_relay_feed_kept_total{feed="bng-1",reason="unchanged"} 1',
    'interlock_relay_feed_queued_total{feed="bng-1",status="start"} 1',
    'interlock_relay_feed_answered_total{feed="bng-1"} 2',
    'interlock_relay_feed_in_progress 0',
    'interlock_relay_feed_buffered 0',
    'interlock_relay_feed_sessions_known 1',
  ]);
});

describe('while SQS', () => {
  it('has not taken a record, it is not answered', async () => {
    const sent = Promise.withResolvers<object>();
    const asked = Promise.withResolvers<void>();
    const scripted = await scriptedSqs(({ action, entries }) => {
      if (action !== 'SendMessageBatch') return {};
      asked.resolve();
      return sent.promise.then(() => ({ Successful: entries.map(({ Id }) => ({ Id })), Failed: [] }));
    });
    const relay = await start({ sqs: scripted.sqs });
    await nas.send(accountingRequest(), portOf(relay));
    await asked.promise;
    // Repeats do not lead to a second call; one with another Identifier and Acct-Delay-Time gets an answer of its own.
    await nas.send(accountingRequest(), portOf(relay));
    await events.first((event) => event.kind === 'feed-discarded' && event.reason === 'repeat-in-progress');
    await nas.send(accountingRequest({ identifier: 2, more: [delayed(1)] }), portOf(relay));
    await events.first((event) => event.kind === 'feed-kept' && event.reason === 'repeat');
    expect(nas.received.all).toEqual([]);
    sent.resolve({});
    const answers = await nas.received.atLeast(2);
    expect(answers.map(({ datagram }) => packetOf(datagram).identifier)).toEqual([1, 2]);
    expect(events.of('feed-queued')).toHaveLength(1);
    await scripted.stop();
  });

  it('is away, records are not answered; afterwards a repeat is', async () => {
    let isAway = true;
    const scripted = await scriptedSqs(({ action, entries }) => {
      if (action !== 'SendMessageBatch') return {};
      if (isAway) throw new Error('away');
      return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
    });
    const relay = await start({ sqs: scripted.sqs });
    for (let times = 0; times < 3; times++) {
      const unanswered = events.next(({ kind }) => kind === 'feed-unanswered');
      await nas.send(accountingRequest(), portOf(relay));
      expect(await unanswered).toMatchObject({ reason: 'queue-unavailable' });
    }
    expect(nas.received.all).toEqual([]);
    isAway = false;
    expect((await ask(relay, accountingRequest())).identifier).toBe(1);
    expect(events.of('feed-queued')).toHaveLength(1);
    await scripted.stop();
  });

  it('is away for longer than the window of Event-Timestamps, a repeat still counts from its first arrival', async () => {
    let isAway = true;
    let offsetMs = 0;
    const bodies: string[] = [];
    const answer = ({ action, entries }: SqsCall) => {
      if (action !== 'SendMessageBatch') return {};
      if (isAway) throw new Error('away');
      bodies.push(...entries.map(({ MessageBody }) => MessageBody));
      return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
    };
    // The time of this machine is not that of the test.
    const scripted = await scriptedSqs(answer, { hasDates: false });
    const clock = {
      ...systemClock,
      now: () => NOW_SECONDS * 1000 + offsetMs,
      monotonicNow: () => 1_000_000 + offsetMs,
    };
    const relay = await start({ sqs: scripted.sqs, clock });
    const records = [
      accountingRequest({ status: 'Accounting-On', identifier: 1 }),
      accountingRequest({ identifier: 2, more: [stamped(NOW_SECONDS)] }),
    ];
    // For ten minutes, every 20 s.
    for (; offsetMs <= 600_000; offsetMs += 20_000) {
      if (offsetMs === 600_000) isAway = false;
      for (const record of records) {
        const settled = events.next(({ kind }) => kind === 'feed-unanswered' || kind === 'feed-answered');
        await nas.send(record, portOf(relay));
        await settled;
      }
    }
    expect(bodies.map((body) => JSON.parse(body))).toMatchObject(
      ['on', 'start'].map((status) => ({
        status,
        receivedAtMs: NOW_SECONDS * 1000,
        eventAtMs: NOW_SECONDS * 1000,
      })),
    );
    expect(events.of('feed-wrong-clock')).toEqual([]);
    await scripted.stop();
  });

  it('is away, a record that is not for it is answered', async () => {
    const scripted = await scriptedSqs(({ action }) => {
      if (action === 'SendMessageBatch') throw new Error('away');
      return {};
    });
    const relay = await start({ sqs: scripted.sqs });
    expect((await ask(relay, accountingRequest({ status: 'Failed' }))).code).toBe(CODE.AccountingResponse);
    await scripted.stop();
  });
});

describe('a repeat', () => {
  it('of the same bytes gets the same answer', async () => {
    const relay = await start();
    const first = await ask(relay, accountingRequest());
    const second = await ask(relay, accountingRequest());
    expect(second.bytes).toEqual(first.bytes);
    expect(statuses()).toEqual(['start']);
  });

  it.each([
    ['with the Event-Timestamp', [stamped(NOW_SECONDS)], [stamped(NOW_SECONDS), delayed(5)]],
    ['without it', [delayed(0)], [delayed(1)]],
  ])('with a raised Acct-Delay-Time is the same event: %s', async (_, first, second) => {
    const relay = await start();
    await ask(relay, accountingRequest({ more: first }));
    await ask(relay, accountingRequest({ more: second, identifier: 2 }));
    expect(statuses()).toEqual(['start']);
    expect(events.of('feed-kept')).toMatchObject([{ reason: 'repeat' }]);
  });

  it('with another Event-Timestamp is another event', async () => {
    const relay = await start();
    await ask(relay, accountingRequest({ more: [stamped(NOW_SECONDS)] }));
    await ask(relay, accountingRequest({ more: [stamped(NOW_SECONDS + 1)], identifier: 2 }));
    expect(statuses()).toEqual(['start', 'start']);
  });

  it('is dropped by SQS after a restart of the relay', async () => {
    const request = accountingRequest({ more: [stamped(NOW_SECONDS)] });
    await ask(await start(), request);
    await ask(await start(), request);
    expect(events.of('feed-queued')).toHaveLength(2);
    expect(statuses()).toEqual(['start']);
  });

  it('of a log-on after the log-off is a new log-on', async () => {
    const relay = await start();
    for (const [identifier, status] of (['Start', 'Stop', 'Start'] as const).entries()) {
      const more = [stamped(NOW_SECONDS + identifier)];
      await ask(relay, accountingRequest({ status, identifier, more }));
    }
    expect(statuses()).toEqual(['start', 'stop', 'start']);
  });
});

describe('an Interim-Update', () => {
  let identifier = 0;
  const interim = (more: Parameters<typeof accountingRequest>[0] = {}) =>
    accountingRequest({ status: 'Interim-Update', identifier: ++identifier & 0xff, ...more });

  it('stays at the site while it says nothing new', async () => {
    const relay = await start();
    await ask(relay, accountingRequest({ identifier: 200 }));
    for (let times = 1; times <= 3; times++)
      await ask(
        relay,
        interim({ more: [stamped(NOW_SECONDS + times), { name: 'Acct-Output-Octets', value: times }] }),
      );
    expect(statuses()).toEqual(['start']);
    expect(events.of('feed-kept').map(({ reason }) => reason)).toEqual(Array(3).fill('unchanged'));
  });

  it('goes to the cloud when the identity has changed, and an absent attribute is no change', async () => {
    const relay = await start();
    await ask(relay, accountingRequest({ identifier: 200 }));
    const address = { name: 'Framed-IP-Address', value: '198.51.100.7' } as const;
    const moved = { name: 'Framed-IP-Address', value: '198.51.100.8' } as const;
    for (const more of [[address], [], [address], [moved], [moved]]) await ask(relay, interim({ more }));
    expect(queuedIn(cloud).map(({ status, identity }) => [status, identity['Framed-IP-Address']])).toEqual([
      ['start', undefined],
      ['interim', '198.51.100.7'],
      ['interim', '198.51.100.8'],
    ]);
  });

  it('goes to the cloud when the relay does not know the session: its Start was lost, or the relay is new', async () => {
    const relay = await start();
    await ask(relay, interim());
    await ask(relay, interim());
    await ask(relay, interim({ id: '0002' }));
    expect(queuedIn(cloud).map(({ acctSessionId }) => acctSessionId)).toEqual(['0001', '0002']);
  });

  it('goes to the cloud after a Stop, and after Accounting-On of its NAS alone', async () => {
    const relay = await start();
    const at = (seconds: number) => ({ more: [stamped(NOW_SECONDS + seconds)] });
    await ask(relay, interim({ ...at(0) }));
    await ask(relay, interim({ ...at(0), nas: '192.0.2.2' }));
    await ask(relay, accountingRequest({ status: 'Stop', identifier: 201, ...at(1) }));
    await ask(relay, interim({ ...at(2) }));
    await ask(relay, accountingRequest({ status: 'Accounting-On', identifier: 202, ...at(3) }));
    await ask(relay, interim({ ...at(4) }));
    await ask(relay, interim({ ...at(4), nas: '192.0.2.2' }));
    expect(events.of('feed-queued').map(({ status, nas }) => `${nas} ${status}`)).toEqual([
      'bng-1 interim',
      'bng-2 interim',
      'bng-1 stop',
      'bng-1 interim',
      'bng-1 on',
      'bng-1 interim',
    ]);
  });
});

test('keeps sessions of two NASes with equal ids apart', async () => {
  const relay = await start();
  await ask(relay, accountingRequest());
  await ask(relay, accountingRequest({ nas: '192.0.2.2', identifier: 2 }));
  const [one, other] = [await takeFrom(cloud), await takeFrom(cloud)];
  expect([one.message.nas, other.message.nas]).toEqual(['bng-1', 'bng-2']);
  expect(one.group).not.toBe(other.group);
});

test('sends the records of a service in the group of its session, and the Interim-Updates once', async () => {
  const relay = await start();
  const service = { id: '0001:000002', more: [{ name: 'ERX-Service-Session', value: 'gold' }] as const };
  await ask(relay, accountingRequest());
  await ask(relay, accountingRequest({ ...service, identifier: 2 }));
  await ask(relay, accountingRequest({ ...service, identifier: 3, status: 'Interim-Update' }));
  await ask(relay, accountingRequest({ ...service, identifier: 4, status: 'Stop' }));
  const taken = [];
  for (let count = 0; count < 1; count++) taken.push(await takeFrom(cloud));
  expect(queuedIn(cloud)).toHaveLength(2);
  expect(queuedIn(cloud)).toMatchObject(
    ['start', 'stop'].map((status) => ({
      status,
      acctSessionId: '0001',
      service: { name: 'gold', serviceSessionId: '0001:000002' },
    })),
  );
  const groups = cloud.server
    .inspectQueue('feed.fifo')
    ?.messages.ready.map(({ messageGroupId }) => messageGroupId);
  expect(new Set(groups)).toEqual(new Set([taken[0]?.group]));
});

test('answers an Accounting-Off without a session id of its own, and sends its scope', async () => {
  const relay = await start();
  await ask(
    relay,
    accountingRequest({
      status: 'Accounting-Off',
      more: [{ name: 'ERX-Virtual-Router-Name', value: 'isp1' }],
    }),
  );
  const { message } = await takeFrom(cloud);
  expect(message).toMatchObject({ status: 'off', identity: { 'ERX-Virtual-Router-Name': 'isp1' } });
  expect(message).not.toHaveProperty('acctSessionId');
});

test('counts from the arrival where a clock is wrong, and says so', async () => {
  const relay = await start();
  await ask(relay, accountingRequest({ more: [stamped(NOW_SECONDS - 3600), delayed(10)] }));
  const [message] = queuedIn(cloud);
  expect(message).toMatchObject({ isStamped: false, wrongStampMs: (NOW_SECONDS - 3600) * 1000 });
  expect(message?.eventAtMs).toBe((message?.receivedAtMs ?? 0) - 10_000);
  expect(events.of('feed-wrong-clock')).toMatchObject([{ feed: 'bng-1', nas: 'bng-1' }]);
});

describe('by a relay whose clock is an hour ahead of that of the cloud', () => {
  const HOUR_MS = 3_600_000;
  it.each([
    ['the right time is believed', 0, true],
    ['the time of the relay is not', HOUR_MS / 1000, false],
  ])('%s', async (_, aheadSeconds, isStamped) => {
    const clock = { ...systemClock, now: () => Date.now() + HOUR_MS };
    const relay = await start({ clock });
    // It knows the time once it has heard of the cloud.
    await events.first(({ kind }) => kind === 'clock-skewed');
    const beforeMs = Date.now();
    await ask(relay, accountingRequest({ more: [stamped(NOW_SECONDS + aheadSeconds)] }));
    const { message } = await takeFrom(cloud);
    expect(message.isStamped).toBe(isStamped);
    expect(Math.abs(message.receivedAtMs - beforeMs)).toBeLessThan(HOUR_MS / 2);
    expect(message.eventAtMs).toBe(isStamped ? NOW_SECONDS * 1000 : message.receivedAtMs);
    expect(events.of('feed-wrong-clock')).toHaveLength(isStamped ? 0 : 1);
  });
});

describe('a record from which nothing is learned is answered', () => {
  const status = attribute(40, Buffer.of(0, 0, 0, 1));
  const id = attribute(44, Buffer.from('0001'));
  it.each<[string, readonly Buffer[], string]>([
    ['no attribute at all', [], 'status-type-missing'],
    ['no session id', [status], 'session-id-missing'],
    ['an empty session id', [status, attribute(44, Buffer.alloc(0))], 'session-id-malformed'],
    ['two session ids', [status, id, id], 'session-id-repeated'],
    ['a session id of 247 octets', [status, attribute(44, Buffer.alloc(247, 'x'))], 'session-id-too-long'],
    ['a short status', [attribute(40, Buffer.of(1)), id], 'status-type-malformed'],
  ])('%s', async (_, attributes, reason) => {
    const secret = prepareSecret('testing123');
    const relay = await start({ site: siteWithFeed({ secrets: [secret] }) });
    await ask(relay, craft({ code: 4, attributes }), secret);
    expect(events.of('feed-refused')).toEqual([{ kind: 'feed-refused', feed: 'bng-1', reason }]);
    expect(statuses()).toEqual([]);
  });

  it.each([9, 15, 4_000_000_000])('Acct-Status-Type %i', async (value) => {
    const relay = await start();
    await ask(relay, accountingRequest({ status: value }));
    expect(events.of('feed-kept')).toMatchObject([{ reason: 'other-status' }]);
  });

  it('malformed attributes, which do not cost the rest of it', async () => {
    const secret = prepareSecret('testing123');
    const relay = await start({ site: siteWithFeed({ secrets: [secret] }) });
    const nasAddress = attribute(4, Buffer.of(192, 0, 2, 1));
    const broken = [attribute(1, Buffer.of(0xff)), attribute(8, Buffer.of(1)), attribute(26, Buffer.of(1))];
    await ask(relay, craft({ code: 4, attributes: [status, id, nasAddress, ...broken] }), secret);
    expect(queuedIn(cloud)).toMatchObject([{ status: 'start', acctSessionId: '0001', identity: {} }]);
  });

  it('a NAS that the site file does not have, which is said once', async () => {
    const relay = await start();
    for (const identifier of [1, 2, 3])
      await ask(relay, accountingRequest({ nas: '192.0.2.99', identifier, id: String(identifier) }));
    expect(events.of('feed-unknown-nas')).toEqual([
      { kind: 'feed-unknown-nas', feed: 'bng-1', nas: 'NAS-IP-Address 192.0.2.99' },
    ]);
    expect(events.of('feed-kept').map(({ reason }) => reason)).toEqual(Array(3).fill('unknown-nas'));
  });
});

describe('a datagram is discarded', () => {
  const good = Buffer.from(accountingRequest());
  const withLength = (length: number) => {
    const copy = Buffer.from(good);
    copy.writeUInt16BE(length, 2);
    return copy;
  };
  it.each<[string, Uint8Array]>([
    ['wrong-request-authenticator', accountingRequest({ secret: STRANGE_SECRET })],
    ['datagram-too-short', good.subarray(0, 19)],
    ['length-below-20', withLength(19)],
    ['length-beyond-datagram', withLength(good.length + 1)],
    ['length-above-4096', Buffer.concat([withLength(4097), Buffer.alloc(4097)])],
    ['attribute-past-end', withLength(good.length - 1)],
    ['unexpected-code', Buffer.concat([Buffer.of(43), good.subarray(1)])],
    ['unexpected-code', Buffer.concat([Buffer.of(1), good.subarray(1)])],
  ])('%s', async (reason, datagram) => {
    const relay = await start();
    await nas.send(datagram, portOf(relay));
    expect(await events.first(({ kind }) => kind === 'feed-discarded')).toMatchObject({
      reason,
      feed: 'bng-1',
    });
    expect(nas.received.all).toEqual([]);
  });

  it('of another source', async () => {
    const sources = [{ address: '192.0.2.1', prefix: 32, family: 'ipv4' as const }];
    const relay = await start({ site: siteWithFeed({ sources }) });
    await nas.send(good, portOf(relay));
    expect(await events.first(({ kind }) => kind === 'feed-discarded')).toMatchObject({
      reason: 'unknown-source',
    });
  });

  it('with a wrong Message-Authenticator', async () => {
    const secret = prepareSecret('testing123');
    const relay = await start({ site: siteWithFeed({ secrets: [secret] }) });
    const messageAuthenticatorOver = Buffer.alloc(16, 7);
    const wrong = craft({ code: 4, attributes: [MESSAGE_AUTHENTICATOR], messageAuthenticatorOver });
    await nas.send(wrong, portOf(relay));
    expect(await events.first(({ kind }) => kind === 'feed-discarded')).toMatchObject({
      reason: 'wrong-message-authenticator',
    });
  });

  it('while the relay stops', async () => {
    const relay = await start({ timings: { drainMs: 0 } });
    const port = portOf(relay);
    const drained = relay.drain();
    await nas.send(good, port);
    await drained;
    expect(nas.received.all).toEqual([]);
    expect(statuses()).toEqual([]);
  });
});

test('takes a Message-Authenticator, padding, and the previous secret of a rotation', async () => {
  const relay = await start({ site: siteWithFeed({ secrets: [SECRET, OLD_SECRET] }) });
  const request = accountingRequest({ messageAuthenticator: true, secret: OLD_SECRET });
  const reply = nas.received.next();
  await nas.send(Buffer.concat([request, Buffer.alloc(7)]), portOf(relay));
  expect(verifyReply(packetOf((await reply).datagram), packetOf(request), OLD_SECRET)).toEqual({ ok: true });
});

describe('Status-Server', () => {
  const statusServer = (secret: string) =>
    craft({
      code: CODE.StatusServer,
      attributes: [MESSAGE_AUTHENTICATOR],
      requestAuthenticator: Buffer.alloc(16, 9),
      secret,
    });

  it('is answered with an Accounting-Response that has a Message-Authenticator', async () => {
    const secret = prepareSecret('testing123');
    const relay = await start({ site: siteWithFeed({ secrets: [secret] }) });
    const bytes = statusServer('testing123');
    bytes.set(Buffer.alloc(16, 9), 4);
    const next = nas.received.next();
    await nas.send(bytes, portOf(relay));
    const reply = packetOf((await next).datagram);
    expect(reply.code).toBe(CODE.AccountingResponse);
    expect(reply.attributes.map(({ type }) => type)).toEqual([80]);
  });

  it('is discarded with a wrong secret, and without a Message-Authenticator', async () => {
    const relay = await start();
    await nas.send(statusServer('another'), portOf(relay));
    await nas.send(craft({ code: CODE.StatusServer, attributes: [] }), portOf(relay));
    await events.first(
      (event) => event.kind === 'feed-discarded' && event.reason === 'missing-message-authenticator',
    );
    expect(events.of('feed-discarded').map(({ reason }) => reason)).toEqual([
      'wrong-message-authenticator',
      'missing-message-authenticator',
    ]);
  });
});

test('has 10,000 log-ons in a burst in the queue, each once, and never more than it may hold', async () => {
  const relay = await start();
  const ids = new Set(Array.from({ length: 10_000 }, (_, index) => index));
  const datagrams = [...ids].map((index) =>
    accountingRequest({ id: `session ${index}`, identifier: index & 0xff, userName: `user ${index}` }),
  );
  // The NAS has a port for each 256 Identifiers.
  const peers = await Promise.all(Array.from({ length: 40 }, () => udpPeer()));
  for (const [number, peer] of peers.entries()) {
    peer.received.onEach(({ datagram }) => ids.delete(number * 256 + packetOf(datagram).identifier));
  }
  let unsettled = 0;
  let most = 0;
  events.onEach(({ kind }) => {
    if (kind === 'feed-received') most = Math.max(most, ++unsettled);
    if (kind === 'feed-answered' || kind === 'feed-unanswered') unsettled--;
  });
  let rounds = 0;
  while (ids.size > 0) {
    expect(++rounds).toBeLessThan(100);
    const before = ids.size;
    for (const index of ids) await peers[index >> 8]?.send(datagrams[index] ?? Buffer.of(), portOf(relay));
    // Then the NAS repeats what is not answered.
    while (ids.size === before || unsettled > 0) await events.next();
  }
  const sessions = queuedIn(cloud).map(({ acctSessionId }) => acctSessionId);
  expect(sessions).toHaveLength(10_000);
  expect(new Set(sessions).size).toBe(10_000);
  // 4096 that wait for a call, and ten in each of eight calls; one more is about to be turned away.
  expect(most).toBeLessThanOrEqual(4096 + 80 + 1);
  await Promise.all(peers.map((peer) => peer.close()));
}, 60_000);
