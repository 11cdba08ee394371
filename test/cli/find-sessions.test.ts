import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findSessions } from '../../cli/find-sessions.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { createSessionStore } from '../../functions/shared/session-store.ts';
import { asked, CLOSED_LIFE, nas, play, request } from '../core/support.ts';
import { startTable, type Table } from '../functions/support.ts';
import { dynoxide } from '../local/cloud/emulators.ts';

describe.skipIf(dynoxide.skip)(dynoxide.title('finding sessions'), () => {
  let table: Table;
  beforeAll(async () => {
    table = await startTable();
  });
  afterAll(() => table.stop());

  async function store(
    acctSessionId: string,
    identity: Session['identity'],
    nasName = 'bng-1',
    claimed: Session['identity'] = {},
    life?: Session['life'],
  ) {
    const { session } = play([
      asked(request('r1', { nas: nas({ name: nasName }), acctSessionId, identity, activate: ['gold'] })),
    ]);
    if (session === undefined) throw new Error('a request makes a session');
    await createSessionStore(table.client, table.name).write({
      ...session,
      claimed,
      ...(life && { life }),
      revision: 0,
    });
  }
  /** NAS and Acct-Session-Id of each. */
  async function find(name: string): Promise<readonly string[][]> {
    const found: string[][] = [];
    for await (const { nas, acctSessionId } of findSessions(table.client, table.name, name))
      found.push([nas.name, acctSessionId]);
    return found;
  }

  it('goes by User-Name', async () => {
    await store('0001', { 'User-Name': 'client1@isp1.com' });
    await store('0002', { 'User-Name': 'client1@isp1.com' });
    await store('0003', { 'User-Name': 'client2@isp1.com' });
    expect(await find('client1@isp1.com')).toEqual([
      ['bng-1', '0001'],
      ['bng-1', '0002'],
    ]);
  });

  it('goes by Acct-Session-Id, blanks, "#" and all, also of who has no User-Name', async () => {
    await store('erx FastEthernet 12/0#1:0001048580', {});
    expect(await find('erx FastEthernet 12/0#1:0001048580')).toEqual([
      ['bng-1', 'erx FastEthernet 12/0#1:0001048580'],
    ]);
  });

  it('finds all of one name: on two NASes, and by either name', async () => {
    await store('same', { 'User-Name': 'client3@isp1.com' }, 'bng-2');
    await store('same', { 'User-Name': 'client4@isp1.com' }, 'bng-1');
    await store('other', { 'User-Name': 'same' });
    expect(await find('same')).toEqual([
      ['bng-1', 'other'],
      ['bng-1', 'same'],
      ['bng-2', 'same'],
    ]);
  });

  it('finds a session once whose two names are equal', async () => {
    await store('twin', { 'User-Name': 'twin' });
    expect(await find('twin')).toEqual([['bng-1', 'twin']]);
  });

  const everything = {
    'User-Name': 'client5@isp1.com',
    'Framed-IP-Address': '198.51.100.7',
    'Framed-IPv6-Address': '2001:db8::7',
    'Framed-IPv6-Prefix': '2001:db8:0:1::/64',
    'Delegated-IPv6-Prefix': '2001:db8:1::/56',
    'Calling-Station-Id': '00-1A-2B-3C-4D-5E',
    'NAS-Port-Id': 'ge-1/0/1:100',
    'Acct-Multi-Session-Id': 'bundle 7',
    'Chargeable-User-Identity': Buffer.from('cui 7').toString('hex'),
  };

  it('goes by whatever identifies a subscriber, in any spelling, known or claimed', async () => {
    await store('known', everything);
    await store('claimed', {}, 'bng-1', everything);
    await store('neither', { 'User-Name': 'client6@isp1.com' });
    const spellings = [
      '2001:DB8:0:0:0:0:0:7',
      '2001:0db8:1:0::/56',
      '001a.2b3c.4d5e',
      '00:1a:2b:3c:4d:5e',
      'cui 7',
    ];
    for (const name of [
      ...Object.values(everything),
      ...spellings,
      `0x${everything['Chargeable-User-Identity']}`,
    ]) {
      expect(await find(name), name).toEqual([
        ['bng-1', 'claimed'],
        ['bng-1', 'known'],
      ]);
    }
  });

  it('finds a session that is closed', async () => {
    const identity = { 'User-Name': 'gone@isp1.com', 'Calling-Station-Id': '00-1A-2B-3C-4D-01' };
    await store('gone', identity, 'bng-1', { 'Framed-IP-Address': '198.51.100.66' }, CLOSED_LIFE);
    for (const name of ['gone@isp1.com', '001a.2b3c.4d01', '198.51.100.66'])
      expect(await find(name), name).toEqual([['bng-1', 'gone']]);
  });

  it('stops at a number of sessions that is given', async () => {
    for (let index = 0; index < 7; index++) await store(`many ${index}`, { 'NAS-Port-Id': 'shared' });
    const found = [];
    for await (const session of findSessions(table.client, table.name, 'shared', 5)) found.push(session);
    expect(found).toHaveLength(5);
  });

  it('finds nobody who is not there, and nobody by half a name', async () => {
    await store('half', { 'User-Name': 'whole name' });
    expect(await find('whole')).toEqual([]);
  });
});
