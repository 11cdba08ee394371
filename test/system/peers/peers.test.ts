import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { radclient, radclientPeer } from './radclient.ts';
import { NAS_POLICY, type Radiusd, radiusdPeer, startRadiusd, startRadiusdNas } from './radiusd.ts';

const SECRET = 'testing123';
const STOP = [
  'User-Name = "client1@isp1.com"',
  'NAS-IP-Address = 192.0.2.1',
  'Acct-Status-Type = Stop',
  'Acct-Session-Id = "erx FastEthernet 12/0:0001048580:002478"',
  'Acct-Session-Time = 3600',
  'Event-Timestamp = 1700000000',
  'ERX-Service-Session = "tiered(1280000, 5120000)"',
];

describe.skipIf(radclientPeer.skip || radiusdPeer.skip)(
  radclientPeer.title(radiusdPeer.title('radclient and FreeRADIUS')),
  () => {
    let radiusd: Radiusd;
    beforeAll(async () => {
      radiusd = await startRadiusd(SECRET);
    });
    afterAll(() => radiusd.stop());

    it('record an Accounting-Request with the names of vendor 4874', async () => {
      const attributes = [...STOP, 'Proxy-State = 0x01ff', 'Reply-Message = "a \\"quoted\\"\\ttext"'];
      const { answer } = await radclient({ command: 'acct', port: radiusd.port, secret: SECRET, attributes });

      expect(answer).toMatchObject({ code: 'Accounting-Response', attributes: [['Proxy-State', '0x01ff']] });
      const [record, ...others] = await radiusd.records();
      expect(others).toEqual([]);
      expect(record).toEqual([
        ['User-Name', 'client1@isp1.com'],
        ['NAS-IP-Address', '192.0.2.1'],
        ['Acct-Status-Type', 'Stop'],
        ['Acct-Session-Id', 'erx FastEthernet 12/0:0001048580:002478'],
        ['Acct-Session-Time', '3600'],
        ['Event-Timestamp', 'Nov 14 2023 22:13:20 UTC'],
        ['ERX-Service-Session', 'tiered(1280000, 5120000)'],
        ['Proxy-State', '0x01ff'],
        ['Reply-Message', 'a "quoted"\ttext'],
        ['Timestamp', expect.stringMatching(/^\d+$/)],
      ]);
    });

    it('do not understand one another with different secrets', async () => {
      const before = await radiusd.records();
      const request = { command: 'acct', port: radiusd.port, attributes: STOP, timeoutSeconds: 0.2 } as const;
      const { answer, output } = await radclient({ ...request, secret: 'other' });

      expect(answer).toBeUndefined();
      expect(output).toContain('No reply from server');
      expect(radiusd.log()).toContain('invalid Request Authenticator');
      expect(await radiusd.records()).toEqual(before);
    });
  },
);

describe.skipIf(radiusdPeer.skip)(radiusdPeer.title('FreeRADIUS'), () => {
  it('listens again on the port that it had', async () => {
    const first = await startRadiusd(SECRET);
    await first.stop();
    const second = await startRadiusd(SECRET, first.port);
    await second.stop();

    expect(second.port).toBe(first.port);
  });

  it('says why it does not start', async () => {
    const running = await startRadiusd(SECRET);
    try {
      await expect(startRadiusd(SECRET, running.port)).rejects.toThrow(/Address already in use/);
    } finally {
      await running.stop();
    }
  });
});

describe.skipIf(radclientPeer.skip || radiusdPeer.skip)(
  radclientPeer.title(radiusdPeer.title('FreeRADIUS as a NAS')),
  () => {
    const IDENTIFICATION = ['User-Name = "client1@isp1.com"', 'Acct-Session-Id = "0001048580"'];
    const ACTIVATION = [
      'ERX-Service-Activate:1 = "tiered(1280000, 5120000)"',
      'ERX-Service-Timeout:1 = 3600',
    ];
    const DEACTIVATION = ['ERX-Service-Deactivate = "gold"'];

    /** A NAS with that policy, and its answers. */
    async function startNas(policy: string) {
      const nas = await startRadiusdNas(SECRET, policy);
      onTestFinished(() => nas.stop());
      const ask = async (change: readonly string[], timeoutSeconds = 5) => {
        const attributes = [...IDENTIFICATION, ...change];
        const request = {
          command: 'coa',
          port: nas.port,
          secret: SECRET,
          attributes,
          timeoutSeconds,
        } as const;
        return (await radclient(request)).answer;
      };
      return { nas, ask };
    }

    it('acknowledges what it is told, and has it recorded in order', async () => {
      const { nas, ask } = await startNas(NAS_POLICY.ack);
      expect(await ask(ACTIVATION)).toMatchObject({ code: 'CoA-ACK', attributes: [] });
      expect(await ask(DEACTIVATION)).toMatchObject({ code: 'CoA-ACK', attributes: [] });

      const common = [
        ['Packet-Type', 'CoA-Request'],
        ['User-Name', 'client1@isp1.com'],
        ['Acct-Session-Id', '0001048580'],
      ];
      const timestamp = ['Timestamp', expect.stringMatching(/^\d+$/)];
      expect(await nas.records()).toEqual([
        [
          ...common,
          ['ERX-Service-Activate:1', 'tiered(1280000, 5120000)'],
          ['ERX-Service-Timeout:1', '3600'],
          timestamp,
        ],
        [...common, ['ERX-Service-Deactivate', 'gold'], timestamp],
      ]);
    });

    it('refuses what its policy says, with an Error-Cause', async () => {
      const { nas, ask } = await startNas(`if (&ERX-Service-Deactivate) { ${NAS_POLICY.nak(503)} }`);
      expect(await ask(ACTIVATION)).toMatchObject({ code: 'CoA-ACK' });
      expect(await ask(DEACTIVATION)).toMatchObject({
        code: 'CoA-NAK',
        attributes: [['Error-Cause', 'Session-Context-Not-Found']],
      });
      expect(await nas.records()).toHaveLength(2);
    });

    it('is silent, though it has the request', async () => {
      const { nas, ask } = await startNas(NAS_POLICY.silence);
      expect(await ask(ACTIVATION, 0.2)).toBeUndefined();
      expect(await nas.records()).toHaveLength(1);
    });
  },
);
