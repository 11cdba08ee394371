// A policy server that is radclient, an accounting server that is FreeRADIUS, and Interlock between them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynoxide } from '../../local/cloud/emulators.ts';
import type { Pair } from '../peers/pairs.ts';
import { type RadclientResult, radclient, radclientPeer } from '../peers/radclient.ts';
import { type Radiusd, radiusdPeer, startRadiusd } from '../peers/radiusd.ts';
import { active, SECRET, startTestSystem, type TestSystem } from './support.ts';

const peers = [dynoxide, radclientPeer, radiusdPeer];
const skip = peers.some((peer) => peer.skip);
const title = (text: string) => peers.reduce((titled, peer) => peer.title(titled), text);

const ask = (
  { coaAddress }: TestSystem,
  attributes: readonly string[],
  command: 'coa' | 'disconnect' = 'coa',
): Promise<RadclientResult> => radclient({ command, port: coaAddress.port, secret: SECRET, attributes });

const of = (acctSessionId: string) => [
  'User-Name = "client1@isp1.com"',
  'NAS-IP-Address = 192.0.2.1',
  `Acct-Session-Id = "${acctSessionId}"`,
];

const valueIn = (record: readonly Pair[] | undefined, name: string) =>
  record?.find(([candidate]) => candidate === name)?.[1];

