// Captured requests that are sent again, and clients that ask for what they may not touch, over real UDP.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Attribute } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { type ScriptedNas, startScriptedNas } from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { signedRequest, type UdpPeer, udpPeer } from '../../relay/support.ts';
import {
  active,
  errorCause,
  exchange,
  PREPARED_SECRET,
  SECRET,
  startParts,
  startTestSystem,
  type TestSystem,
} from './support.ts';

const SERVICES = 'services:\n  gold: { mutexGroup: 1 }\n  silver: { mutexGroup: 1 }\n  voice: {}\n';

const definition = (client: object, nasPort: number) =>
  stringify({
    site: 'test',
    relay: { coa: '127.0.0.1:0', http: '127.0.0.1:0' },
    clients: [{ name: 'policy', source: '127.0.0.1', secret: SECRET, ...client }],
    nases: [
      {
        name: 'bng-1',
        address: `127.0.0.1:${nasPort}`,
        secret: SECRET,
        identifiedBy: ['192.0.2.1'],
        enforcement: 'coa',
        answerTimeoutSeconds: 5,
      },
    ],
  });

interface Wish {
  readonly acctSessionId?: string;
  readonly userName?: string;
  readonly activate?: string;
  readonly deactivate?: string;
  /** Seconds from now. */
  readonly ahead?: number;
  readonly identifier?: number;
  readonly code?: number;
}

/** The octets of a request that has all that can be required of it. */
function captured({ acctSessionId, userName, activate, deactivate, ahead = 0, identifier = 1, code }: Wish) {
  const attributes: Attribute[] = [
    ...(userName === undefined ? [] : [{ name: 'User-Name', value: userName } as const]),
    ...(acctSessionId === undefined ? [] : [{ name: 'Acct-Session-Id', value: acctSessionId } as const]),
    ...(activate === undefined ? [] : [{ name: 'ERX-Service-Activate', tag: 1, value: activate } as const]),
    ...(deactivate === undefined ? [] : [{ name: 'ERX-Service-Deactivate', value: deactivate } as const]),
    { name: 'Event-Timestamp', value: Math.floor(Date.now() / 1000) + ahead },
  ];
  return signedRequest({
    attributes,
    identifier,
    secret: PREPARED_SECRET,
    ...(code !== undefined && { code }),
  });
}

