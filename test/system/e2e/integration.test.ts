// CoA-Requests by way of a real FreeRADIUS, as docs/integration.md has it.
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import {
  type NasMove,
  type NasScript,
  type ScriptedNas,
  startScriptedNas,
} from '../../../local/peers/scripted-nas.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort } from '../../relay/support.ts';
import { type RadclientRequest, type RadclientResult, radclient, radclientPeer } from '../peers/radclient.ts';
import { freeUdpPort, type RadiusdProcess, radiusdPeer } from '../peers/radiusd.ts';
import {
  accountingServer,
  type Changes,
  freeradiusFiles,
  NAS_SECRET,
  siteFileOf,
  startFreeradius,
} from './integration-guide.ts';
import { active, startTestSystem, type TestSystem } from './support.ts';

const HOME_SERVER = 'Interlock as a home server';
const PROXY = 'FreeRADIUS as CoA proxy';
const LOG_ON = 'Services at log-on';

const USER_NAME = 'User-Name = "client1@isp1.com"';
const NAS_IDENTIFICATION = 'NAS-IP-Address = 192.0.2.1';
const ACTIVATE_GOLD = 'ERX-Service-Activate:1 = "gold"';

/** Interlock with the guide's site file, and a NAS. Its CoA port is a free one unless it is given. */
async function startInterlock(script: NasScript, port = 0) {
  const nas = await startScriptedNas({
    address: { address: '127.0.0.1', port: 0 },
    secrets: [prepareSecret(NAS_SECRET)],
    script,
    now: Date.now,
  });
  const definition = siteFileOf([HOME_SERVER], {
    'site: demo': 'site: test',
    'coa: 192.0.2.10:3799': `coa: 127.0.0.1:${port}`,
    'http: 127.0.0.1:9464': 'http: 127.0.0.1:0',
    'source: 192.0.2.30': 'source: 127.0.0.1',
    'address: 192.0.2.1:3799': `address: 127.0.0.1:${nas.address.port}`,
    'answerTimeoutSeconds: 10': 'answerTimeoutSeconds: 5',
  });
  const system = await startTestSystem({ definition });
  return {
    nas,
    system,
    stop: async () => {
      await system.stop();
      await nas.stop();
    },
  };
}

const relayIs = (port: number): Changes => ({
  'ipaddr = 192.0.2.10\n\tport = 3799': `ipaddr = 127.0.0.1\n\tport = ${port}`,
});

/** The lines of interlock.log without their times, once there are so many. */
async function replies(radiusd: RadiusdProcess, count: number): Promise<readonly string[]> {
  return vi.waitUntil(
    async () => {
      const lines = (await radiusd.read('interlock.log')).split('\n').slice(0, -1);
      return lines.length >= count && lines.map((line) => line.replace(/^\S+ \S+ /, ''));
    },
    { timeout: 15_000 },
  );
}

/** The line of interlock.log about that session. */
const about = (acctSessionId: string, reply: string) =>
  `CoA-Request "${acctSessionId}" of "client1@isp1.com": ${reply}`;

const errorCauses = ({ answer }: RadclientResult) =>
  answer?.attributes.flatMap(([name, value]) => (name === 'Error-Cause' ? [value] : []));

const peers = [dynoxide, radclientPeer, radiusdPeer];
const title = peers.reduce((text, peer) => peer.title(text), 'FreeRADIUS as the guide has it');

