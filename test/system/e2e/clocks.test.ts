// Relays whose clocks are wrong. The answers are those of any other relay.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { type Clock, systemClock } from '../../../relay/clock.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort, udpPeer } from '../../relay/support.ts';
import {
  type Asked,
  active,
  coaRequest,
  exchange,
  PREPARED_SECRET,
  startTestSystem,
  type TestSystem,
} from './support.ts';

describe.skipIf(dynoxide.skip)(dynoxide.title('a relay whose clock is wrong'), () => {
  let nas: ScriptedNas;
  let system: TestSystem;
  let aheadMs = 0;
  const relayClock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };

  async function start(ms: number): Promise<void> {
    aheadMs = ms;
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      now: Date.now,
    });
    system = await startTestSystem({
      nasPort: nas.address.port,
      accountingPort: await closedPort(),
      relayClock,
    });
  }
  afterEach(async () => {
    await system.stop();
    await nas.stop();
  });

  const codeOf = ({ code }: Packet) => (code === CODE.CoaAck ? 'ACK' : 'NAK');

  it.each([
    [31_000, 'ahead of'],
    [-45_000, 'behind'],
  ])('by %i ms, %s the cloud, is answered as any other, and shows it', async (ms) => {
    await start(ms);
    const client = await udpPeer();
    const ask = async (asked: Asked) => codeOf(await exchange(client, coaRequest(asked), system.coaAddress));
    const acctSessionId = 'skewed';
    expect([
      await ask({ acctSessionId, activate: ['gold'] }),
      await ask({ acctSessionId, activate: ['silver'], identifier: 2 }),
      await ask({ acctSessionId, deactivate: ['silver'], identifier: 3 }),
      await ask({ acctSessionId, activate: ['gold'], identifier: 4 }),
    ]).toEqual(['ACK', 'ACK', 'ACK', 'ACK']);
    await client.close();
    expect(nas.services(acctSessionId)).toEqual(['gold']);
    expect(active(await system.session(acctSessionId))).toEqual(['gold']);
    const skew = async () =>
      Number(/^interlock_relay_clock_skew_seconds (.+)$/m.exec(await system.metrics())?.[1]);
    await vi.waitFor(async () => expect(Math.abs((await skew()) * 1000 - ms)).toBeLessThan(2_000));
    const skewed = system.events.all.filter(({ event }) => event.kind === 'clock-skewed');
    expect(skewed.length).toBe(1);
    expect(system.events.all.filter(({ event }) => event.kind === 'command-not-sent')).toEqual([]);
  });

  it('steps back by 1.5 s between two requests: A, B and A again ends at A', async () => {
    await start(0);
    const client = await udpPeer();
    const ask = async (asked: Asked) => codeOf(await exchange(client, coaRequest(asked), system.coaAddress));
    const acctSessionId = 'stepping';
    const a = { acctSessionId, activate: ['gold'], identifier: 1 };
    const b = { acctSessionId, activate: ['silver'], identifier: 2 };
    expect([await ask(a), await ask(b)]).toEqual(['ACK', 'ACK']);
    aheadMs = -1_500;
    expect(await ask(a)).toBe('ACK');
    expect(nas.services(acctSessionId)).toEqual(['gold']);
    aheadMs = 3_000;
    expect(await ask(b)).toBe('ACK');
    expect(nas.services(acctSessionId)).toEqual(['silver']);
    aheadMs = -60_000;
    expect(await ask(a)).toBe('ACK');
    expect(nas.services(acctSessionId)).toEqual(['gold']);
    await client.close();
  });
});
