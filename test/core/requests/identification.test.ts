import { describe, expect, it } from 'vitest';
import { IDENTITY_ATTRIBUTES, NAS_IDENTITY_ATTRIBUTES } from '../../../core/identity.ts';
import type { KnownNas } from '../../../core/nas.ts';
import type { Attribute } from '../../../core/radius/codec.ts';
import { acctSessionIdOf, identityOf, nasOf } from '../../../core/requests/identification.ts';
import { nas } from '../support.ts';

const BNG_1: KnownNas = {
  profile: nas({ name: 'bng-1' }),
  identifiedBy: ['192.0.2.1', 'bng-1'],
  formerly: [],
};
const BNG_2: KnownNas = {
  profile: nas({ name: 'bng-2' }),
  identifiedBy: ['2001:db8::2', 'bng-2', 'olt'],
  formerly: [],
};

const ip = (value: string): Attribute => ({ name: 'NAS-IP-Address', value });
const ipv6 = (value: string): Attribute => ({ name: 'NAS-IPv6-Address', value });
const identifier = (value: string): Attribute => ({ name: 'NAS-Identifier', value });

const refused = (errorCause: string, reason: string) => ({ ok: false, refusal: { errorCause, reason } });

describe('the NAS of a request', () => {
  it.each<[string, readonly Attribute[], KnownNas]>([
    ['a NAS-IP-Address', [ip('192.0.2.1')], BNG_1],
    ['a NAS-IPv6-Address', [ipv6('2001:db8::2')], BNG_2],
    ['a NAS-Identifier', [identifier('bng-2')], BNG_2],
    ['another NAS-Identifier of it', [identifier('olt')], BNG_2],
    ['several of its names', [identifier('bng-1'), ip('192.0.2.1')], BNG_1],
  ])('is found by %s', (_, attributes, expected) => {
    expect(nasOf(attributes, [BNG_1, BNG_2])).toEqual({ ok: true, value: expected.profile });
  });

  it('is the only NAS of the site if the request identifies none', () => {
    expect(nasOf([{ name: 'User-Name', value: 'client1' }], [BNG_2])).toEqual({
      ok: true,
      value: BNG_2.profile,
    });
  });

  const MISSING =
    'NAS-IP-Address, NAS-IPv6-Address or NAS-Identifier is missing, and the site has several NASes';
  it.each<[string, readonly Attribute[], readonly KnownNas[], string, string]>([
    ['no name at a site of several', [], [BNG_1, BNG_2], 'Missing-Attribute', MISSING],
    ['no name at a site without a NAS', [], [], 'Missing-Attribute', MISSING],
    [
      'an unknown name, also at a site of one',
      [ip('192.0.2.9')],
      [BNG_1],
      'NAS-Identification-Mismatch',
      'no NAS of the site is 192.0.2.9',
    ],
    [
      'names of two NASes',
      [identifier('bng-2'), ip('192.0.2.1')],
      [BNG_1, BNG_2],
      'NAS-Identification-Mismatch',
      'no NAS of the site is 192.0.2.1 and bng-2',
    ],
  ])('is refused for %s', (_, attributes, nases, errorCause, reason) => {
    expect(nasOf(attributes, nases)).toEqual(refused(errorCause, reason));
  });

  it.each(NAS_IDENTITY_ATTRIBUTES)('is refused for two of %s, even equal ones', (name) => {
    const twice = [
      { name, value: '192.0.2.1' },
      { name, value: '192.0.2.1' },
    ];
    expect(nasOf(twice, [BNG_1])).toEqual(refused('Invalid-Request', `${name} occurs more than once`));
  });
});

describe('the Acct-Session-Id of a request', () => {
  const id = (value: string): Attribute => ({ name: 'Acct-Session-Id', value });

  it.each(['0', 'x'.repeat(239), 'ä'.repeat(119)])('has 1 to 239 octets: %s', (value) => {
    expect(acctSessionIdOf([id(value)])).toEqual({ ok: true, value });
  });

  it.each<[string, readonly Attribute[], string, string]>([
    ['missing', [], 'Missing-Attribute', 'Acct-Session-Id is missing'],
    ['empty', [id('')], 'Invalid-Attribute-Value', 'Acct-Session-Id: expected 1 to 239 octets'],
    ['longer', [id('ä'.repeat(120))], 'Invalid-Attribute-Value', 'Acct-Session-Id: expected 1 to 239 octets'],
    ['present twice', [id('0001'), id('0001')], 'Invalid-Request', 'Acct-Session-Id occurs more than once'],
  ])('is refused if it is %s', (_, attributes, errorCause, reason) => {
    expect(acctSessionIdOf(attributes)).toEqual(refused(errorCause, reason));
  });
});

describe('the identity of a request', () => {
  it('has text as text, integers as numbers and octets in hexadecimal, and no other attributes', () => {
    const attributes: readonly Attribute[] = [
      { name: 'Acct-Session-Id', value: '0001' },
      { name: 'NAS-Port', value: 7 },
      { name: 'User-Name', value: 'client1@isp1.com' },
      { name: 'Framed-IP-Address', value: '198.51.100.7' },
      { name: 'Chargeable-User-Identity', value: Buffer.from([0xff, 0x01]) },
      identifier('bng-1'),
    ];
    expect(identityOf(attributes)).toEqual({
      ok: true,
      value: {
        'User-Name': 'client1@isp1.com',
        'NAS-Port': 7,
        'Framed-IP-Address': '198.51.100.7',
        'Chargeable-User-Identity': 'ff01',
      },
    });
  });

  it('is empty if the request has none of these attributes', () => {
    expect(identityOf([identifier('bng-1')])).toEqual({ ok: true, value: {} });
  });

  it.each(IDENTITY_ATTRIBUTES)('is refused for two of %s', (name) => {
    const twice = [{ name, value: 'x' } as Attribute, { name, value: 'y' } as Attribute];
    expect(identityOf(twice)).toEqual(refused('Invalid-Request', `${name} occurs more than once`));
  });
});