describe.skipIf(peers.some(({ skip }) => skip))(title, () => {
  /** What the NAS does, by Acct-Session-Id; it does what it is told without one. */
  const moves = new Map<string, NasMove>();
  let nas: ScriptedNas;
  let system: TestSystem;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ nas, system, stop } = await startInterlock(
      ({ acctSessionId = '' }) => moves.get(acctSessionId) ?? 'ack',
    ));
  });
  afterAll(() => stop());

  describe('as CoA proxy', () => {
    /** FreeRADIUS in front of a relay on this port, and the policy server that asks it. */
    async function startProxy(relayPort = system.coaAddress.port, changes: Changes = {}) {
      const port = await freeUdpPort();
      const files = freeradiusFiles([HOME_SERVER, PROXY], {
        ...relayIs(relayPort),
        'ipaddr = 192.0.2.20': 'ipaddr = 127.0.0.1',
        'ipaddr = *\n\t\tport = 3799': `ipaddr = 127.0.0.1\n\t\tport = ${port}`,
        ...changes,
      });
      const radiusd = await startFreeradius(files);
      const ask = (
        acctSessionId: string,
        attributes: readonly string[] = [ACTIVATE_GOLD],
        changes: Partial<RadclientRequest> = {},
      ) =>
        radclient({
          command: 'coa',
          port,
          secret: 'secret-of-the-policy-server',
          attributes: [USER_NAME, `Acct-Session-Id = "${acctSessionId}"`, NAS_IDENTIFICATION, ...attributes],
          ...changes,
        });
      return { radiusd, port, ask };
    }

    it('forwards the request and its ACK, with the Proxy-States of those before it', async () => {
      const { radiusd, ask } = await startProxy();
      const { answer, output } = await ask('ack', [
        ACTIVATE_GOLD,
        'Message-Authenticator = 0x00',
        'Proxy-State = 0x01ff',
        'Proxy-State = 0x02',
      ]);
      expect(output).not.toContain('failed');
      expect(answer?.code).toBe('CoA-ACK');
      expect(answer?.attributes).toEqual([
        ['Proxy-State', '0x01ff'],
        ['Proxy-State', '0x02'],
      ]);
      expect(nas.services('ack')).toEqual(['gold']);
      expect(await replies(radiusd, 1)).toEqual([about('ack', 'CoA-ACK ')]);
    });

    it('forwards the NAK of the NAS with its Error-Cause, and that of Interlock', async () => {
      const { radiusd, ask } = await startProxy();
      moves.set('nak', { nak: 503 });
      const refused = await ask('nak');
      expect(refused.answer?.code).toBe('CoA-NAK');
      expect(errorCauses(refused)).toEqual(['Session-Context-Not-Found']);
      expect(nas.services('nak')).toEqual([]);

      const undefinedService = await ask('nak', ['ERX-Service-Activate:1 = "no such service"']);
      expect(errorCauses(undefinedService)).toEqual(['Invalid-Request']);
      expect(await replies(radiusd, 2)).toEqual([
        about('nak', 'CoA-NAK Session-Context-Not-Found'),
        about('nak', 'CoA-NAK Invalid-Request'),
      ]);
    });

    it('forwards a Disconnect-Request, and what Interlock answers', async () => {
      const { radiusd, ask } = await startProxy();
      const { answer } = await ask('ended', [], { command: 'disconnect', timeoutSeconds: 10 });
      expect(answer?.code).toMatch(/^Disconnect-(?:ACK|NAK)$/);
      const [line] = await replies(radiusd, 1);
      expect(line).toContain(`Disconnect-Request "ended" of "client1@isp1.com": ${answer?.code}`);
    });

    it('waits for the 505 of a NAS that does not answer; what the policy server retransmits is a repeat', async () => {
      const { ask } = await startProxy();
      moves.set('unanswered', 'lose-request');
      const unanswered = await ask('unanswered', [ACTIVATE_GOLD], { tries: 4, timeoutSeconds: 2 });
      expect(unanswered.answer?.code, unanswered.output).toBe('CoA-NAK');
      expect(errorCauses(unanswered)).toEqual(['Proxy-Processing-Error']);
      expect(nas.services('unanswered')).toEqual([]);
      expect(new Set(system.events.discards)).toEqual(new Set(['repeat-in-progress']));
    });

    it('gives no reply while the relay is away, and forwards the first request when it is back', {
      timeout: 40_000,
    }, async () => {
      const relayPort = await closedPort();
      const { radiusd, ask } = await startProxy(relayPort, { 'response_window = 25': 'response_window = 1' });
      for (const _ of [1, 2]) {
        const { answer } = await ask('away', [ACTIVATE_GOLD], { timeoutSeconds: 1.5 });
        expect(answer).toBeUndefined();
      }
      expect(await replies(radiusd, 2)).toEqual([about('away', 'no reply '), about('away', 'no reply ')]);

      const back = await startInterlock(() => 'ack', relayPort);
      onTestFinished(back.stop);
      expect((await ask('away')).answer?.code).toBe('CoA-ACK');
      expect(back.nas.services('away')).toEqual(['gold']);
      expect(radiusd.log()).not.toMatch(/zombie|dead/);
    });

    it('takes no CoA-Request from other clients of FreeRADIUS', async () => {
      const { radiusd, ask } = await startProxy(undefined, { 'ipaddr = 192.0.2.20': 'ipaddr = 127.0.0.2' });
      const { answer } = await ask('foreign', [ACTIVATE_GOLD], { secret: NAS_SECRET, timeoutSeconds: 0.5 });
      expect(answer).toBeUndefined();
      await expect.poll(() => radiusd.log()).toMatch(/unknown client 127\.0\.0\.1/);
    });
  });

  describe('with services at log-on', () => {
    /** FreeRADIUS for the accounting of a NAS, which asks a relay on this port. */
    async function startAccounting(relayPort = system.coaAddress.port, changes: Changes = {}) {
      const port = await freeUdpPort();
      const { 'sites-enabled/default': accounting = '', ...files } = freeradiusFiles([HOME_SERVER, LOG_ON], {
        ...relayIs(relayPort),
        ...changes,
      });
      const radiusd = await startFreeradius({
        ...files,
        'sites-enabled/default': accountingServer(port, accounting),
      });
      const account = async (acctSessionId: string, ...attributes: readonly string[]) => {
        const { answer } = await radclient({
          command: 'acct',
          port,
          secret: NAS_SECRET,
          attributes: [USER_NAME, `Acct-Session-Id = "${acctSessionId}"`, NAS_IDENTIFICATION, ...attributes],
        });
        expect(answer?.code).toBe('Accounting-Response');
      };
      return { radiusd, port, account };
    }

    const START = 'Acct-Status-Type = Start';

    it('gives the subscriber his service, which the next switch replaces', async () => {
      const { radiusd, account } = await startAccounting();
      await account('logged on', START);
      expect(await replies(radiusd, 1)).toEqual([about('logged on', 'CoA-ACK ')]);
      expect(nas.services('logged on')).toEqual(['gold']);
      expect(await radiusd.records('radacct/detail')).toHaveLength(1);

      // A repeated Start changes nothing.
      await account('logged on', START);
      expect(await replies(radiusd, 2)).toEqual([
        about('logged on', 'CoA-ACK '),
        about('logged on', 'CoA-ACK '),
      ]);
      expect(active(await system.session('logged on'))).toEqual(['gold']);
      const { answer } = await radclient({
        command: 'coa',
        port: system.coaAddress.port,
        secret: 'secret-of-freeradius',
        attributes: [USER_NAME, 'Acct-Session-Id = "logged on"', 'ERX-Service-Activate:1 = "silver"'],
      });
      expect(answer?.code).toBe('CoA-ACK');
      expect(nas.services('logged on')).toEqual(['silver']);
    });

    it('asks for nothing when a service is accounted, or when the session goes on or ends', async () => {
      const { radiusd, account } = await startAccounting();
      await account('known:1795591918406', START, 'ERX-Service-Session = "gold"');
      await account('known', 'Acct-Status-Type = Interim-Update');
      await account('known', 'Acct-Status-Type = Stop');
      // The one that is asked for comes after what the others would have led to.
      await account('last', START);
      expect(await replies(radiusd, 1)).toEqual([about('last', 'CoA-ACK ')]);
      const told = nas.record.map(({ acctSessionId }) => acctSessionId);
      expect(told).toContain('last');
      expect(told.filter((acctSessionId) => acctSessionId.startsWith('known'))).toEqual([]);
      expect(await radiusd.records('radacct/detail')).toHaveLength(4);
    });

    it('answers the NAS all the same when the service is refused, and says so in its log', async () => {
      const { radiusd, account } = await startAccounting();
      moves.set('refused', { nak: 503 });
      await account('refused', START);
      expect(await replies(radiusd, 1)).toEqual([about('refused', 'CoA-NAK Session-Context-Not-Found')]);
      expect(nas.services('refused')).toEqual([]);
      expect(await radiusd.records('radacct/detail')).toHaveLength(1);
    });

    it('gives up when Interlock does not answer, and says so in its log', async () => {
      const shorter = { 'irt = 2': 'irt = 1', 'mrc = 3': 'mrc = 1' };
      const { radiusd, account } = await startAccounting(await closedPort(), shorter);
      await account('given up', START);
      expect(await replies(radiusd, 1)).toEqual([about('given up', 'no reply ')]);
      expect(await radiusd.records('radacct/detail')).toHaveLength(1);
    });
  });
});
