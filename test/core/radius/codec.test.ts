import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Attribute,
  allValues,
  decodeAttributes,
  describeAttribute,
  encodeAttributes,
  firstValue,
  isNamed,
} from '../../../core/radius/codec.ts';
import { attribute, craft, packetOf, vendorSpecific } from './craft.ts';

const ERX = 4874;
const decode = (...attributes: readonly Buffer[]) => decodeAttributes(packetOf(craft({ attributes })));
const encode = (...list: readonly Attribute[]) => Buffer.from(encodeAttributes(list));
const octets = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const erx = (type: number, value: string) => vendorSpecific(ERX, attribute(type, octets(value)));

/** Attributes, and the octets that each encodes to and decodes from. */
const BOTH_WAYS: readonly (readonly [Attribute, octets: string])[] = [
  [{ name: 'User-Name', value: 'Zoë' }, '0106 5a6fc3ab'],
  [{ name: 'NAS-IP-Address', value: '192.0.2.1' }, '0406 c0000201'],
  [{ name: 'NAS-Port', value: 0xffff_ffff }, '0506 ffffffff'],
  [{ name: 'Proxy-State', value: octets('00ff') }, '2104 00ff'],
  [{ name: 'Event-Timestamp', value: 0xf000_0000 }, '3706 f0000000'],
  [{ name: 'NAS-IPv6-Address', value: '2001:db8::1' }, '5f12 20010db8000000000000000000000001'],
  [{ name: 'Framed-Interface-Id', value: '0011:2233:4455:6677' }, '600a 0011223344556677'],
  [{ name: 'Framed-IPv6-Prefix', value: '2001:db8::/32' }, '6108 0020 20010db8'],
  [{ name: 'Framed-IPv6-Prefix', value: '::/0' }, '6104 0000'],
  [{ name: 'Delegated-IPv6-Prefix', value: '2001:db8:0:fff0::/60' }, '7b0c 003c 20010db80000fff0'],
  [{ name: 'Tunnel-Type', tag: 31, value: 3 }, '4006 1f000003'],
  [{ name: 'Tunnel-Type', value: 0xff_ffff }, '4006 00ffffff'],
  [{ name: 'ERX-Virtual-Router-Name', value: 'isp1' }, '1a0c 0000130a 0106 69737031'],
  [{ name: 'ERX-Service-Activate', tag: 8, value: 'gold' }, '1a0d 0000130a 4107 08 676f6c64'],
  [{ name: 'ERX-Service-Activate', value: 'gold' }, '1a0c 0000130a 4106 676f6c64'],
  [{ name: 'ERX-Service-Deactivate', value: 'gold' }, '1a0c 0000130a 4206 676f6c64'],
  [{ name: 'ERX-Service-Deactivate', tag: 2, value: 'gold' }, '1a0d 0000130a 4207 02 676f6c64'],
  [{ name: 'ERX-Service-Timeout', tag: 2, value: 720 }, '1a0c 0000130a 4406 020002d0'],
  [{ name: 'ERX-Acct-Request-Reason', value: 1024 }, '1a0c 0000130a d206 00000400'],
  // Text whose first octet would be read as a tag gets a zero octet before it.
  [{ name: 'ERX-Update-Service', value: '\u0002x' }, '1a0b 0000130a b405 00 0278'],
  [{ unknown: { type: 241 }, value: octets('0801') }, 'f104 0801'],
  [{ unknown: { type: 2 }, value: octets('') }, '0202'],
  [{ unknown: { type: 26, vendor: ERX, vendorType: 99 }, value: octets('01') }, '1a09 0000130a 6303 01'],
  [{ unknown: { type: 26, vendor: 0xffffffff, vendorType: 65 }, value: octets('') }, '1a08 ffffffff 4102'],
  // Vendor-Id 0, and others whose lower or upper octets are those of a vendor of the table.
  [{ unknown: { type: 26, vendor: 0, vendorType: 1 }, value: octets('61') }, '1a09 00000000 0103 61'],
  [{ unknown: { type: 26, vendor: 0, vendorType: 44 }, value: octets('61') }, '1a09 00000000 2c03 61'],
  [
    { unknown: { type: 26, vendor: 0, vendorType: 101 }, value: octets('000001f7') },
    '1a0c 00000000 6506 000001f7',
  ],
  [
    { unknown: { type: 26, vendor: 0x0100_130a, vendorType: 65 }, value: octets('61') },
    '1a09 0100130a 4103 61',
  ],
  [
    { unknown: { type: 26, vendor: 0x0013_0a00, vendorType: 65 }, value: octets('61') },
    '1a09 00130a00 4103 61',
  ],
  // RFC 2865 section 5.26 recommends the form behind the vendor; vendor 429 has another one.
  [{ unknown: { type: 26 }, value: octets('000001ad 0000 9032 61') }, '1a0b 000001ad 0000 9032 61'],
  [{ unknown: { type: 26, vendor: 9, vendorType: 65 }, value: octets('61') }, '1a09 00000009 4103 61'],
  [{ unknown: { type: 26, vendor: 2636, vendorType: 65 }, value: octets('61') }, '1a09 00000a4c 4103 61'],
];

