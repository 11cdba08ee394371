// A NAS whose accounting goes to Interlock, on the whole local system: what it says goes to the feed queue of its site.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { verifyReply } from '../../../core/radius/authenticator.ts';
import { type System, startSystem } from '../../../local/system.ts';
import { accountingRequest } from '../../relay/feed/support.ts';
import { packetOf, udpPeer } from '../../relay/support.ts';
import {
  PREPARED_SECRET,
  SECRET,
  SERVICES_FILE,
  SystemEvents,
  siteFile,
  temporaryFolder,
} from './support.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let system: System;
let events: SystemEvents;

beforeEach(async () => {
  folder = await temporaryFolder();
  const file = join(folder.path, 'test.yaml');
  const feed = `accountingFrom: [{ name: bng-1, source: 127.0.0.1, secret: ${SECRET}, mode: copy }]\n`;
  const text = siteFile().replace('relay:\n', 'relay:\n  accounting: 127.0.0.1:0\n');
  await writeFile(file, `${text}${feed}`);
  events = new SystemEvents();
  system = await startSystem({
    servicesFile: SERVICES_FILE,
    siteFile: file,
    environment: {},
    report: events.add,
  });
});

afterEach(async () => {
  await system.stop();
  await folder.remove();
});

it('is answered, and its log-on is in the queue', async () => {
  const { accountingAddress } = system.relay;
  if (accountingAddress === undefined) throw new Error('the relay takes no accounting');
  const nas = await udpPeer();
  const request = accountingRequest({ secret: PREPARED_SECRET });
  await nas.send(request, accountingAddress);
  const { datagram } = await nas.received.first(() => true);
  expect(verifyReply(packetOf(datagram), packetOf(request), PREPARED_SECRET)).toEqual({ ok: true });
  const learned = await events.first(
    ({ source, event }) => source === 'relay' && event.kind === 'feed-queued',
  );
  expect(learned.event).toMatchObject({ nas: 'bng-1', acctSessionId: '0001', status: 'start' });
  await nas.close();
});
