// Accounting-Requests by way of a real FreeRADIUS, as docs/integration.md has it.
import { describe, expect, it, onTestFinished } from 'vitest';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { closedPort } from '../../relay/support.ts';
import type { Pair } from '../peers/pairs.ts';
import { radclient, radclientPeer } from '../peers/radclient.ts';
import { ACCT_UNIQUE_POLICY, freeUdpPort, radiusdPeer, shippedPeer } from '../peers/radiusd.ts';
import {
  accountingServer,
  type Changes,
  freeradiusFiles,
  NAS_SECRET,
  siteFileOf,
  startFreeradius,
} from './integration-guide.ts';
import { startTestSystem, type TestSystem } from './support.ts';

const HOME_SERVER = 'Interlock as a home server';
const COPY = 'A copy of the accounting';
const THROUGH = 'Accounting through Interlock';

const peers = [dynoxide, radclientPeer, radiusdPeer];
const title = (text: string) => peers.reduce((titled, peer) => peer.title(titled), text);
const skip = peers.some((peer) => peer.skip);

/** Interlock with the guide's site file; it takes accounting on this port. */
async function startInterlock(
  heading: string,
  accountingPort: number,
  changes: Changes,
): Promise<TestSystem> {
  const definition = siteFileOf([HOME_SERVER, heading], {
    'site: demo': 'site: test',
    'coa: 192.0.2.10:3799': 'coa: 127.0.0.1:0',
    'http: 127.0.0.1:9464': 'http: 127.0.0.1:0',
    'accounting: 192.0.2.10:1813': `accounting: 127.0.0.1:${accountingPort}`,
    ...changes,
  });
  const system = await startTestSystem({ definition });
  onTestFinished(() => system.stop());
  return system;
}

/** What the cloud was told, once it is so much: `start 0001`. */
async function queued({ events }: TestSystem, count: number): Promise<readonly string[]> {
  const told = () =>
    events.all.flatMap(({ source, event }) =>
      source === 'relay' && event.kind === 'feed-queued'
        ? [[event.status, event.acctSessionId, event.service].filter((part) => part !== undefined).join(' ')]
        : [],
    );
  while (told().length < count) await events.next();
  return told();
}

/** The NAS accounts, and has its answer. */
async function account(port: number, acctSessionId: string, ...attributes: readonly string[]): Promise<void> {
  const identification = ['User-Name = "client1@isp1.com"', 'NAS-IP-Address = 192.0.2.1'];
  const { answer, output } = await radclient({
    command: 'acct',
    port,
    secret: NAS_SECRET,
    attributes: [...identification, `Acct-Session-Id = "${acctSessionId}"`, ...attributes],
  });
  expect(answer?.code, output).toBe('Accounting-Response');
}

const valueIn = (record: readonly Pair[], name: string) =>
  record.find(([candidate]) => candidate === name)?.[1];

const START = 'Acct-Status-Type = Start';
const STOP = 'Acct-Status-Type = Stop';
const RECORD_OF_GOLD = [START, 'ERX-Service-Session = "gold"'];

