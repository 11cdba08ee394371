import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Network } from '../../../core/config/network.ts';
import { findClientBySource } from '../../../relay/site/clients.ts';
import { localClient } from '../support.ts';

const client = (name: string, ...networks: string[]) =>
  localClient({ name, sources: networks.map(networkOf) });

test.each([
  ['10.1.2.3', 'lab'],
  ['10.1.2.4', 'lab'],
  ['10.1.2.9', 'bench'],
  ['10.9.9.9', 'region'],
  ['2001:db8::1', 'six'],
  ['2001:db8:0:0::ffff:1', 'six'],
  ['11.0.0.1', undefined],
  ['2001:db9::1', undefined],
])('knows %s as %s', (address, name) => {
  const find = findClientBySource([
    client('region', '10.0.0.0/8'),
    client('lab', '10.1.2.0/24'),
    client('bench', '10.1.2.9/32', '192.0.2.1/32'),
    client('six', '2001:db8::/32'),
  ]);
  expect(find(address)?.name).toBe(name);
});

test('takes an IPv4-mapped address for the IPv4 address that it is', () => {
  const find = findClientBySource([
    client('four', '192.0.2.0/24'),
    client('mapped', '::ffff:198.51.100.0/120'),
  ]);
  expect(find('::ffff:192.0.2.7')?.name).toBe('four');
  expect(find('198.51.100.7')?.name).toBe('mapped');
});

test('ignores the zone of a link-local address', () => {
  expect(findClientBySource([client('link', 'fe80::/10')])('fe80::1%eth0')?.name).toBe('link');
});

test('a client may name overlapping networks of its own', () => {
  const find = findClientBySource([client('one', '10.0.0.0/8', '10.0.0.0/8', '10.1.0.0/16')]);
  expect(find('10.1.2.3')?.name).toBe('one');
});

test('agrees with net.BlockList about which network an address is in', () => {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 })),
  );
  fc.assert(
    fc.property(network, fc.oneof(fc.ipV4(), fc.ipV6()), fc.boolean(), ([base, prefix], other, same) => {
      const address = same ? base : other;
      const family = isIPv4(base) ? 'ipv4' : 'ipv6';
      const list = new BlockList();
      list.addSubnet(base, prefix, family);
      const found = findClientBySource([localClient({ sources: [{ address: base, prefix, family }] })])(
        address,
      );
      expect(found !== undefined).toBe(list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'));
    }),
    { numRuns: 1000 },
  );
});

function networkOf(text: string): Network {
  const [address = '', prefix] = text.split('/');
  return { address, prefix: Number(prefix), family: isIPv4(address) ? 'ipv4' : 'ipv6' };
}
