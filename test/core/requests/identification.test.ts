import { describe, expect, it } from 'vitest';
import { IDENTITY_ATTRIBUTES, NAS_IDENTITY_ATTRIBUTES } from '../../../core/identity.ts';
import { LOOK_UP_ATTRIBUTES } from '../../../core/look-up.ts';
import { messageGroup } from '../../../core/messages.ts';
import type { KnownNas } from '../../../core/nas.ts';
import type { Attribute } from '../../../core/radius/codec.ts';
import { encodeAttributes } from '../../../core/radius/codec.ts';
import {
  acctSessionIdOf,
  identityOf,
  nasOf,
  requestGroup,
  subjectOf,
} from '../../../core/requests/identification.ts';
import { craft, packetOf } from '../radius/craft.ts';
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

const id = (value: string): Attribute => ({ name: 'Acct-Session-Id', value });

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
  it.each(['0', 'x'.repeat(239), 'ä'.repeat(119)])('has 1 to 239 octets: %s', (value) => {
    expect(acctSessionIdOf([id(value)])).toEqual({ ok: true, value });
  });

  it.each<[string, readonly Attribute[], string, string]>([
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

describe('the subject of a request', () => {
  const user: Attribute = { name: 'User-Name', value: 'client1@isp1.com' };
  const renamed = [{ ...BNG_2, formerly: ['bng-1'] }];
  const found = { nas: 'bng-1', acctSessionId: '0007' };

  it('is the session of its Acct-Session-Id, whatever a look-up has found', () => {
    expect(subjectOf([id('0001'), user], renamed, found)).toMatchObject({
      ok: true,
      value: { acctSessionId: '0001', identity: { 'User-Name': 'client1@isp1.com' } },
    });
    expect(subjectOf([id('0001')], renamed, found)).not.toHaveProperty('value.lookedUpAt');
  });

  it('is the session that a look-up has found, under the name of the NAS with which it is stored', () => {
    expect(subjectOf([user], renamed, found)).toMatchObject({
      ok: true,
      value: { nas: { name: 'bng-2' }, acctSessionId: '0007', lookedUpAt: 'bng-1' },
    });
  });

  it('has to be looked up where nothing was found, or a session of a NAS that has left the site', () => {
    const identity = { 'User-Name': 'client1@isp1.com' };
    const unknown = { ok: true, value: { identity, nasNames: ['bng-2', 'bng-1'] } };
    expect(subjectOf([user], renamed, undefined)).toEqual(unknown);
    expect(subjectOf([user], renamed, { ...found, nas: 'bng-9' })).toEqual(unknown);
  });

  it('is looked for at the NAS that the request names, else at all NASes of the site', () => {
    const two = [BNG_1, ...renamed];
    const sought = (...attributes: readonly Attribute[]) => subjectOf([user, ...attributes], two, undefined);
    expect(sought(identifier('bng-1'))).toMatchObject({ value: { nasNames: ['bng-1'] } });
    expect(sought()).toMatchObject({ value: { nasNames: ['bng-1', 'bng-2', 'bng-1'] } });
    expect(sought(identifier('bng-9'))).toMatchObject({
      refusal: { errorCause: 'NAS-Identification-Mismatch' },
    });
    // Both may have given that id.
    const identity = { 'User-Name': 'client1@isp1.com' };
    expect(sought(id('0001'))).toEqual({
      ok: true,
      value: { acctSessionId: '0001', identity, nasNames: ['bng-1', 'bng-2', 'bng-1'] },
    });
    expect(subjectOf([id('0007')], [BNG_1, BNG_2], { nas: 'bng-2', acctSessionId: '0007' })).toMatchObject({
      value: { nas: BNG_2.profile, acctSessionId: '0007', lookedUpAt: 'bng-2' },
    });
    const other = { nas: 'bng-1', acctSessionId: '0007' };
    expect(subjectOf([user], [BNG_1, BNG_2], other)).toMatchObject({ value: { nas: BNG_1.profile } });
    expect(subjectOf([user, identifier('bng-2')], [BNG_1, BNG_2], other)).not.toHaveProperty('value.nas');
  });

  it.each(LOOK_UP_ATTRIBUTES)('is identified by %s alone', (name) => {
    expect(subjectOf([{ name, value: 'x' } as Attribute], renamed, undefined)).toMatchObject({ ok: true });
  });

  it.each<readonly Attribute[]>([
    [],
    [{ name: 'NAS-Port', value: 7 }],
    [{ name: 'Called-Station-Id', value: 'isp1' }],
    [{ name: 'ERX-Virtual-Router-Name', value: 'default' }],
    [{ name: 'Framed-Interface-Id', value: '0:0:0:1' }],
    [identifier('bng-2'), { name: 'NAS-Port', value: 7 }, { name: 'Called-Station-Id', value: 'isp1' }],
  ])('is not identified by %j', (...attributes) => {
    expect(subjectOf(attributes, renamed, undefined)).toEqual(
      refused('Missing-Attribute', 'neither Acct-Session-Id nor another attribute identifies the session'),
    );
  });
});

describe('the message group of a request', () => {
  const groupOf = (...attributes: readonly Attribute[]) =>
    requestGroup(packetOf(craft({ attributes: [Buffer.from(encodeAttributes(attributes))] })));
  const user: Attribute = { name: 'User-Name', value: 'client1@isp1.com' };

  it('is that of its session', () => {
    expect(groupOf(user, id('0001'))).toBe(messageGroup(Buffer.from('0001')));
  });

  it('is that of its User-Name, whatever else identifies the subscriber', () => {
    const address: Attribute = { name: 'Framed-IP-Address', value: '198.51.100.7' };
    expect(groupOf(address, user)).toBe(groupOf(user));
    expect(groupOf({ name: 'User-Name', value: 'client2@isp1.com' })).not.toBe(groupOf(user));
    expect(groupOf(address)).not.toBe(groupOf(user));
  });

  it('is the same for each spelling of a MAC address', () => {
    const [one, other] = ['00-1A-2B-3C-4D-5E', '001a.2b3c.4d5e'].map((value) =>
      groupOf({ name: 'Calling-Station-Id', value }),
    );
    expect(one).toBe(other);
  });

  it('is that of no session, and one that SQS takes', () => {
    for (const value of ['x', '0001', 'ä'.repeat(120), ' "\\ ']) {
      const group = groupOf({ name: 'User-Name', value });
      expect(group).toMatch(/^by:[A-Za-z0-9_-]{1,125}$/);
      expect(group).not.toBe(messageGroup(Buffer.from(value)));
    }
  });

  it('is one for all that identify no session: they are refused', () => {
    expect(groupOf({ name: 'NAS-Port', value: 7 })).toBe(groupOf());
    expect(groupOf(user, user)).toBe(groupOf());
  });
});
