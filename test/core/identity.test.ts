import { expect, it } from 'vitest';
import { IDENTITY_ATTRIBUTES, NAS_IDENTITY_ATTRIBUTES, nasIdentityAttributeOf } from '../../core/identity.ts';
import { ATTRIBUTES } from '../../core/radius/attributes.ts';

it.each([
  ['192.0.2.1', 'NAS-IP-Address'],
  ['2001:db8::2', 'NAS-IPv6-Address'],
  ['::ffff:192.0.2.1', 'NAS-IPv6-Address'],
  ['bng-1', 'NAS-Identifier'],
  ['00:1a:2b:3c:4d:5e', 'NAS-Identifier'],
  ['192.0.2', 'NAS-Identifier'],
])('%s is a %s', (value, attribute) => {
  expect(nasIdentityAttributeOf(value)).toBe(attribute);
});

it('no attribute identifies both a NAS and a session, and the codec has each', () => {
  const names = [...NAS_IDENTITY_ATTRIBUTES, ...IDENTITY_ATTRIBUTES];
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(ATTRIBUTES)).toEqual(expect.arrayContaining(names));
});
