// What a client sees of Interlock when it looks at the octets.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { prepareSecret, signRequest, verifyReply } from '../../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { packetOf, type UdpPeer, udpPeer } from '../../relay/support.ts';
import {
  active,
  coaRequest,
  exchange,
  PREPARED_SECRET,
  startTestSystem,
  type TestSystem,
  untilEmpty,
} from './support.ts';

const octets = (name: 'State' | 'Proxy-State', text: string): Attribute => ({
  name,
  value: Buffer.from(text),
});
const eventTimestamp = (secondsAgo = 0): Attribute => ({
  name: 'Event-Timestamp',
  value: Math.floor(Date.now() / 1000) - secondsAgo,
});

describe.skipIf(dynoxide.skip)(dynoxide.title('a request'), () => {
  let system: TestSystem;
  let client: UdpPeer;
  beforeAll(async () => {
    system = await startTestSystem();
    client = await udpPeer();
  });
  afterAll(async () => {
    await client.close();
    await system.stop();
  });

  const ask = (datagram: Uint8Array) => exchange(client, datagram, system.coaAddress);

  it.each([
    ['acknowledged', ['gold'], CODE.CoaAck, []],
    ['refused', ['platinum'], CODE.CoaNak, [{ name: 'Error-Cause', value: 404 } as const]],
  ])(
    'gets its State and every Proxy-State back in order when it is %s',
    async (what, activate, code, cause) => {
      const echoed = [octets('Proxy-State', 'one'), octets('State', 'state'), octets('Proxy-State', 'two')];
      const request = coaRequest({ acctSessionId: `echo ${what}`, activate, more: echoed });
      const reply = await ask(request);
      expect(reply.code).toBe(code);
      expect(verifyReply(reply, packetOf(request), PREPARED_SECRET)).toEqual({ ok: true });
      const attributes = Buffer.from(reply.bytes.subarray(20));
      expect(attributes).toEqual(Buffer.from(encodeAttributes([...cause, ...echoed])));
    },
  );

  it('is answered with a Message-Authenticator when it has one', async () => {
    const request = coaRequest({ acctSessionId: 'signed', activate: ['gold'], messageAuthenticator: true });
    const reply = await ask(request);
    const required = { requireMessageAuthenticator: true };
    expect(verifyReply(reply, packetOf(request), PREPARED_SECRET, required)).toEqual({ ok: true });
  });

  it('and the way back and the request again, byte by byte, end at the first service', async () => {
    const acctSessionId = 'there and back';
    const there = coaRequest({ acctSessionId, activate: ['gold'] });
    const back = coaRequest({ acctSessionId, activate: ['silver'], identifier: 2 });
    const codes = [];
    for (const datagram of [there, back, there]) codes.push((await ask(datagram)).code);
    expect(codes).toEqual(Array(3).fill(CODE.CoaAck));
    expect(active(await system.session(acctSessionId))).toEqual(['gold']);
  });

  it('with an Event-Timestamp is the same one when it comes again, and changes nothing', async () => {
    const acctSessionId = 'timestamped';
    const there = coaRequest({ acctSessionId, activate: ['gold'], more: [eventTimestamp()] });
    const back = coaRequest({ acctSessionId, activate: ['silver'], identifier: 2 });
    const replies = [];
    for (const datagram of [there, back, there]) replies.push(await ask(datagram));
    expect(replies.map(({ code }) => code)).toEqual(Array(3).fill(CODE.CoaAck));
    expect(replies[2]?.bytes).toEqual(replies[0]?.bytes);
    expect(await system.session(acctSessionId)).toMatchObject({ version: 2 });
    expect(active(await system.session(acctSessionId))).toEqual(['silver']);
  });

  it('is carried out once however often it comes before its answer', async () => {
    const datagram = coaRequest({ acctSessionId: 'repeated', activate: ['gold'] });
    const answer = client.received.next();
    await Promise.all(Array.from({ length: 4 }, () => client.send(datagram, system.coaAddress)));
    expect(packetOf((await answer).datagram).code).toBe(CODE.CoaAck);
    expect(system.events.discards.filter((reason) => reason === 'repeat-in-progress')).toHaveLength(3);
    expect(await system.session('repeated')).toMatchObject({ version: 1 });
  });

  it('may come side by side with hundreds, and each gets its own answer', async () => {
    const COUNT = 200;
    const others = client.received.all.length;
    const datagrams = Array.from({ length: COUNT }, (_, identifier) =>
      coaRequest({ acctSessionId: `crowd ${identifier}`, activate: ['gold'], identifier }),
    );
    await Promise.all(datagrams.map((datagram) => client.send(datagram, system.coaAddress)));
    await client.received.atLeast(others + COUNT);
    const replies = client.received.all.slice(others).map(({ datagram }) => packetOf(datagram));
    const verified = datagrams.map((datagram) => {
      const request = packetOf(datagram);
      return replies.some(
        (reply) => reply.code === CODE.CoaAck && verifyReply(reply, request, PREPARED_SECRET).ok,
      );
    });
    expect(verified).toEqual(Array(COUNT).fill(true));
  });

  it('of one subscriber is carried out in the order in which they come', async () => {
    const acctSessionId = 'in order';
    const known = client.received.all.length;
    const services = ['gold', 'silver', 'bronze', 'gold', 'silver', 'bronze', 'gold', 'silver'];
    for (const [identifier, service] of services.entries()) {
      await client.send(coaRequest({ acctSessionId, activate: [service], identifier }), system.coaAddress);
    }
    await client.received.atLeast(known + services.length);
    const replies = client.received.all.slice(known).map(({ datagram }) => packetOf(datagram));
    expect(replies.map(({ code }) => code)).toEqual(services.map(() => CODE.CoaAck));
    const session = await system.session(acctSessionId);
    expect(active(session)).toEqual(['silver']);
    expect(session?.answered.map(({ asked }) => asked)).toEqual(services.map((name) => `activate ${name}`));
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('silence is all that comes of a request'), () => {
  let system: TestSystem;
  let client: UdpPeer;
  beforeAll(async () => {
    system = await startTestSystem();
    client = await udpPeer();
  });
  afterAll(async () => {
    await client.close();
    await system.stop();
  });
  beforeEach(() => {
    system.events.all.length = 0;
    client.received.all.length = 0;
  });

  const gold: readonly Attribute[] = [
    { name: 'Acct-Session-Id', value: 'discarded' },
    { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
  ];

  async function discarded(reason: string): Promise<number> {
    const line = new RegExp(`^interlock_relay_discarded_total\\{reason="${reason}"\\} (\\d+)$`, 'm');
    return Number(line.exec(await system.metrics())?.[1] ?? 0);
  }

  /** That nothing comes of what `send` sends: a request behind it is answered, and is the only one. */
  async function expectSilence(reason: string, send: () => Promise<void>): Promise<void> {
    const before = await discarded(reason);
    await send();
    const barrier = coaRequest({ acctSessionId: 'barrier', activate: ['voice'], identifier: 200 });
    expect((await exchange(client, barrier, system.coaAddress)).code).toBe(CODE.CoaAck);
    expect(client.received.all).toHaveLength(1);
    expect(system.events.discards).toEqual([reason]);
    expect(await discarded(reason)).toBe(before + 1);
    const decided = system.events.all.filter(({ source }) => source === 'decide');
    expect(decided).toMatchObject([{ event: { session: { acctSessionId: 'barrier' } } }]);
    expect(await system.session('discarded')).toBeUndefined();
    const inbox = system.cloud.queues['test']?.inbox;
    const sqs = new SQSClient(system.cloud.sqs);
    onTestFinished(() => sqs.destroy());
    await untilEmpty(sqs, inbox === undefined ? [] : [inbox]);
  }

  const discardedFrom = (reason: string, datagram: Uint8Array) =>
    expectSilence(reason, () => client.send(datagram, system.coaAddress));
  const sign = (attributes: Uint8Array, secret = PREPARED_SECRET, messageAuthenticator = true) =>
    signRequest({ code: CODE.CoaRequest, identifier: 1, attributes }, secret, { messageAuthenticator });
  const encoded = encodeAttributes(gold);
  const zeroMessageAuthenticator = Uint8Array.of(80, 18, ...new Uint8Array(16));

  it('with a wrong secret', () =>
    discardedFrom('wrong-request-authenticator', sign(encoded, prepareSecret('testing124'))));

  it.each([
    ['the past', 302],
    ['the future', -302],
  ])('with an Event-Timestamp too far in %s', (_, secondsAgo) =>
    discardedFrom('stale-event-timestamp', sign(encodeAttributes([...gold, eventTimestamp(secondsAgo)]))),
  );

  it('with two Message-Authenticators', () =>
    discardedFrom(
      'several-message-authenticators',
      sign(Buffer.concat([zeroMessageAuthenticator, encoded])),
    ));

  it('with a Message-Authenticator that does not verify', () =>
    discardedFrom(
      'wrong-message-authenticator',
      sign(Buffer.concat([zeroMessageAuthenticator, encoded]), PREPARED_SECRET, false),
    ));

  it('with an attribute that runs past the end', () =>
    discardedFrom('attribute-past-end', sign(Buffer.concat([encoded, Uint8Array.of(1, 200, 65)]))));

  it('of a source that is no client', async () => {
    const stranger = createSocket('udp4');
    onTestFinished(() => void stranger.close());
    const heard: Buffer[] = [];
    stranger.on('message', (datagram) => heard.push(datagram));
    stranger.bind(0, '127.0.0.2');
    await once(stranger, 'listening');
    const { address, port } = system.coaAddress;
    await expectSilence(
      'unknown-source',
      () => new Promise((resolve) => stranger.send(sign(encoded), port, address, () => resolve())),
    );
    expect(heard).toEqual([]);
  });
});
