// Records that makes without a dialect of their own send, and texts that are none.
import { expect, it } from 'vitest';
import {
  ciscoServiceRecord,
  erxServiceRecord,
  huaweiServiceRecord,
  nokiaServiceRecord,
  type ReadServiceRecord,
  redbackServiceRecord,
} from '../../../core/dialects/service-records.ts';
import { decodeAttributes } from '../../../core/radius/codec.ts';
import { attribute, craft, packetOf, vendorSpecific } from '../radius/craft.ts';

const NOKIA = 6527;
const HUAWEI = 2011;
const REDBACK = 2352;

const vendor = (number: number, type: number, value: string | Buffer) =>
  vendorSpecific(number, attribute(type, Buffer.from(value)));
const read = (reader: ReadServiceRecord, ...attributes: readonly Buffer[]) =>
  reader(decodeAttributes(packetOf(craft({ code: 4, attributes }))));

const OWN = attribute(44, Buffer.from('own'));
const MULTI = attribute(50, Buffer.from('parent'));
const SERVICE = { serviceSessionId: 'own', parentSessionId: 'parent' };
const LONG = 'x'.repeat(240);

it.each<[string, ReadServiceRecord, readonly Buffer[], object | undefined]>([
  [
    'Nokia',
    nokiaServiceRecord,
    [vendor(NOKIA, 151, 'rate-limit;5120;30720')],
    { name: 'rate-limit;5120;30720' },
  ],
  [
    'Nokia, in two attributes',
    nokiaServiceRecord,
    [vendor(NOKIA, 151, LONG), vendor(NOKIA, 151, ';1')],
    { name: `${LONG};1` },
  ],
  ['Huawei', huaweiServiceRecord, [vendor(HUAWEI, 185, 'Ngold')], { name: 'gold' }],
  ['Huawei, another letter', huaweiServiceRecord, [vendor(HUAWEI, 185, 'Agold')], { name: 'gold' }],
  ['Huawei, by its policy', huaweiServiceRecord, [vendor(HUAWEI, 95, 'gold')], { name: 'gold' }],
  ['Huawei, a letter alone', huaweiServiceRecord, [vendor(HUAWEI, 185, 'N')], undefined],
  ['Nokia, a session', nokiaServiceRecord, [vendor(NOKIA, 150, 'gold')], undefined],
  ['no UTF-8', nokiaServiceRecord, [vendor(NOKIA, 151, Buffer.of(0xff))], undefined],
  ['no octets', huaweiServiceRecord, [vendor(HUAWEI, 95, '')], undefined],
  ['a malformed Vendor-Specific', nokiaServiceRecord, [attribute(26, Buffer.of(1))], undefined],
])('%s', (_, reader, attributes, expected) => {
  expect(read(reader, OWN, MULTI, ...attributes)).toEqual(expected && { ...SERVICE, ...expected });
});

it('Redback, whose services have an id of their own or that of the session', () => {
  const name = vendor(REDBACK, 190, 'GOLD');
  expect(read(redbackServiceRecord, OWN, name, vendor(REDBACK, 197, 'parent'))).toEqual({
    name: 'GOLD',
    ...SERVICE,
  });
  expect(read(redbackServiceRecord, OWN, name)).toEqual({
    name: 'GOLD',
    serviceSessionId: 'own',
    parentSessionId: 'own',
  });
});

it.each([
  erxServiceRecord,
  ciscoServiceRecord,
  nokiaServiceRecord,
  huaweiServiceRecord,
  redbackServiceRecord,
])('a record of a session is none of a service: %o', (reader) => {
  expect(read(reader, OWN, MULTI, attribute(1, Buffer.from('ann')))).toBeUndefined();
});
