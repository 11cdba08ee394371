// Requests that name their session by something else than Acct-Session-Id, as radclient sends them.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSessions } from '../../../cli/find-sessions.ts';
import { describeSession } from '../../../cli/session-text.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { packetOf, type UdpPeer, udpPeer } from '../../relay/support.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import {
  active,
  coaRequest,
  errorCause,
  exchange,
  PREPARED_SECRET,
  SECRET,
  startTestSystem,
  type TestSystem,
} from './support.ts';

/** Each value as radclient takes it; `ann` and `bob` differ in all of them. */
const WHO = {
  ann: {
    'User-Name': '"ann@isp"',
    'Framed-IP-Address': '198.51.100.7',
    'Framed-IPv6-Address': '2001:db8::7',
    'Framed-IPv6-Prefix': '2001:db8:0:7::/64',
    'Delegated-IPv6-Prefix': '2001:db8:700::/56',
    'Calling-Station-Id': '"00-1A-2B-3C-4D-07"',
    'Chargeable-User-Identity': '0x07ff',
    'NAS-Port-Id': '"ge-1/0/1:7"',
    'Acct-Multi-Session-Id': '"m7"',
  },
  bob: {
    'User-Name': '"bob8@isp"',
    'Framed-IP-Address': '198.51.100.8',
    'Framed-IPv6-Address': '2001:db8::8',
    'Framed-IPv6-Prefix': '2001:db8:0:8::/64',
    'Delegated-IPv6-Prefix': '2001:db8:800::/56',
    'Calling-Station-Id': '"00-1A-2B-3C-4D-08"',
    'Chargeable-User-Identity': '0x08ff',
    'NAS-Port-Id': '"ge-1/0/1:8"',
    'Acct-Multi-Session-Id': '"m8"',
  },
} as const;
type Attribute = keyof (typeof WHO)['ann'];
const ATTRIBUTES = Object.keys(WHO.ann) as Attribute[];

describe.skipIf(dynoxide.skip || radclientPeer.skip)(
  radclientPeer.title(dynoxide.title('radclient, without Acct-Session-Id')),
  () => {
    let system: TestSystem;
    beforeAll(async () => {
      system = await startTestSystem();
      for (const who of ['ann', 'bob'] as const) {
        const identity = ATTRIBUTES.map((name) => `${name} = ${WHO[who][name]}`);
        expect(await ask(`Acct-Session-Id = "${who}"`, ...identity)).toBe('CoA-ACK');
      }
      // A second line of bob's.
      expect(
        await ask('Acct-Session-Id = "bob-2"', 'User-Name = "bob8@isp"', 'NAS-Port-Id = "ge-1/0/1:9"'),
      ).toBe('CoA-ACK');
    });
    afterAll(() => system.stop());

    it('ends the session of a Disconnect-Request, and finds it no more', async () => {
      expect(await ask('Acct-Session-Id = "carol"', 'User-Name = "carol@isp"', 'NAS-Port = 7')).toBe(
        'CoA-ACK',
      );
      const of = ['User-Name = "carol@isp"', 'NAS-Port = 7'];
      const disconnect = async () => {
        const { answer } = await radclient({
          command: 'disconnect',
          port: system.coaAddress.port,
          secret: SECRET,
          attributes: of,
        });
        return answer?.code;
      };
      expect(await disconnect()).toBe('Disconnect-ACK');
      expect(await servicesOf('carol')).toEqual([]);
      expect(await disconnect()).toBe('Disconnect-NAK');
      expect(await ask(...of)).toBe('CoA-NAK Session-Context-Not-Found');
    });

    let service = 'gold';
    /** Activates the other one of two services; `CoA-ACK`, or `CoA-NAK` with its Error-Cause. */
    async function ask(...attributes: readonly string[]): Promise<string> {
      service = service === 'gold' ? 'silver' : 'gold';
      const { answer, output } = await radclient({
        command: 'coa',
        port: system.coaAddress.port,
        secret: SECRET,
        attributes: [...attributes, `ERX-Service-Activate:1 += "${service}"`],
      });
      if (answer === undefined) throw new Error(output);
      const cause = answer.attributes.find(([name]) => name === 'Error-Cause');
      return [answer.code, ...(cause ? [cause[1]] : [])].join(' ');
    }
    const servicesOf = async (acctSessionId: string) => active(await system.session(acctSessionId));

    it.each(ATTRIBUTES)('finds the session by %s alone', async (name) => {
      const [before] = await servicesOf('bob');
      expect(await ask(`${name} = ${WHO.ann[name]}`)).toBe('CoA-ACK');
      expect(await servicesOf('ann')).toEqual([service]);
      expect(await servicesOf('bob')).toEqual([before]);
    });

    it.each(['00:1a:2b:3c:4d:07', '001A.2B3C.4D07', '001a2b3c4d07'])(
      'finds it by the MAC address %s',
      async (mac) => {
        expect(await ask(`Calling-Station-Id = "${mac}"`)).toBe('CoA-ACK');
        expect(await servicesOf('ann')).toEqual([service]);
      },
    );

    it.each(ATTRIBUTES)(
      'gets 503 for a %s that no session has, also beside one that a session has',
      async (name) => {
        const [other] = ATTRIBUTES.filter((one) => one !== name);
        const before = await servicesOf('ann');
        const wrong = WHO.bob[name].replace('8', '5');
        expect(await ask(`${name} = ${wrong}`)).toBe('CoA-NAK Session-Context-Not-Found');
        expect(await ask(`${name} = ${wrong}`, `${other} = ${WHO.ann[other ?? name]}`)).toBe(
          'CoA-NAK Session-Context-Not-Found',
        );
        expect(await servicesOf('ann')).toEqual(before);
      },
    );

    it('gets 508 for what several have, and finds one of them by what it has alone', async () => {
      expect(await ask('User-Name = "bob8@isp"')).toBe('CoA-NAK Multiple-Session-Selection-Unsupported');
      expect(await ask('User-Name = "bob8@isp"', 'NAS-Port-Id = "ge-1/0/1:9"')).toBe('CoA-ACK');
      expect(await servicesOf('bob-2')).toEqual([service]);
    });

    it('gets 402 for what identifies no session', async () => {
      for (const attribute of [
        'NAS-Port = 7',
        'Called-Station-Id = "isp"',
        'ERX-Virtual-Router-Name = "default"',
      ])
        expect(await ask(attribute)).toBe('CoA-NAK Missing-Attribute');
    });

    it('gets 403 for a NAS that the site does not have, and finds the session at the one that it names', async () => {
      expect(await ask('User-Name = "ann@isp"', 'NAS-IP-Address = 192.0.2.9')).toBe(
        'CoA-NAK NAS-Identification-Mismatch',
      );
      expect(await ask('User-Name = "ann@isp"', 'NAS-IP-Address = 192.0.2.1')).toBe('CoA-ACK');
    });
  },
);