describe.skipIf(skip)(title('a CoA-Request of radclient'), () => {
  let radiusd: Radiusd;
  let system: TestSystem;
  beforeAll(async () => {
    radiusd = await startRadiusd(SECRET);
    system = await startTestSystem({ accountingPort: radiusd.port });
  });
  afterAll(async () => {
    await system.stop();
    await radiusd.stop();
  });

  /** The records of a subscriber session, as FreeRADIUS has them. */
  const recordsOf = async (acctSessionId: string) =>
    (await radiusd.records()).filter((record) =>
      valueIn(record, 'Acct-Session-Id')?.startsWith(`${acctSessionId}:`),
    );
  const brief = (records: readonly (readonly Pair[])[]) =>
    records.map(
      (record) => `${valueIn(record, 'Acct-Status-Type')} ${valueIn(record, 'ERX-Service-Session')}`,
    );

  it('switches a service, and FreeRADIUS has the records of it', async () => {
    const acctSessionId = 'erx FastEthernet 12/0:0001048580';
    const before = Math.floor(Date.now() / 1000);
    const common = [...of(acctSessionId), 'Class = 0x00ff10', 'Calling-Station-Id = "00-00-5e-00-53-01"'];
    const gold = await ask(system, [...common, 'ERX-Service-Activate:1 = "gold"']);
    const silver = await ask(system, [...common, 'ERX-Service-Activate:1 = "silver"']);
    expect([gold.answer?.code, silver.answer?.code]).toEqual(['CoA-ACK', 'CoA-ACK']);
    await system.events.untilAccounted(3);
    const after = Math.floor(Date.now() / 1000);

    const records = await recordsOf(acctSessionId);
    const [startGold, startSilver, stopGold] = records;
    expect(brief(records)).toEqual(['Start gold', 'Start silver', 'Stop gold']);
    const subscriber = [
      ['User-Name', 'client1@isp1.com'],
      ['NAS-IP-Address', '192.0.2.1'],
      ['Calling-Station-Id', '00-00-5e-00-53-01'],
      ['Class', '0x00ff10'],
      ['Acct-Authentic', 'RADIUS'],
    ];
    const [first = 0, second = 0, last = 0] = records.map((record) =>
      Number(valueIn(record, 'Acct-Session-Id')?.slice(`${acctSessionId}:`.length)),
    );
    expect(first).toBeGreaterThanOrEqual(before * 1000);
    expect([second, last]).toEqual([first + 1, first]);
    for (const record of [startGold, startSilver, stopGold]) {
      expect(record).toEqual(expect.arrayContaining(subscriber));
      const eventTimestamp = Date.parse(valueIn(record, 'Event-Timestamp') ?? '') / 1000;
      expect(eventTimestamp).toBeGreaterThanOrEqual(before);
      expect(eventTimestamp).toBeLessThanOrEqual(after);
    }
    const sessionTime = Number(valueIn(stopGold, 'Acct-Session-Time'));
    expect(sessionTime).toBeLessThanOrEqual(after - before);
    expect(valueIn(stopGold, 'Acct-Terminate-Cause')).toBe('NAS-Request');
    expect([startGold, startSilver].map((start) => valueIn(start, 'Acct-Session-Time'))).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('is accounted for the services whose statistics are on, and for no others', async () => {
    const acctSessionId = 'voice';
    const voice = [...of(acctSessionId), 'ERX-Service-Activate:1 = "voice"'];
    const tiered = [...of(acctSessionId), 'ERX-Service-Activate:1 = "tiered(1280000, 5120000)"'];
    const known = system.events.accounted.length;
    expect((await ask(system, voice)).answer?.code).toBe('CoA-ACK');
    expect((await ask(system, tiered)).answer?.code).toBe('CoA-ACK');
    // Records of one session come in order: one of voice would be there by now.
    await system.events.untilAccounted(known + 1);
    expect(brief(await recordsOf(acctSessionId))).toEqual(['Start tiered(1280000,5120000)']);
    expect(active(await system.session(acctSessionId))).toEqual(['tiered(1280000,5120000)', 'voice']);
  });

  it('is answered with a Message-Authenticator that radclient accepts, where it has one itself', async () => {
    const request = [...of('signed'), 'ERX-Service-Activate:1 = "voice"'];
    const signed = await ask(system, ['Message-Authenticator = 0x00', ...request]);
    expect(signed.answer?.code).toBe('CoA-ACK');
    expect(signed.answer?.attributes).toEqual([
      ['Message-Authenticator', expect.stringMatching(/^0x[0-9a-f]{32}$/)],
    ]);
    const unsigned = await ask(system, request);
    expect(unsigned.answer).toMatchObject({ code: 'CoA-ACK', attributes: [] });
    const refused = await ask(system, ['Message-Authenticator = 0x00', ...of('signed')]);
    expect(refused.answer).toMatchObject({
      code: 'CoA-NAK',
      attributes: [
        ['Message-Authenticator', expect.any(String)],
        ['Error-Cause', 'Missing-Attribute'],
      ],
    });
  });

  it.each([
    [
      '401',
      'Unsupported-Attribute',
      [...of('refused'), 'Filter-Id = "gold"', 'ERX-Service-Activate:1 = "gold"'],
    ],
    ['402', 'Missing-Attribute', ['User-Name = "client1@isp1.com"', 'ERX-Service-Activate:1 = "gold"']],
    ['402', 'Missing-Attribute', of('refused')],
    [
      '403',
      'NAS-Identification-Mismatch',
      ['Acct-Session-Id = "refused"', 'NAS-IP-Address = 192.0.2.99', 'ERX-Service-Activate:1 = "gold"'],
    ],
    ['404', 'Invalid-Request', [...of('refused'), 'ERX-Service-Activate:1 = "platinum"']],
    ['405', 'Unsupported-Service', [...of('refused'), 'Service-Type = Authorize-Only']],
    ['407', 'Invalid-Attribute-Value', [...of('refused'), 'ERX-Service-Activate:1 = "tiered"']],
  ])('is refused with Error-Cause %s, %s', async (_, cause, attributes) => {
    const { answer } = await ask(system, attributes);
    expect(answer).toMatchObject({ code: 'CoA-NAK', attributes: [['Error-Cause', cause]] });
    expect(await system.session('refused')).toBeUndefined();
  });

  it('is refused with Error-Cause 503 when it means another subscriber than that of the session', async () => {
    const gold = 'ERX-Service-Activate:1 = "gold"';
    await ask(system, [...of('stranger'), gold]);
    const stranger = ['User-Name = "client2@isp1.com"', 'Acct-Session-Id = "stranger"'];
    const { answer } = await ask(system, [...stranger, 'ERX-Service-Deactivate += "gold"']);
    expect(answer).toMatchObject({
      code: 'CoA-NAK',
      attributes: [['Error-Cause', 'Session-Context-Not-Found']],
    });
    expect(active(await system.session('stranger'))).toEqual(['gold']);
  });

  it('to disconnect ends the session and each of its services where the NAS is not told', async () => {
    await ask(system, [...of('disconnected'), 'ERX-Service-Activate:1 = "gold"']);
    const { answer } = await ask(system, of('disconnected'), 'disconnect');
    expect(answer).toMatchObject({ code: 'Disconnect-ACK', attributes: [] });
    expect((await system.session('disconnected'))?.services).toEqual({});
  });

  it.each([
    ['401', 'Unsupported-Attribute', [...of('unknown'), 'ERX-Service-Activate:1 = "gold"']],
    ['402', 'Missing-Attribute', ['NAS-IP-Address = 192.0.2.1']],
    ['503', 'Session-Context-Not-Found', of('unknown')],
  ])('to disconnect is refused with Error-Cause %s, %s', async (_, cause, attributes) => {
    const { answer } = await ask(system, attributes, 'disconnect');
    expect(answer).toMatchObject({ code: 'Disconnect-NAK', attributes: [['Error-Cause', cause]] });
  });
});

describe.skipIf(skip)(title('a CoA-Request of radclient where a group refuses newcomers'), () => {
  it('is refused with Error-Cause 501 while a member is active', async () => {
    const system = await startTestSystem({
      services: `
services: { gold: { mutexGroup: 12 }, silver: { mutexGroup: 12 } }
groups: { 12: { policy: refuse } }
`,
    });
    try {
      const asking = (attribute: string) => ask(system, [...of('refusing'), attribute]);
      expect((await asking('ERX-Service-Activate:1 = "gold"')).answer?.code).toBe('CoA-ACK');
      expect((await asking('ERX-Service-Activate:1 = "silver"')).answer).toMatchObject({
        code: 'CoA-NAK',
        attributes: [['Error-Cause', 'Administratively-Prohibited']],
      });
      expect(active(await system.session('refusing'))).toEqual(['gold']);
      expect((await asking('ERX-Service-Deactivate = "gold"')).answer?.code).toBe('CoA-ACK');
      expect((await asking('ERX-Service-Activate:1 = "silver"')).answer?.code).toBe('CoA-ACK');
    } finally {
      await system.stop();
    }
  });
});
