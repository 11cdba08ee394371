// A NAS that has another name in the site file after a restart: its sessions are stored under the name of before.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CODE } from '../../../core/radius/packet.ts';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort, udpPeer } from '../../relay/support.ts';
import { coaRequest, exchange, PREPARED_SECRET, startTestSystem, temporaryFolder } from './support.ts';

describe.skipIf(dynoxide.skip)(dynoxide.title('a NAS that was renamed'), () => {
  let nas: ScriptedNas;
  beforeAll(async () => {
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      script: () => 'ack',
      now: Date.now,
    });
  });
  afterAll(() => nas.stop());

  /** Activates one service after the other, each under a NAS that is called something else. */
  async function switched(
    ...runs: readonly (readonly [service: string, named: Readonly<Record<string, unknown>>])[]
  ) {
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const accountingPort = await closedPort();
    const acctSessionId = folder.path.slice(-6);
    const records: string[] = [];
    for (const [identifier, [service, named]] of runs.entries()) {
      const system = await startTestSystem({
        nasPort: nas.address.port,
        accountingPort,
        dataDirectory: folder.path,
        nas: named,
      });
      const client = await udpPeer();
      const asked = coaRequest({ acctSessionId, activate: [service], identifier });
      expect((await exchange(client, asked, system.coaAddress)).code).toBe(CODE.CoaAck);
      await client.close();
      const isReplaced = identifier > 0 && 'formerly' in named;
      records.push(...(await system.events.untilRecorded(acctSessionId, isReplaced ? 2 : 1)));
      await system.stop();
    }
    const { services = [] } = nas.record.findLast((entry) => entry.acctSessionId === acctSessionId) ?? {};
    return { services, records };
  }

  it('goes on with its sessions where the site file has its former name', async () => {
    expect(
      await switched(['gold', { name: 'bng-1' }], ['silver', { name: 'bng-2', formerly: ['bng-1'] }]),
    ).toEqual({
      services: ['silver'],
      records: ['Start gold', 'Start silver', 'Stop gold'],
    });
  });

  it('begins anew where it has not, and the NAS then has two services of a group', async () => {
    expect(await switched(['gold', { name: 'bng-1' }], ['silver', { name: 'bng-2' }])).toEqual({
      services: ['gold', 'silver'],
      records: ['Start gold', 'Start silver'],
    });
  });
});