describe.each(BOTH_WAYS)('%o', (value, hex) => {
  it(`is ${hex} on the wire`, () => {
    expect(encode(value).toString('hex')).toBe(hex.replaceAll(' ', ''));
  });

  it(`is read from ${hex}`, () => {
    expect(decode(octets(hex))).toStrictEqual([value]);
  });
});

/** Octets that are no value of their attribute, and why. Each is encoded as it was read. */
const MALFORMED: readonly (readonly [octets: string, reason: string])[] = [
  ['0102', 'expected at least 1 octet, got 0'],
  ['2102', 'expected at least 1 octet, got 0'],
  ['0104 c328', 'expected UTF-8, got other octets'],
  ['0105 eda080', 'expected UTF-8, got other octets'],
  ['0405 c00002', 'expected 4 octets, got 3'],
  ['0507 0000000001', 'expected 4 octets, got 5'],
  ['3702', 'expected 4 octets, got 0'],
  ['5f06 20010db8', 'expected 16 octets, got 4'],
  ['6009 00112233445566', 'expected 8 octets, got 7'],
  ['6103 00', 'expected 2 to 18 octets, got 1'],
  [`6115 0040 ${'00'.repeat(17)}`, 'expected 2 to 18 octets, got 19'],
  [`6114 0081 ${'00'.repeat(16)}`, 'expected a prefix length of at most 128, got 129'],
  ['6107 0020 20010d', 'expected 32 bits of prefix, got 24'],
  ['6108 001f 20010db9', 'expected zeros behind 31 bits of prefix, got 0x001f20010db9'],
  ['4006 20000003', 'expected a tag of at most 31, got 32'],
  ['4005 010003', 'expected 3 octets, got 2'],
  ['4002', 'expected 3 octets, got 0'],
  ['4203 01', 'expected at least 1 octet, got 0'],
];