describe.skipIf(skip)(title('FreeRADIUS that sends a copy of the accounting'), () => {
  /** FreeRADIUS for the accounting of a NAS, which copies to a relay on this port. */
  async function startCopying(relayPort: number, more: Readonly<Record<string, string>> = {}) {
    const port = await freeUdpPort();
    const { 'sites-enabled/default': sections, ...files } = freeradiusFiles([COPY], {
      'ipaddr = 192.0.2.10\n\tport = 1813': `ipaddr = 127.0.0.1\n\tport = ${relayPort}`,
      '!= 192.0.2.10': '!= 127.0.0.2',
      'response_window = 6': 'response_window = 1',
      'retry_interval = 10': 'retry_interval = 4',
    });
    const radiusd = await startFreeradius({
      ...files,
      'sites-enabled/default': accountingServer(port, sections),
      ...more,
    });
    return { radiusd, port };
  }

  const startRelay = (port: number) =>
    startInterlock(COPY, port, { 'source: 192.0.2.30': 'source: 127.0.0.1' });

  it('loses none while the relay is away, and goes on answering the NAS', { timeout: 40_000 }, async () => {
    const relayPort = await closedPort();
    const { radiusd, port } = await startCopying(relayPort);
    await account(port, '0001', START);
    await account(port, '0002', START);
    await expect.poll(() => radiusd.log(), { timeout: 10_000 }).toMatch(/lack of any response/);
    await account(port, '0001', STOP);
    expect(await radiusd.records('radacct/detail')).toHaveLength(3);

    const system = await startRelay(relayPort);
    expect(await queued(system, 3)).toEqual(['start 0001', 'start 0002', 'stop 0001']);
    // What has been answered is gone.
    await expect.poll(() => radiusd.read('radacct/interlock/detail.work'), { timeout: 10_000 }).toBe('');
  });

  it("copies the services that the NAS accounts, and not Interlock's own", async () => {
    const relayPort = await closedPort();
    const system = await startRelay(relayPort);
    const { radiusd, port } = await startCopying(relayPort);
    await account(port, '0001:1795591918406', ...RECORD_OF_GOLD, 'Packet-Src-IP-Address = 127.0.0.2');
    await account(port, '0001:000001', ...RECORD_OF_GOLD);
    expect(await queued(system, 1)).toEqual(['start 0001:000001 gold']);
    await account(port, '0001', STOP);
    expect(await queued(system, 2)).toEqual(['start 0001:000001 gold', 'stop 0001']);
    expect(await radiusd.records('radacct/detail')).toHaveLength(3);
  });

  it('says how long a record lay in the file, whatever the clock of the NAS', {
    timeout: 40_000,
  }, async () => {
    const relayPort = await closedPort();
    const { radiusd, port } = await startCopying(relayPort);
    const seconds = Math.floor(Date.now() / 1000);
    const clocks = { right: 0, fast: 600, slow: -600 };
    for (const [acctSessionId, offset] of Object.entries(clocks))
      await account(
        port,
        acctSessionId,
        START,
        `Event-Timestamp = ${seconds + offset}`,
        'Acct-Delay-Time = 1',
      );
    await expect.poll(() => radiusd.log(), { timeout: 10_000 }).toMatch(/lack of any response/);

    const system = await startRelay(relayPort);
    expect(await queued(system, 3)).toEqual(['start right', 'start fast', 'start slow']);
    const wrong = system.events.all.flatMap(({ source, event }) =>
      source === 'relay' && event.kind === 'feed-wrong-clock' ? [Math.round(event.offsetSeconds / 100)] : [],
    );
    expect(wrong).toEqual([6, -6]);
  });

  it('answers the NAS also when it cannot copy', async () => {
    // A file where the folder would be.
    const { radiusd, port } = await startCopying(await closedPort(), { 'radacct/interlock': '' });
    await account(port, '0001', START);
    expect(radiusd.log()).toMatch(/interlock_copy_file/);
    expect(await radiusd.records('radacct/detail')).toHaveLength(1);
  });
});

describe.skipIf(skip || shippedPeer.skip)(shippedPeer.title(title('FreeRADIUS behind Interlock')), () => {
  it('has each record as the NAS sent it, and its answer reaches the NAS', async () => {
    const port = await freeUdpPort();
    const { 'sites-enabled/default': sections, ...files } = freeradiusFiles([THROUGH], {
      'ipaddr = 192.0.2.10': 'ipaddr = 127.0.0.1',
    });
    const radiusd = await startFreeradius({
      ...files,
      'policy.d/shipped': ACCT_UNIQUE_POLICY,
      'sites-enabled/default': accountingServer(port, sections),
    });
    const relayPort = await closedPort();
    const system = await startInterlock(THROUGH, relayPort, {
      '192.0.2.30:1813': `127.0.0.1:${port}`,
      'source: 192.0.2.1,': 'source: 127.0.0.1,',
    });

    const unknown = ['Attr-26.99999.7 = 0x4142', 'Attr-200 = 0xff00'];
    const classes = ['Class = 0x7072656d69756d', 'Class = 0xff00'];
    await account(relayPort, '0001', START, ...classes, ...unknown, 'Proxy-State = 0x01ff');
    await account(relayPort, '0001', STOP, ...classes, 'Acct-Session-Time = 3600');
    expect(await queued(system, 2)).toEqual(['start 0001', 'stop 0001']);

    const [start = [], stop = [], ...others] = await radiusd.records('radacct/detail');
    expect(others).toEqual([]);
    const unique = valueIn(start, 'Acct-Unique-Session-Id');
    expect(start).toEqual([
      ['User-Name', 'client1@isp1.com'],
      ['NAS-IP-Address', '192.0.2.1'],
      ['Acct-Session-Id', '0001'],
      ['Acct-Status-Type', 'Start'],
      ['Class', '0x7072656d69756d'],
      ['Class', '0xff00'],
      ['Attr-26.99999.7', '0x4142'],
      ['Attr-200', '0xff00'],
      ['Proxy-State', '0x01ff'],
      ['Proxy-State', expect.stringMatching(/^0x494c/)],
      ['Acct-Unique-Session-Id', expect.stringMatching(/^[0-9a-f]{32}$/)],
      ['Timestamp', expect.stringMatching(/^\d+$/)],
    ]);
    expect(valueIn(stop, 'Acct-Session-Time')).toBe('3600');
    expect(valueIn(stop, 'Acct-Unique-Session-Id')).toBe(unique);
  });
});
