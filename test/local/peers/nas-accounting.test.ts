import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Attribute, firstValue } from '../../../core/radius/codec.ts';
import { startAccountingSink } from '../../../local/peers/accounting-sink.ts';
import type { NasAccountingServer } from '../../../local/peers/nas-accounting.ts';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { LOCALHOST, packetOf, Recorder, SECRET, signedRequest, udpPeer } from '../../relay/support.ts';

const FREE_PORT = { address: LOCALHOST, port: 0 };
const NOW_MS = Date.UTC(2026, 10, 22, 5, 0, 0);
const ANN = { identity: { 'User-Name': 'ann@isp' }, services: ['bronze', 'voice'] };

type Records = Recorder<readonly Attribute[]>;

/** An accounting server. */
async function server(): Promise<{ readonly address: NasAccountingServer; readonly records: Records }> {
  const records: Records = new Recorder();
  const sink = await startAccountingSink(FREE_PORT, [SECRET], records.add);
  if (sink === undefined) throw new Error('there is no free port');
  onTestFinished(sink.stop);
  return { address: { ...sink.address, secret: SECRET }, records };
}

/** The first records that have come: Acct-Status-Type, Acct-Session-Id, service and Acct-Terminate-Cause. */
async function first(count: number, records: Records): Promise<readonly string[]> {
  while (records.all.length < count) await records.next();
  return records.all.map((attributes) =>
    (['Acct-Status-Type', 'Acct-Session-Id', 'ERX-Service-Session', 'Acct-Terminate-Cause'] as const)
      .flatMap((name) => firstValue(attributes, name) ?? [])
      .join(' '),
  );
}

describe('a NAS that accounts its sessions', () => {
  let nas: ScriptedNas;
  let home: Awaited<ReturnType<typeof server>>;
  let relay: Awaited<ReturnType<typeof server>>;
  let nowMs = NOW_MS;
  beforeEach(async () => {
    nowMs = NOW_MS;
    home = await server();
    relay = await server();
    nas = await startScriptedNas({
      address: FREE_PORT,
      secrets: [SECRET],
      accounting: {
        server: home.address,
        relay: () => relay.address,
        identity: { 'NAS-IP-Address': '192.0.2.1' },
        accountsSessions: true,
      },
      now: () => nowMs,
    });
    onTestFinished(nas.stop);
  });

  it('accounts a session, then its services from log-in, and at log-off its services first', async () => {
    nas.logIn('a1', ANN);
    nowMs += 60_000;
    nas.logOff('a1', 'Lost-Carrier');
    const expected = [
      '1 a1',
      '1 a1:000001 bronze',
      '1 a1:000002 voice',
      '2 a1:000001 bronze 2',
      '2 a1:000002 voice 2',
      '2 a1 2',
    ];
    expect(await first(6, home.records)).toEqual(expected);
    expect(await first(6, relay.records)).toEqual(expected);
    expect(home.records.all[0]).toEqual(
      expect.arrayContaining([
        { name: 'User-Name', value: 'ann@isp' },
        { name: 'NAS-IP-Address', value: '192.0.2.1' },
        { name: 'Event-Timestamp', value: NOW_MS / 1000 },
      ]),
    );
    expect(firstValue(home.records.all[5] ?? [], 'Acct-Session-Time')).toBe(60);
  });

  it('accounts the end of a service from log-in that it is told to deactivate, and of a session that is disconnected', async () => {
    nas.logIn('a1', ANN);
    const client = await udpPeer();
    onTestFinished(client.close);
    const ask = async (attributes: readonly Attribute[], code?: number) => {
      const answer = client.received.next();
      const id = { name: 'Acct-Session-Id', value: 'a1' } as const;
      const request = signedRequest({
        identifier: attributes.length,
        attributes: [id, ...attributes],
        ...(code !== undefined && { code }),
      });
      await client.send(request, nas.address);
      return packetOf((await answer).datagram).code;
    };
    nowMs = Date.now();
    expect(await ask([{ name: 'ERX-Service-Deactivate', value: 'bronze' }])).toBe(44);
    expect(await ask([], 40)).toBe(41);
    expect((await first(6, relay.records)).slice(3)).toEqual([
      '2 a1:000001 bronze 10',
      '2 a1:000002 voice 6',
      '2 a1 6',
    ]);
  });

  it('sends nothing but Accounting-On after a reboot, which has ended all sessions', async () => {
    nas.logIn('a1', ANN);
    nas.reboot();
    nas.logOff('a1');
    nas.logIn('a2');
    expect((await first(5, relay.records)).slice(3)).toEqual(['7', '1 a2']);
    expect(nas.services('a1')).toEqual([]);
  });

  it('has sessions that another program accounts in its name, and leaves its own to itself', async () => {
    nas.logIn('own', ANN);
    const client = await udpPeer();
    onTestFinished(client.close);
    let identifier = 0;
    const disconnect = async (acctSessionId: string) => {
      const answer = client.received.next();
      const attributes = [{ name: 'Acct-Session-Id', value: acctSessionId }] as const;
      await client.send(signedRequest({ identifier: identifier++, attributes, code: 40 }), nas.address);
      return packetOf((await answer).datagram).code;
    };
    expect(await disconnect('a1')).toBe(42);
    nas.accountedElsewhere({ status: 'start', acctSessionId: 'a1' });
    nas.accountedElsewhere({ status: 'start', acctSessionId: 'a2' });
    nas.accountedElsewhere({ status: 'stop', acctSessionId: 'own' });
    expect(await disconnect('a1')).toBe(41);
    nas.accountedElsewhere({ status: 'on' });
    expect(await disconnect('a2')).toBe(42);
    expect(nas.services('own')).toEqual(['bronze', 'voice']);
  });
});
