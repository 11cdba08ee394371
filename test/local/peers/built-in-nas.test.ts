import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { type Nas, parseSiteFile } from '../../../core/config/site-file.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { startBuiltInNas } from '../../../local/peers/built-in-nas.ts';
import { type SystemEvent, startSystem } from '../../../local/system.ts';
import {
  closedPort,
  LOCALHOST,
  packetOf,
  Recorder,
  SECRET,
  signedRequest,
  udpPeer,
} from '../../relay/support.ts';
import { dynoxide } from '../cloud/emulators.ts';

/** A site with one NAS, which has to be told. */
const siteText = (nas: object): string =>
  stringify({
    site: 'test',
    relay: { coa: '127.0.0.1:0', http: '127.0.0.1:0' },
    clients: [{ name: 'policy', source: LOCALHOST, secret: 'a secret of twenty-four.' }],
    nases: [
      {
        name: 'bng-1',
        secret: 'a secret of twenty-four.',
        identifiedBy: ['192.0.2.1'],
        enforcement: 'coa',
        ...nas,
      },
    ],
  });

/** A site file does not take port 0. */
function nasOf({ address = '', ...nas }: { readonly address?: string; readonly enforcement?: string }): Nas {
  const [parsed] = parseSiteFile('test.yaml', siteText({ address: '127.0.0.1:3798', ...nas })).nases;
  if (parsed === undefined) throw new Error('there is no NAS');
  const [host = '', port] = address.split(':');
  return { ...parsed, address: { address: host, port: Number(port) } };
}

describe('the built-in NAS', () => {
  const start = async (nas: Parameters<typeof nasOf>[0]) => {
    const started = await startBuiltInNas(nasOf(nas), [SECRET], () => {});
    if (started !== undefined) onTestFinished(started.stop);
    return started;
  };

  it.each(['127.0.0.1:0', '127.8.9.10:0'])('takes the place of one on this machine: %s', async (address) => {
    expect(await start({ address })).toMatchObject({ name: 'bng-1', record: [] });
  });

  it('is not there for a NAS that is not told', async () => {
    expect(await start({ address: '127.0.0.1:0', enforcement: 'none' })).toBeUndefined();
  });

  it('is not there for a NAS elsewhere', async () => {
    expect(await start({ address: '0.0.0.0:0' })).toBeUndefined();
  });

  it('leaves the port to whoever listens on it', async () => {
    const somebody = await udpPeer();
    onTestFinished(somebody.close);
    expect(await start({ address: `127.0.0.1:${somebody.endpoint.port}` })).toBeUndefined();
  });
});

describe.skipIf(dynoxide.skip)(dynoxide.title('a system with a NAS that nobody is'), () => {
  it('tells a built-in one, new before old', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const siteFile = join(folder, 'site.yaml');
    await writeFile(siteFile, siteText({ address: `127.0.0.1:${await closedPort()}` }));
    const events = new Recorder<SystemEvent>();
    const system = await startSystem({
      servicesFile: join(import.meta.dirname, '../../../config/services.yaml'),
      siteFile,
      environment: {},
      report: events.add,
    });
    onTestFinished(system.stop);
    const client = await udpPeer();
    onTestFinished(client.close);
    for (const [identifier, value] of ['bronze', 'gold'].entries()) {
      const answer = client.received.next();
      const attributes = [
        { name: 'Acct-Session-Id', value: '0001' },
        { name: 'ERX-Service-Activate', tag: 1, value },
      ] as const;
      await client.send(signedRequest({ identifier, attributes }), system.coaAddress);
      expect(packetOf((await answer).datagram).code).toBe(CODE.CoaAck);
    }
    const told = events.all.flatMap(({ source, event }) => (source === 'nas' ? [event] : []));
    expect(told).toMatchObject([
      { nas: 'bng-1', operation: 'activate', service: 'bronze', services: ['bronze'] },
      { nas: 'bng-1', operation: 'activate', service: 'gold', services: ['bronze', 'gold'] },
      { nas: 'bng-1', operation: 'deactivate', service: 'bronze', services: ['gold'] },
    ]);
    expect(system.nases[0]?.record).toHaveLength(3);
  });

  it('accounts what it is told to account, with the accounting server of the site', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const siteFile = join(folder, 'site.yaml');
    const [nasPort, accountingPort] = [await closedPort(), await closedPort()];
    const text = siteText({ address: `127.0.0.1:${nasPort}`, serviceAccounting: 'nas' });
    const server = { address: `127.0.0.1:${accountingPort}`, secret: 'a secret of twenty-four.' };
    await writeFile(siteFile, `${text}accounting: [${JSON.stringify(server)}]\n`);
    const events = new Recorder<SystemEvent>();
    const system = await startSystem({
      servicesFile: join(import.meta.dirname, '../../../config/services.yaml'),
      siteFile,
      environment: {},
      report: events.add,
    });
    onTestFinished(system.stop);
    const client = await udpPeer();
    onTestFinished(client.close);
    const attributes = [
      { name: 'Acct-Session-Id', value: '0001' },
      { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
    ] as const;
    await client.send(signedRequest({ attributes }), system.coaAddress);
    const recorded = await events.first(({ source }) => source === 'sink');
    expect(recorded.event).toMatchObject({
      attributes: expect.arrayContaining([
        { name: 'Acct-Session-Id', value: '0001:000001' },
        { name: 'NAS-IP-Address', value: '192.0.2.1' },
        { name: 'ERX-Service-Session', value: 'gold' },
      ]),
    });
    expect(events.all).toContainEqual({
      source: 'relay',
      event: expect.objectContaining({ kind: 'configuration-warning' }),
    });
  });
});