describe.skipIf(dynoxide.skip)(dynoxide.title('a client that names a session by User-Name'), () => {
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

  it('has its requests carried out in the order in which it sends them', async () => {
    const userName = 'in.order@isp';
    await ask(coaRequest({ acctSessionId: 'in order', userName, activate: ['voice'] }));
    const known = client.received.all.length;
    const services = ['gold', 'silver', 'bronze', 'gold', 'silver', 'bronze', 'gold', 'silver'];
    for (const [index, service] of services.entries())
      await client.send(
        coaRequest({ userName, activate: [service], identifier: 10 + index }),
        system.coaAddress,
      );
    await client.received.atLeast(known + services.length);
    const replies = client.received.all.slice(known).map(({ datagram }) => packetOf(datagram).code);
    expect(replies).toEqual(services.map(() => CODE.CoaAck));
    const { answered = [] } = (await system.session('in order')) ?? {};
    expect(answered.slice(1).map(({ asked }) => asked)).toEqual(
      services.map((service) => `activate ${service}`),
    );
  });

  it('gets the stored answer to a repeat, and goes there and back with the same bytes', async () => {
    const userName = 'repeats@isp';
    await ask(coaRequest({ acctSessionId: 'repeats', userName, activate: ['voice'] }));
    const [there, back] = ['gold', 'silver'].map((service, identifier) =>
      coaRequest({ userName, activate: [service], identifier }),
    );
    if (there === undefined || back === undefined) throw new Error('there are two');
    for (const datagram of [there, there]) expect((await ask(datagram)).code).toBe(CODE.CoaAck);
    expect(await system.session('repeats')).toMatchObject({ version: 2 });
    for (const datagram of [back, there]) expect((await ask(datagram)).code).toBe(CODE.CoaAck);
    expect(active(await system.session('repeats'))).toEqual(['gold', 'voice']);
  });

  it('has one carried out that comes several times before its answer', async () => {
    const userName = 'impatient@isp';
    await ask(coaRequest({ acctSessionId: 'impatient', userName, activate: ['voice'] }));
    const datagram = coaRequest({ userName, activate: ['gold'] });
    const answer = client.received.next();
    await Promise.all(Array.from({ length: 4 }, () => client.send(datagram, system.coaAddress)));
    expect(packetOf((await answer).datagram).code).toBe(CODE.CoaAck);
    expect(await system.session('impatient')).toMatchObject({ version: 2 });
  });

  it('gets 503, and a session as soon as there is one: a refusal is not kept for a repeat', async () => {
    const userName = 'later@isp';
    const datagram = coaRequest({ userName, activate: ['gold'] });
    expect(errorCause(await ask(datagram))).toBe(503);
    await ask(coaRequest({ acctSessionId: 'later', userName, activate: ['voice'] }));
    expect((await ask(datagram)).code).toBe(CODE.CoaAck);
    expect(active(await system.session('later'))).toEqual(['gold', 'voice']);
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('a NAS that is told'), () => {
  it.each([
    ['erx', true],
    ['generic', true],
    ['cisco', false],
  ])('of the dialect %s confirms a User-Name that requests then find: %s', async (dialect, isTold) => {
    const nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      script: () => 'ack',
      now: Date.now,
      dialect: dialect as 'erx',
    });
    const system = await startTestSystem({ nasPort: nas.address.port, nas: { dialect } });
    const client = await udpPeer();
    try {
      const ask = (datagram: Uint8Array) => exchange(client, datagram, system.coaAddress);
      const userName = 'ann@isp';
      expect((await ask(coaRequest({ acctSessionId: '0001', userName, activate: ['gold'] }))).code).toBe(
        CODE.CoaAck,
      );
      const reply = await ask(coaRequest({ userName, activate: ['silver'], identifier: 2 }));
      expect([reply.code, errorCause(reply)]).toEqual(isTold ? [CODE.CoaAck, undefined] : [CODE.CoaNak, 503]);
      expect(active(await system.session('0001'))).toEqual([isTold ? 'silver' : 'gold']);
      // An operator finds the session all the same, marked.
      const { dynamodb, tableName } = system.cloud;
      const shown: string[] = [];
      for await (const session of findSessions(new DynamoDBClient(dynamodb), tableName, userName))
        shown.push(describeSession(session, [], Date.now(), 'UTC'));
      expect(shown).toHaveLength(1);
      expect(shown[0]).toContain(isTold ? 'ann@isp\n' : 'ann@isp (unchecked)\n');
    } finally {
      await client.close();
      await system.stop();
      await nas.stop();
    }
  });
});
