import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ACCT_STATUS_TYPE,
  ATTRIBUTES,
  type AttributeDefinition,
  attributeNameAt,
  ERROR_CAUSE,
  errorCauseName,
  TERMINATE_CAUSE,
} from '../../../core/radius/attributes.ts';
import type { ValueType } from '../../../core/radius/value-types.ts';
import { peer } from '../../system/peers/require-peer.ts';

const TABLE = Object.entries<AttributeDefinition>(ATTRIBUTES);

const DICTIONARIES = ['/usr/share/freeradius', '/usr/local/share/freeradius'].find((directory) =>
  existsSync(join(directory, 'dictionary.erx')),
);
const dictionaries = peer('FreeRADIUS dictionaries', DICTIONARIES !== undefined);

/** FreeRADIUS' names of the types of values. */
const FREERADIUS_TYPES: Readonly<Record<ValueType, string>> = {
  text: 'string',
  octets: 'octets',
  integer: 'integer',
  integer24: 'integer',
  time: 'date',
  ipv4: 'ipaddr',
  ipv6: 'ipv6addr',
  'ipv6-prefix': 'ipv6prefix',
  'interface-id': 'ifid',
};

describe('the attribute table', () => {
  it('finds every attribute by its number and vendor', () => {
    for (const [name, { number, vendor }] of TABLE) expect(attributeNameAt(number, vendor)).toBe(name);
  });

  it('has no name for other numbers', () => {
    expect([attributeNameAt(26), attributeNameAt(0), attributeNameAt(99, 4874)]).toEqual(
      Array(3).fill(undefined),
    );
    expect(attributeNameAt(65, 9)).toBeUndefined();
    for (const [, { number }] of TABLE) expect(attributeNameAt(number, 0)).toBeUndefined();
  });

  it('has a tag for every 24-bit integer, and for no 32-bit one', () => {
    const tagged = TABLE.filter(([, { tagged }]) => tagged).map(([, { type }]) => type);
    expect(new Set(tagged)).toEqual(new Set(['text', 'integer24']));
    expect(TABLE.filter(([, { type, tagged }]) => type === 'integer24' && !tagged)).toEqual([]);
  });

  it('names every Error-Cause of RFC 5176, and no other', () => {
    expect(errorCauseName(503)).toBe('Session-Context-Not-Found');
    expect(errorCauseName(601)).toBeUndefined();
    for (const [name, value] of Object.entries(ERROR_CAUSE)) expect(errorCauseName(value)).toBe(name);
  });
});

describe.skipIf(dictionaries.skip)(dictionaries.title("against FreeRADIUS' dictionaries"), () => {
  // Read only if the tests run: without FreeRADIUS there are no dictionaries.
  const lines = () => {
    const directory = DICTIONARIES ?? '';
    return readdirSync(directory)
      .filter((file) => /^dictionary\.(rfc\d+|erx|cisco|ericsson\.ab)$/.test(file))
      .flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n'))
      .map((line) => line.replace(/#.*/, '').trim().split(/\s+/));
  };

  it('has the same names, numbers, types and tags', () => {
    const theirs = new Map(
      lines()
        .filter(([keyword]) => keyword === 'ATTRIBUTE')
        .map(([, name, number, type, flags]) => [name, { number, type, tagged: flags === 'has_tag' }]),
    );
    const ours = TABLE.map(([name, { number, type, tagged = false }]) => [
      name,
      { number: String(number), type: FREERADIUS_TYPES[type], tagged },
    ]);
    // FreeRADIUS' has no tag. Interlock reads one, since JunosE's documentation has one in an example.
    theirs.set('ERX-Service-Deactivate', { number: '66', type: 'string', tagged: true });
    // No dictionary of FreeRADIUS 3.2 has these.
    theirs.set('Alc-Error-Code', { number: '226', type: 'integer', tagged: false });
    theirs.set('Alc-Error-Message', { number: '227', type: 'string', tagged: false });
    expect(ours).toEqual(TABLE.map(([name]) => [name, theirs.get(name)]));
  });

  it.each([
    ['Error-Cause', ERROR_CAUSE],
    ['Acct-Status-Type', ACCT_STATUS_TYPE],
    ['Acct-Terminate-Cause', TERMINATE_CAUSE],
  ])('has the same values of %s', (attribute, constants) => {
    // FreeRADIUS abbreviates some names of the RFC.
    const RFC_NAMES: Readonly<Record<string, string>> = {
      'Residual-Context-Removed': 'Residual-Session-Context-Removed',
      'Proxy-Request-Not-Routable': 'Request-Not-Routable',
      'Proxy-Processing-Error': 'Other-Proxy-Processing-Error',
    };
    const theirs = new Map(
      lines()
        .filter(([keyword, name]) => keyword === 'VALUE' && name === attribute)
        .map(([, , name = '', value]) => [RFC_NAMES[name] ?? name, Number(value)]),
    );
    expect(Object.entries(constants)).toEqual(Object.keys(constants).map((name) => [name, theirs.get(name)]));
  });
});