describe.skipIf(dynoxide.skip)(dynoxide.title('over UDP'), () => {
  let nas: ScriptedNas;
  let client: UdpPeer;
  let attacker: UdpPeer;
  beforeAll(async () => {
    nas = await startScriptedNas({
      address: { address: '127.0.0.1', port: 0 },
      secrets: [PREPARED_SECRET],
      now: Date.now,
    });
    [client, attacker] = await Promise.all([udpPeer(), udpPeer()]);
  });
  afterAll(async () => {
    await Promise.all([nas.stop(), client.close(), attacker.close()]);
  });

  const commandsFor = (acctSessionId: string) =>
    nas.record.filter((entry) => entry.acctSessionId === acctSessionId).length;

  describe('a captured request', () => {
    let system: TestSystem;
    beforeAll(async () => {
      const required = { requireEventTimestamp: true, requireMessageAuthenticator: true };
      system = await startTestSystem({
        services: SERVICES,
        definition: definition(required, nas.address.port),
      });
    });
    afterAll(() => system.stop());

    const ask = async (wish: Wish, peer = client) =>
      (await exchange(peer, captured(wish), system.coaAddress)).code;
    /** Resolves when what was discarded is reported. */
    const untilDiscarded = () =>
      system.events.next(({ source, event }) => source === 'decide' && event.kind === 'discarded');

    it.each([0, 299])('that is %i s ahead rolls nothing back from another port', async (ahead) => {
      const acctSessionId = `other port ${ahead}`;
      const gold = captured({ acctSessionId, activate: 'gold', ahead });
      expect((await exchange(client, gold, system.coaAddress)).code).toBe(CODE.CoaAck);
      expect(await ask({ acctSessionId, activate: 'silver', ahead, identifier: 2 })).toBe(CODE.CoaAck);
      const told = commandsFor(acctSessionId);
      expect((await exchange(attacker, gold, system.coaAddress)).code).toBe(CODE.CoaAck);
      expect(active(await system.session(acctSessionId))).toEqual(['silver']);
      expect(commandsFor(acctSessionId)).toBe(told);
    });

    it('rolls nothing back behind 17 further answers, and gets none', async () => {
      const acctSessionId = 'further answers';
      const gold = captured({ acctSessionId, activate: 'gold', ahead: -7 });
      expect((await exchange(client, gold, system.coaAddress)).code).toBe(CODE.CoaAck);
      for (let further = 0; further < 17; further++)
        expect(await ask({ acctSessionId, activate: 'silver', identifier: 10 + further })).toBe(CODE.CoaAck);
      const told = commandsFor(acctSessionId);
      const discarded = untilDiscarded();
      await client.send(gold, system.coaAddress);
      expect(await discarded).toMatchObject({ event: { reason: 'outdated', client: 'policy' } });
      expect(active(await system.session(acctSessionId))).toEqual(['silver']);
      expect(commandsFor(acctSessionId)).toBe(told);
    });

    it('ends no session that began later under the same Acct-Session-Id', async () => {
      const acctSessionId = 'ended';
      expect(await ask({ acctSessionId, activate: 'gold' })).toBe(CODE.CoaAck);
      const end = captured({ acctSessionId, code: CODE.DisconnectRequest, identifier: 2 });
      expect((await exchange(client, end, system.coaAddress)).code).toBe(CODE.DisconnectAck);
      const told = commandsFor(acctSessionId);
      expect((await exchange(attacker, end, system.coaAddress)).code).toBe(CODE.DisconnectAck);
      expect(commandsFor(acctSessionId)).toBe(told);
    });

    it('is carried out beside another one of the same second', async () => {
      const acctSessionId = 'same second';
      const both = ['gold', 'voice'].map((activate, index) =>
        captured({ acctSessionId, activate, identifier: index + 1 }),
      );
      for (const one of both) expect((await exchange(client, one, system.coaAddress)).code).toBe(CODE.CoaAck);
      expect(active(await system.session(acctSessionId))).toEqual(['gold', 'voice']);
    });

    it('without Acct-Session-Id means the session that it was found to mean', async () => {
      const [acctSessionId, userName] = ['looked up', 'ann@isp1.com'];
      expect(await ask({ acctSessionId, userName, activate: 'gold' })).toBe(CODE.CoaAck);
      const silver = captured({ userName, activate: 'silver', identifier: 2 });
      expect((await exchange(client, silver, system.coaAddress)).code).toBe(CODE.CoaAck);
      expect(await ask({ userName, activate: 'gold', identifier: 3 })).toBe(CODE.CoaAck);
      expect((await exchange(attacker, silver, system.coaAddress)).code).toBe(CODE.CoaAck);
      expect(active(await system.session(acctSessionId))).toEqual(['gold']);
    });
  });

  it('a captured request is not carried out by a relay that was restarted', async () => {
    const parts = await startParts();
    try {
      const wish = { acctSessionId: 'restart', userName: 'client1@isp1.com' };
      const gold = captured({ ...wish, activate: 'gold' });
      expect((await exchange(client, gold, parts.coaAddress())).code).toBe(CODE.CoaAck);
      const silver = captured({ ...wish, activate: 'silver', identifier: 2 });
      expect((await exchange(client, silver, parts.coaAddress())).code).toBe(CODE.CoaAck);
      const before = active(await parts.session('restart'));
      await parts.relay.stop();
      await parts.relay.start();
      expect((await exchange(attacker, gold, parts.coaAddress())).code).toBe(CODE.CoaAck);
      expect(active(await parts.session('restart'))).toEqual(before);
    } finally {
      await parts.end();
    }
  });

  describe('a client that is restricted', () => {
    let system: TestSystem;
    beforeAll(async () => {
      const rights = { realms: ['isp1.com'], services: ['gold', 'silver'], operations: ['activate'] };
      system = await startTestSystem({
        services: SERVICES,
        definition: definition(rights, nas.address.port),
      });
    });
    afterAll(() => system.stop());

    const ask = (wish: Wish) => exchange(client, captured(wish), system.coaAddress);

    it('gets what it may ask for, and 501 for another service or operation', async () => {
      const own = { acctSessionId: 'own', userName: 'ann@isp1.com' };
      expect((await ask({ ...own, activate: 'gold' })).code).toBe(CODE.CoaAck);
      expect(errorCause(await ask({ ...own, activate: 'voice', identifier: 2 }))).toBe(501);
      expect(errorCause(await ask({ ...own, deactivate: 'gold', identifier: 3 }))).toBe(501);
      const end = await ask({ ...own, code: CODE.DisconnectRequest, identifier: 4 });
      expect([end.code, errorCause(end)]).toEqual([CODE.DisconnectNak, 501]);
      expect(active(await system.session('own'))).toEqual(['gold']);
      // The session is known by now: a look-up finds it, and its realm need not be said again.
      expect((await ask({ acctSessionId: 'own', activate: 'silver', identifier: 5 })).code).toBe(CODE.CoaAck);
      expect((await ask({ userName: 'ann@isp1.com', activate: 'gold', identifier: 6 })).code).toBe(
        CODE.CoaAck,
      );
    });

    it.each<[string, Pick<Wish, 'userName'>]>([
      ['of another realm', { userName: 'bob@isp2.com' }],
      ['whose realm is not known', {}],
    ])('gets no answer for a subscriber %s, and the NAS is not told', async (_, who) => {
      const acctSessionId = `not own ${who.userName}`;
      const discarded = system.events.next(
        ({ source, event }) => source === 'decide' && event.kind === 'discarded',
      );
      await client.send(
        captured({ acctSessionId, ...who, activate: 'gold', identifier: 7 }),
        system.coaAddress,
      );
      expect(await discarded).toMatchObject({ event: { reason: 'realm', client: 'policy' } });
      expect(commandsFor(acctSessionId)).toBe(0);
      expect(await system.session(acctSessionId)).toBeUndefined();
    });
  });
});
