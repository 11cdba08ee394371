// A NAS that is told: what a subscriber has at each moment is read from its own record.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import { type NasScript, type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort, udpPeer } from '../../relay/support.ts';
import {
  type Asked,
  active,
  coaRequest,
  errorCause,
  exchange,
  PREPARED_SECRET,
  startTestSystem,
  type TestSystem,
} from './support.ts';

// Two of them wait until somebody loses patience, so they wait side by side.
describe.skipIf(dynoxide.skip).concurrent(dynoxide.title('a subscriber at a NAS that is told'), () => {
  /** By Acct-Session-Id; without one everything is done and answered. */
  const scripts = new Map<string, NasScript>();
  let nas: ScriptedNas;
  let system: TestSystem;
  beforeAll(async () => {
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      script: (request) => scripts.get(request.acctSessionId ?? '')?.(request) ?? 'ack',
      now: Date.now,
    });
    system = await startTestSystem({ nasPort: nas.address.port, accountingPort: await closedPort() });
  });
  afterAll(async () => {
    await system.stop();
    await nas.stop();
  });

  /** Asks from a port of its own. */
  async function ask(asked: Asked): Promise<Packet> {
    const client = await udpPeer();
    try {
      return await exchange(client, coaRequest(asked), system.coaAddress);
    } finally {
      await client.close();
    }
  }

  /** `+gold`, `-silver`: what the NAS did for a subscriber session, and what he had after it. */
  const told = (acctSessionId: string) =>
    nas.record
      .filter((entry) => entry.acctSessionId === acctSessionId && entry.answer === 'ack')
      .map(({ operation, service, services }) => [
        `${operation === 'activate' ? '+' : '-'}${service}`,
        ...services,
      ]);

  it('has the new service before the old one goes, and is accounted for it so', async ({ expect }) => {
    const acctSessionId = 'make before break';
    expect((await ask({ acctSessionId, activate: ['gold'] })).code).toBe(CODE.CoaAck);
    expect((await ask({ acctSessionId, activate: ['silver'], identifier: 2 })).code).toBe(CODE.CoaAck);
    expect(told(acctSessionId)).toEqual([
      ['+gold', 'gold'],
      ['+silver', 'gold', 'silver'],
      ['-gold', 'silver'],
    ]);
    expect(active(await system.session(acctSessionId))).toEqual(['silver']);
    const records = await system.events.untilRecorded(acctSessionId, 3);
    expect(records).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('keeps what he has when the NAS refuses the new service, and the client hears why', async ({
    expect,
  }) => {
    const acctSessionId = 'refused';
    await ask({ acctSessionId, activate: ['gold'] });
    scripts.set(acctSessionId, () => ({ nak: ERROR_CAUSE['Resources-Unavailable'] }));
    const reply = await ask({ acctSessionId, activate: ['silver'], identifier: 2 });
    scripts.delete(acctSessionId);
    expect(reply.code).toBe(CODE.CoaNak);
    expect(errorCause(reply)).toBe(506);
    expect(nas.services(acctSessionId)).toEqual(['gold']);
    expect(active(await system.session(acctSessionId))).toEqual(['gold']);
    // The record of the next change is the next record: the refusal left none.
    await ask({ acctSessionId, deactivate: ['gold'], identifier: 3 });
    expect(await system.events.untilRecorded(acctSessionId, 2)).toEqual(['Start gold', 'Stop gold']);
  });

  it('is switched once though an answer of the NAS is lost', async ({ expect }) => {
    const acctSessionId = 'lossy';
    scripts.set(acctSessionId, ({ attempt }) => (attempt === 1 ? 'lose-reply' : 'ack'));
    expect((await ask({ acctSessionId, activate: ['gold'] })).code).toBe(CODE.CoaAck);
    expect(told(acctSessionId)).toEqual([['+gold', 'gold']]);
    expect(active(await system.session(acctSessionId))).toEqual(['gold']);
  });

  it('is left as he was by a NAS that stays silent, and the client hears 505', async ({ expect }) => {
    const acctSessionId = 'silent';
    await ask({ acctSessionId, activate: ['gold'] });
    scripts.set(acctSessionId, () => 'lose-request');
    const reply = await ask({ acctSessionId, activate: ['silver'], identifier: 2 });
    scripts.delete(acctSessionId);
    expect(reply.code).toBe(CODE.CoaNak);
    expect(errorCause(reply)).toBe(505);
    expect(nas.services(acctSessionId)).toEqual(['gold']);
    expect((await system.session(acctSessionId))?.services['gold']).toMatchObject({ state: 'active' });
  });
});
