// Each service session is accounted once, by Interlock or by the NAS, and its records are known as those of one session.
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ServiceAccounting } from '../../../core/nas.ts';
import { ACCT_STATUS_TYPE } from '../../../core/radius/attributes.ts';
import { type Attribute, firstValue } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { startAccountingSink } from '../../../local/peers/accounting-sink.ts';
import { startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { Recorder, udpPeer } from '../../relay/support.ts';
import type { Pair } from '../peers/pairs.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import { radiusdPeer, shippedPeer, startUniqueRadiusd } from '../peers/radiusd.ts';
import { type Asked, coaRequest, exchange, PREPARED_SECRET, SECRET, startTestSystem } from './support.ts';

const LOCAL_PORT = { address: '127.0.0.1', port: 0 };

type System = Awaited<ReturnType<typeof startTestSystem>>;

/** A NAS that accounts what it is told to account, and Interlock, both with the accounting server on this port. */
async function startBoth(accountingPort: number, serviceAccounting: ServiceAccounting): Promise<System> {
  const nas = await startScriptedNas({
    address: LOCAL_PORT,
    secrets: [PREPARED_SECRET],
    accounting: {
      server: { address: '127.0.0.1', port: accountingPort, secret: PREPARED_SECRET },
      identity: { 'NAS-IP-Address': '192.0.2.1' },
    },
    now: Date.now,
  });
  const system = await startTestSystem({
    nasPort: nas.address.port,
    accountingPort,
    nas: { serviceAccounting },
  });
  onTestFinished(async () => {
    await system.stop();
    await nas.stop();
  });
  return system;
}

/** Interlock with a NAS that is not told. */
async function startOnly(accountingPort: number): Promise<System> {
  const system = await startTestSystem({ accountingPort });
  onTestFinished(() => system.stop());
  return system;
}

let identifier = 0;
afterEach(() => {
  identifier = 0;
});

/** Asks from a port of its own, and expects CoA-ACK. */
async function ask({ coaAddress }: System, asked: Asked): Promise<void> {
  const client = await udpPeer();
  try {
    const answer = await exchange(client, coaRequest({ identifier: ++identifier, ...asked }), coaAddress);
    expect(answer.code).toBe(CODE.CoaAck);
  } finally {
    await client.close();
  }
}

const statistics = (value: number) => ({ name: 'ERX-Service-Statistics', tag: 1, value }) as const;

describe.skipIf(dynoxide.skip)(dynoxide.title('a service session'), () => {
  const MINE = /^0001:\d{13}$/;
  const ITS = /^0001:\d{6}$/;

  it.each<[sender: string, mode: ServiceAccounting, id: RegExp]>([
    ['Interlock', 'interlock', MINE],
    ['the NAS', 'nas', ITS],
  ])('has one Start and one Stop of %s, and none of the other', async (_, mode, id) => {
    const recorded = new Recorder<readonly Attribute[]>();
    const sink = await startAccountingSink(LOCAL_PORT, [PREPARED_SECRET], recorded.add);
    if (sink === undefined) throw new Error('no free port');
    onTestFinished(() => sink.stop());
    const system = await startBoth(sink.address.port, mode);
    const acctSessionId = '0001';
    await ask(system, { acctSessionId, activate: ['gold'] });
    await ask(system, { acctSessionId, activate: ['silver'] });
    // Time, then time and volume, is no new accounting; nothing, then time, is.
    await ask(system, { acctSessionId, activate: ['silver'], more: [statistics(2)] });
    await ask(system, { acctSessionId, activate: ['silver'], more: [statistics(0)] });
    await ask(system, { acctSessionId, activate: ['silver'], more: [statistics(1)] });
    await ask(system, { acctSessionId, deactivate: ['silver'] });
    // One more, whose Start is behind all that the others may have led to.
    await ask(system, { acctSessionId, activate: ['bronze'] });
    const records = await recorded.atLeast(7);

    const brief = records.map((attributes) => ({
      status: firstValue(attributes, 'Acct-Status-Type') === ACCT_STATUS_TYPE.Start ? 'Start' : 'Stop',
      id: firstValue(attributes, 'Acct-Session-Id') ?? '',
      service: firstValue(attributes, 'ERX-Service-Session'),
    }));
    expect(brief.map(({ status, service }) => `${status} ${service}`)).toEqual([
      'Start gold',
      'Start silver',
      'Stop gold',
      'Stop silver',
      'Start silver',
      'Stop silver',
      'Start bronze',
    ]);
    for (const { id: acctId } of brief) expect(acctId).toMatch(id);
    const ids = brief.map(({ id: acctId }) => acctId);
    expect(ids.filter((one) => ids.filter((other) => other === one).length !== 2)).toHaveLength(1);
    expect(new Set(ids).size).toBe(4);
  });
});

const peers = [dynoxide, radclientPeer, radiusdPeer, shippedPeer];
const title = (text: string) => peers.reduce((titled, peer) => peer.title(titled), text);

describe.skipIf(peers.some(({ skip }) => skip))(title('FreeRADIUS with its stock policy acct_unique'), () => {
  const valueIn = (record: readonly Pair[], name: string) =>
    record.find(([candidate]) => candidate === name)?.[1];

  it.each(['coa', 'none'])(
    'knows Start and Stop of each service as one session, whatever is learned between them: enforcement %s',
    async (enforcement) => {
      const radiusd = await startUniqueRadiusd(SECRET);
      onTestFinished(() => radiusd.stop());
      const system =
        enforcement === 'coa' ? await startBoth(radiusd.port, 'interlock') : await startOnly(radiusd.port);
      const says = async (...attributes: readonly string[]) => {
        const request = { command: 'coa', port: system.coaAddress.port, secret: SECRET } as const;
        const session = 'Acct-Session-Id = "0001048580"';
        const { answer } = await radclient({ ...request, attributes: [session, ...attributes] });
        expect(answer?.code).toBe('CoA-ACK');
      };
      const activate = (name: string) => `ERX-Service-Activate:1 = "${name}"`;
      // voice stays until the end, when all is known.
      const voice = ['ERX-Service-Activate:2 = "voice"', 'ERX-Service-Statistics:2 = 1'];
      await says(activate('bronze'), ...voice);
      // Each request says one thing more of the subscriber, and replaces the service that began before it was known.
      const learned = [
        'User-Name = "client1@isp1.com"',
        'NAS-Port-Id = "ge-1/0/0.7"',
        'NAS-Port = 7',
        'Framed-IP-Address = 198.51.100.7',
        'Class = 0x7072656d69756d',
        'Class = "ai:0123456789abcdef0123456789abcdef"',
        'Class = "ai:fedcba9876543210fedcba9876543210"',
      ];
      for (const [index, attribute] of learned.entries())
        await says(attribute, activate(index % 2 === 0 ? 'gold' : 'silver'));
      await says('ERX-Service-Deactivate += "gold"', 'ERX-Service-Deactivate += "voice"');
      await system.events.untilAccounted(2 * (2 + learned.length));

      const records = await radiusd.records();
      const sessions = Map.groupBy(records, (record) => valueIn(record, 'Acct-Unique-Session-Id') ?? 'none');
      expect(sessions.size).toBe(2 + learned.length);
      for (const [unique, [start = [], stop = [], ...others]] of sessions) {
        expect(unique).toMatch(/^[0-9a-f]{32}$/);
        expect([valueIn(start, 'Acct-Status-Type'), valueIn(stop, 'Acct-Status-Type')]).toEqual([
          'Start',
          'Stop',
        ]);
        expect(valueIn(stop, 'Acct-Session-Id')).toBe(valueIn(start, 'Acct-Session-Id'));
        expect(others).toEqual([]);
      }
      // Each was said with the Start that followed it.
      const all = JSON.stringify(records);
      for (const value of ['client1@isp1.com', 'ge-1/0/0.7', '198.51.100.7', '0x7072656d69756d'])
        expect(all).toContain(value);
    },
  );
});
