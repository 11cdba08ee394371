// The relay between FreeRADIUS programs: radclient as a NAS, and radiusd as the accounting server that it forwards to.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { type Relay, startRelay } from '../../../relay/relay.ts';
import { queuedIn, siteWithFeed } from '../../relay/feed/support.ts';
import { type Cloud, EventRecorder, LOCALHOST, startCloud, surroundings } from '../../relay/support.ts';
import { radclient, radclientPeer } from './radclient.ts';
import { type Radiusd, radiusdPeer, startRadiusd } from './radiusd.ts';

const SECRET = 'testing123';
const UPSTREAM = 'upstream456';
const NOW_SECONDS = Math.floor(Date.now() / 1000);
const START = [
  'Acct-Status-Type = Start',
  'Acct-Session-Id = "erx ge-0/0/1.100:0000001234"',
  'NAS-IP-Address = 192.0.2.1',
  'User-Name = "client1@isp1.com"',
  'Framed-IP-Address = 198.51.100.7',
  'Delegated-IPv6-Prefix = 2001:db8:2::/56',
  'Class = 0x676f6c64',
  'Cisco-AVPair = "client-mac-address=0200.0000.0001"',
  `Event-Timestamp = ${NOW_SECONDS}`,
  'Acct-Delay-Time = 0',
];

let cloud: Cloud;
let events: EventRecorder;
let relay: Relay;

async function start(mode: 'copy' | 'proxy', serverPort = 1813): Promise<number> {
  relay = await startRelay({
    site: siteWithFeed(
      { mode, secrets: [prepareSecret(SECRET)] },
      {
        accounting: [
          {
            name: 'radiusd',
            address: LOCALHOST,
            port: serverPort,
            secret: prepareSecret(UPSTREAM),
            messageAuthenticator: false,
            requireMessageAuthenticator: false,
            zeroAuthenticatorReplies: true,
          },
        ],
      },
    ),
    ...surroundings(cloud, events),
    timings: { drainMs: 0, outboxVisibilitySeconds: 1 },
  });
  return relay.accountingAddress?.port ?? 0;
}

beforeEach(async () => {
  cloud = await startCloud();
  events = new EventRecorder();
});
afterEach(async () => {
  await relay.drain();
  await cloud.stop();
});

const ask = (port: number, attributes: readonly string[], more = {}) =>
  radclient({ command: 'acct', port, secret: SECRET, attributes, ...more });

describe.skipIf(radclientPeer.skip)(radclientPeer.title('radclient, which sends a copy'), () => {
  it('takes the answer of the relay, and the cloud has the log-on', async () => {
    const port = await start('copy');
    const { answer } = await ask(port, [...START, 'Proxy-State = 0x01ff']);
    expect(answer).toMatchObject({ code: 'Accounting-Response', attributes: [['Proxy-State', '0x01ff']] });
    expect(queuedIn(cloud)).toMatchObject([
      {
        status: 'start',
        nas: 'bng-1',
        acctSessionId: 'erx ge-0/0/1.100:0000001234',
        eventAtMs: NOW_SECONDS * 1000,
        identity: {
          'User-Name': 'client1@isp1.com',
          'Framed-IP-Address': '198.51.100.7',
          'Delegated-IPv6-Prefix': '2001:db8:2::/56',
        },
        classes: ['676f6c64'],
      },
    ]);
  });

  it('gets no answer with another secret', async () => {
    const port = await start('copy');
    const { answer } = await ask(port, START, { secret: 'other', timeoutSeconds: 0.2 });
    expect(answer).toBeUndefined();
    expect(events.of('feed-discarded')).toMatchObject([{ reason: 'wrong-request-authenticator' }]);
  });

  it('has its Status-Server answered', async () => {
    const port = await start('copy');
    const attributes = ['Packet-Type = Status-Server', 'Message-Authenticator = 0x00'];
    const { answer, output } = await radclient({ command: 'status', port, secret: SECRET, attributes });
    expect(answer?.code, output).toBe('Accounting-Response');
  });
});

describe.skipIf(radclientPeer.skip || radiusdPeer.skip)(
  radclientPeer.title(radiusdPeer.title('radclient and FreeRADIUS, with the relay between')),
  () => {
    let radiusd: Radiusd;
    beforeEach(async () => {
      radiusd = await startRadiusd(UPSTREAM);
    });
    afterEach(() => radiusd.stop());

    it('have the record as it was sent, and the answer', async () => {
      const port = await start('proxy', radiusd.port);
      const { answer } = await ask(port, [...START, 'Proxy-State = 0x01ff']);
      expect(answer).toMatchObject({ code: 'Accounting-Response', attributes: [['Proxy-State', '0x01ff']] });
      const [record, ...others] = await radiusd.records();
      expect(others).toEqual([]);
      expect(record?.slice(0, -2)).toEqual([
        ['Acct-Status-Type', 'Start'],
        ['Acct-Session-Id', 'erx ge-0/0/1.100:0000001234'],
        ['NAS-IP-Address', '192.0.2.1'],
        ['User-Name', 'client1@isp1.com'],
        ['Framed-IP-Address', '198.51.100.7'],
        ['Delegated-IPv6-Prefix', '2001:db8:2::/56'],
        ['Class', '0x676f6c64'],
        ['Cisco-AVPair', 'client-mac-address=0200.0000.0001'],
        ['Event-Timestamp', expect.stringMatching(/ UTC$/)],
        ['Acct-Delay-Time', '0'],
        ['Proxy-State', '0x01ff'],
      ]);
      expect(record?.at(-2)).toEqual(['Proxy-State', expect.stringMatching(/^0x494c[0-9a-f]{12}$/)]);
      await events.first(({ kind }) => kind === 'feed-queued');
      expect(queuedIn(cloud)).toHaveLength(1);
    });

    it('have nothing answered that FreeRADIUS has not recorded: it is away, and comes back', async () => {
      const port = await start('proxy', radiusd.port);
      await radiusd.stop();
      expect((await ask(port, START, { timeoutSeconds: 0.2 })).answer).toBeUndefined();
      expect(events.of('feed-unanswered')).toMatchObject([{ reason: 'server-unreachable' }]);
      radiusd = await startRadiusd(UPSTREAM, radiusd.port);
      expect((await ask(port, START)).answer).toMatchObject({ code: 'Accounting-Response' });
      expect(await radiusd.records()).toHaveLength(1);
      // Both were the same event.
      expect(queuedIn(cloud)).toHaveLength(1);
    });

    it('take a Message-Authenticator that was computed anew', async () => {
      const port = await start('proxy', radiusd.port);
      const { answer, output } = await ask(port, [...START, 'Message-Authenticator = 0x00']);
      expect(answer?.code, output).toBe('Accounting-Response');
      expect(radiusd.log()).not.toContain('Message-Authenticator');
    });
  },
);
