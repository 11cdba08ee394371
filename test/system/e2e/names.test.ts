// What NASes call services, through the whole system: catalogue, request, table, queues, NAS, accounting, history.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeSession } from '../../../cli/session-text.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
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

const NAMES = [
  '30720',
  '0x10',
  '10M_20M',
  'rate-limit;5120;30720',
  'Gold Plus',
  'isp/gold',
  'größe',
  '黄金 🥇',
  'in,out',
  `"'\\`,
  'ö'.repeat(123),
];
const SERVICES = JSON.stringify({
  services: Object.fromEntries([
    ...NAMES.map((name) => [name, { mutexGroup: 12, statistics: 'time' }] as const),
    ['Zeit/Ζεύς', { parameters: ['a b', 'größe'], mutexGroup: 12, statistics: 'time' }] as const,
  ]),
});

describe.skipIf(dynoxide.skip)(dynoxide.title('services by the names that NASes give them'), () => {
  let nas: ScriptedNas;
  let system: TestSystem;
  beforeAll(async () => {
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      script: () => 'ack',
      now: Date.now,
    });
    system = await startTestSystem({
      services: SERVICES,
      nasPort: nas.address.port,
      accountingPort: await closedPort(),
    });
  });
  afterAll(async () => {
    await system.stop();
    await nas.stop();
  });

  async function ask(asked: Asked) {
    const client = await udpPeer();
    try {
      return await exchange(client, coaRequest(asked), system.coaAddress);
    } finally {
      await client.close();
    }
  }
  const atNas = (acctSessionId: string) =>
    nas.record.findLast((entry) => entry.acctSessionId === acctSessionId)?.services;

  it('are switched, told, stored, accounted and shown as they are written', async () => {
    const acctSessionId = 'each in turn';
    for (const name of NAMES) {
      expect((await ask({ acctSessionId, activate: [name] })).code).toBe(CODE.CoaAck);
      expect([atNas(acctSessionId), active(await system.session(acctSessionId))]).toEqual([[name], [name]]);
    }
    const last = { acctSessionId, activate: ['Zeit/Ζεύς( 10 M , ä )'], deactivate: NAMES.slice(-1) };
    expect((await ask(last)).code).toBe(CODE.CoaAck);
    expect(atNas(acctSessionId)).toEqual(['Zeit/Ζεύς(10 M,ä)']);

    const records = await system.events.untilRecorded(acctSessionId, 2 * NAMES.length + 1);
    const starts = records.filter((record) => record.startsWith('Start '));
    expect(starts).toEqual([...NAMES, 'Zeit/Ζεύς(10 M,ä)'].map((name) => `Start ${name}`));
    expect(records.filter((record) => record.startsWith('Stop '))).toEqual(
      NAMES.map((name) => `Stop ${name}`),
    );

    const session = await system.session(acctSessionId);
    const shown = session && describeSession(session, [], Date.now(), 'UTC');
    expect(shown).toContain('\n  Zeit/Ζεύς(10 M,ä)  12     active ');
    const isLast = ({ deactivated = [] }: { readonly deactivated?: readonly string[] }) =>
      deactivated.includes(NAMES.at(-1) ?? '');
    expect((await system.history(acctSessionId, isLast)).some(isLast)).toBe(true);
  });

  it('are deactivated by their bare names, and from log-in by names that no catalogue has', async () => {
    const acctSessionId = 'deactivated';
    nas.logIn(acctSessionId, { services: ['Log-in; 1 Mbit/s ±5 %', 'voice'] });
    await ask({ acctSessionId, activate: ['Zeit/Ζεύς(1,2)'] });
    expect((await ask({ acctSessionId, deactivate: ['Zeit/Ζεύς', 'Log-in; 1 Mbit/s ±5 %'] })).code).toBe(
      CODE.CoaAck,
    );
    expect(atNas(acctSessionId)).toEqual(['voice']);
    expect(active(await system.session(acctSessionId))).toEqual([]);
  });

  it.each([
    ['gold plus', 404],
    ['Gold  Plus', 404],
    ['gro\u0308\u00dfe', 404],
    ['gold\u0007', 407],
    ['\u202eevalG', 407],
    ['constructor', 407],
    ['__proto__', 407],
    ['Gold (Plus', 407],
  ])('are not %j', async (name, cause) => {
    const refused = await ask({ acctSessionId: 'refused', activate: [name] });
    expect([refused.code, errorCause(refused)]).toEqual([CODE.CoaNak, cause]);
  });

  it.each(['toString', 'hasOwnProperty', '__proto__', 'a\nb'])('from log-in are not %j', async (name) => {
    const refused = await ask({ acctSessionId: 'refused', deactivate: [name] });
    expect([refused.code, errorCause(refused)]).toEqual([CODE.CoaNak, 407]);
    expect(nas.record.filter((entry) => entry.acctSessionId === 'refused')).toEqual([]);
  });
});
