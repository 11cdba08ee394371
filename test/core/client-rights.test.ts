// The realm of a User-Name decides what a client may touch: it must be the one that the NAS means.
import { expect, test } from 'vitest';
import { barrierTo, realmOf } from '../../core/client-rights.ts';

test.each([
  ['bob@isp1.com', 'isp1.com'],
  ['bob@other.com@ISP1.com', 'isp1.com'],
  ['bob@\u212Aisp.com', '\u212Aisp.com'],
  ['bob', undefined],
  ['bob@', undefined],
  ['bob@other.com\0@isp1.com', undefined],
  ['bob@isp1.com\n', undefined],
])('the realm of %j is %j', (name, realm) => {
  expect(realmOf(name)).toBe(realm);
});

test('a NUL in User-Name opens no session of another realm', () => {
  const rights = { realms: ['isp1.com'] };
  expect(barrierTo(rights, 'bng-1', undefined, { 'User-Name': 'bob@other.com\0@isp1.com' })).toBe('realm');
  expect(barrierTo(rights, 'bng-1', undefined, { 'User-Name': 'bob@isp1.com' })).toBeUndefined();
});