describe('decodeAttributes', () => {
  it.each(MALFORMED)('keeps %s as malformed: %s', (hex, reason) => {
    const whole = octets(hex);
    const malformed = { malformed: { type: whole[0], reason }, value: whole.subarray(2) };
    expect(decode(whole)).toStrictEqual([malformed]);
    expect(encode(...decode(whole))).toEqual(whole);
  });

  it.each([
    ['1a02', 'expected 4 octets of vendor, got 0'],
    ['1a05 000013', 'expected 4 octets of vendor, got 3'],
    ['1a06 0000130a', 'expected 2 octets of vendor header, got 0'],
    ['1a07 0000130a 41', 'expected 2 octets of vendor header, got 1'],
    ['1a09 0000130a 4100 01', 'expected a vendor length of at least 2, got 0'],
    ['1a09 0000130a 4101 01', 'expected a vendor length of at least 2, got 1'],
    ['1a09 0000130a 4104 01', 'expected a vendor length of at most 3, got 4'],
    ['1a0a 0000130a 4103 61 41', 'expected 2 octets of vendor header, got 1'],
    ['1a0c 0000130a 4103 61 4104 61', 'expected a vendor length of at most 3, got 4'],
  ])('keeps a Vendor-Specific of %s as malformed: %s', (hex, reason) => {
    const whole = octets(hex);
    expect(decode(whole)).toStrictEqual([{ malformed: { type: 26, reason }, value: whole.subarray(2) }]);
    expect(encode(...decode(whole))).toEqual(whole);
  });

  it('keeps a sub-attribute whose value does not fit its type as malformed', () => {
    const malformed = {
      malformed: { type: 26, vendor: ERX, vendorType: 68, reason: 'expected 3 octets, got 2' },
      value: octets('010000'),
    };
    expect(decode(erx(68, '010000'))).toStrictEqual([malformed]);
    expect(encode(...decode(erx(68, '010000')))).toEqual(erx(68, '010000'));
  });

  it('decodes each sub-attribute of a Vendor-Specific by itself, in the order of the packet', () => {
    const both = Buffer.concat([attribute(65, octets('01676f6c64')), attribute(69, octets('01000002'))]);
    const name = attribute(1, Buffer.from('client1'));
    expect(decode(name, vendorSpecific(ERX, both), name)).toStrictEqual([
      { name: 'User-Name', value: 'client1' },
      { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
      { name: 'ERX-Service-Statistics', tag: 1, value: 2 },
      { name: 'User-Name', value: 'client1' },
    ]);
  });

  it('reads a zero octet before tagged text as no tag, also before a Service-Deactivate', () => {
    expect(decode(erx(65, '00676f6c64'), erx(66, '00676f6c64'))).toStrictEqual([
      { name: 'ERX-Service-Activate', value: 'gold' },
      { name: 'ERX-Service-Deactivate', value: 'gold' },
    ]);
  });

  it('reads a first octet of tagged text of 0x20 or more as text', () => {
    expect(decode(erx(65, '20'), erx(65, '1f20'))).toStrictEqual([
      { name: 'ERX-Service-Activate', value: ' ' },
      { name: 'ERX-Service-Activate', tag: 31, value: ' ' },
    ]);
  });

  it('reads the same prefix from 16 octets and from the fewest', () => {
    expect(decode(octets(`6114 0020 20010db8 ${'00'.repeat(12)}`))).toStrictEqual([
      { name: 'Framed-IPv6-Prefix', value: '2001:db8::/32' },
    ]);
  });

  it('keeps a byte order mark at the beginning of a text', () => {
    expect(decode(octets('0106 efbbbf61'))).toStrictEqual([{ name: 'User-Name', value: '\ufeffa' }]);
  });
});

describe('encodeAttributes', () => {
  const text = (length: number) => 'x'.repeat(length);

  it.each<[Attribute, string]>([
    [{ name: 'User-Name', value: text(254) }, 'User-Name: expected at most 253 octets, got 254'],
    [{ name: 'User-Name', value: 'ë'.repeat(127) }, 'User-Name: expected at most 253 octets, got 254'],
    [{ name: 'User-Name', value: '' }, 'User-Name: expected at least 1 octet, got 0'],
    [{ name: 'Class', value: octets('') }, 'Class: expected at least 1 octet, got 0'],
    [{ name: 'User-Name', value: '\ud800' }, 'User-Name: expected well-formed Unicode, got "\\ud800"'],
    [{ name: 'User-Name', tag: 1, value: 'x' }, 'User-Name: expected no tag, got 1'],
    [
      { name: 'ERX-Service-Session', value: text(248) },
      'ERX-Service-Session: expected at most 247 octets, got 248',
    ],
    [
      { name: 'ERX-Service-Activate', tag: 1, value: text(247) },
      'ERX-Service-Activate: expected at most 247 octets, got 248',
    ],
    [
      { name: 'ERX-Service-Activate', tag: 0, value: 'gold' },
      'ERX-Service-Activate: expected a tag from 1 to 31, got 0',
    ],
    [
      { name: 'ERX-Service-Activate', tag: 32, value: 'gold' },
      'ERX-Service-Activate: expected a tag from 1 to 31, got 32',
    ],
    [
      { name: 'ERX-Service-Activate', tag: 1.5, value: 'gold' },
      'ERX-Service-Activate: expected a tag from 1 to 31, got 1.5',
    ],
    [
      { name: 'ERX-Service-Timeout', tag: 1, value: 2 ** 24 },
      'ERX-Service-Timeout: expected an integer from 0 to 16777215, got 16777216',
    ],
    [
      { name: 'NAS-Port', value: 2 ** 32 },
      'NAS-Port: expected an integer from 0 to 4294967295, got 4294967296',
    ],
    [{ name: 'NAS-Port', value: -1 }, 'NAS-Port: expected an integer from 0 to 4294967295, got -1'],
    [{ name: 'NAS-Port', value: 0.5 }, 'NAS-Port: expected an integer from 0 to 4294967295, got 0.5'],
    [{ name: 'NAS-Port', value: Number.NaN }, 'NAS-Port: expected an integer from 0 to 4294967295, got NaN'],
    ...['192.0.2', '192.0.2.256', '192.0.2.01', '192.0.2.1.1', '192.0.2.', '0x1.0.2.1'].map(
      (value): [Attribute, string] => [
        { name: 'NAS-IP-Address', value },
        `NAS-IP-Address: expected an IPv4 address, got "${value}"`,
      ],
    ),
    ...['', '1.2.3.4', '2001:db8', '::g', '::1%eth0', '[::1]', '::1]/x[', '1::2::3'].map(
      (value): [Attribute, string] => [
        { name: 'NAS-IPv6-Address', value },
        `NAS-IPv6-Address: expected an IPv6 address, got "${value}"`,
      ],
    ),
    ...['::', '::/129', '::1/127', '2001:db8::/32/', '/32', '::/-1'].map((value): [Attribute, string] => [
      { name: 'Framed-IPv6-Prefix', value },
      `Framed-IPv6-Prefix: expected an IPv6 prefix, got "${value}"`,
    ]),
    [
      { name: 'Framed-Interface-Id', value: '::1' },
      'Framed-Interface-Id: expected four groups of hexadecimal digits, got "::1"',
    ],
    [{ unknown: { type: 241 }, value: Buffer.alloc(254) }, 'Attr-241: expected at most 253 octets, got 254'],
    [
      { unknown: { type: 26, vendor: 9, vendorType: 99 }, value: Buffer.alloc(248) },
      'Attr-26.9.99: expected at most 247 octets, got 248',
    ],
  ])('throws on %o', (value, message) => {
    expect(() => encode({ name: 'NAS-Port', value: 1 }, value)).toThrow(new RangeError(message));
  });

  it('encodes values of the greatest length', () => {
    expect(encode({ name: 'User-Name', value: text(253) })).toHaveLength(255);
    expect(encode({ name: 'ERX-Service-Session', value: text(247) })).toHaveLength(255);
    expect(encode({ name: 'ERX-Service-Activate', tag: 1, value: text(246) })).toHaveLength(255);
  });

  it('accepts every text form of an IPv6 address', () => {
    const forms = ['::ffff:192.0.2.1', '2001:DB8:0:0:0:0:0:1', '::'];
    const list = forms.map((value): Attribute => ({ name: 'NAS-IPv6-Address', value }));
    expect(allValues(decode(encode(...list)), 'NAS-IPv6-Address')).toEqual([
      '::ffff:c000:201',
      '2001:db8::1',
      '::',
    ]);
  });

  it('encodes an empty list as no octets', () => {
    expect(encode()).toHaveLength(0);
  });
});

describe('a list of attributes', () => {
  const list: readonly Attribute[] = [
    { unknown: { type: 241 }, value: octets('08') },
    { malformed: { type: 1, reason: 'expected UTF-8, got other octets' }, value: octets('ff') },
    { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
    { name: 'ERX-Service-Activate', tag: 2, value: 'silver' },
    { name: 'ERX-Service-Timeout', tag: 1, value: 60 },
  ];

  it('gives the first value and all values of a name, of the type of the name', () => {
    expect(firstValue(list, 'ERX-Service-Activate')).toBe('gold');
    expect(allValues(list, 'ERX-Service-Activate')).toEqual(['gold', 'silver']);
    expect(firstValue(list, 'User-Name')).toBeUndefined();
    expect(allValues(list, 'User-Name')).toEqual([]);
    expectTypeOf(firstValue(list, 'ERX-Service-Timeout')).toEqualTypeOf<number | undefined>();
    expectTypeOf(allValues(list, 'Class')).toEqualTypeOf<Uint8Array[]>();
  });

  it('gives the attributes of a name with their tags', () => {
    const tags = list.filter(isNamed('ERX-Service-Activate')).map(({ tag, value }) => `${tag} ${value}`);
    expect(tags).toEqual(['1 gold', '2 silver']);
  });
});

describe('describeAttribute', () => {
  it.each<[Attribute, string]>([
    [{ name: 'ERX-Service-Activate', tag: 1, value: 'gold' }, 'ERX-Service-Activate:1 = "gold"'],
    [{ name: 'User-Name', value: 'a"b\n' }, String.raw`User-Name = "a\"b\n"`],
    [{ name: 'Error-Cause', value: 503 }, 'Error-Cause = 503'],
    [{ name: 'NAS-IP-Address', value: '192.0.2.1' }, 'NAS-IP-Address = 192.0.2.1'],
    [{ name: 'State', value: octets('00ff') }, 'State = 0x00ff'],
    [{ unknown: { type: 241 }, value: octets('08') }, 'Attr-241 = 0x08'],
    [{ unknown: { type: 26, vendor: ERX, vendorType: 99 }, value: octets('01') }, 'Attr-26.4874.99 = 0x01'],
    [{ unknown: { type: 26, vendor: 0, vendorType: 44 }, value: octets('61') }, 'Attr-26.0.44 = 0x61'],
    [
      {
        malformed: { type: 26, vendor: ERX, vendorType: 68, reason: 'expected 3 octets, got 2' },
        value: octets('010000'),
      },
      'ERX-Service-Timeout = 0x010000 (malformed: expected 3 octets, got 2)',
    ],
    [
      { malformed: { type: 26, reason: 'expected 4 octets of vendor, got 1' }, value: octets('00') },
      'Attr-26 = 0x00 (malformed: expected 4 octets of vendor, got 1)',
    ],
  ])('%o', (value, line) => {
    expect(describeAttribute(value)).toBe(line);
  });
});
