// Laws of the codec over random lists and random octets, and packets mutated at random. A failure prints its seed;
// INTERLOCK_FUZZ_RUNS makes more mutations than the usual 20,000.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ATTRIBUTES, type AttributeDefinition, attributeNameAt } from '../../../core/radius/attributes.ts';
import {
  prepareSecret,
  signRequest,
  verifyReply,
  verifyRequest,
} from '../../../core/radius/authenticator.ts';
import {
  type Attribute,
  decodeAttributes,
  describeAttribute,
  encodeAttributes,
} from '../../../core/radius/codec.ts';
import { parsePacket } from '../../../core/radius/packet.ts';
import { VALUE_CODECS, type ValueType } from '../../../core/radius/value-types.ts';
import { attribute, packetOf, vendorSpecific } from './craft.ts';
import { REPLIES, REQUESTS, type ReplyVector, SECRET, type Vector } from './vectors.ts';

const TABLE = Object.entries<AttributeDefinition>(ATTRIBUTES);
const octet = fc.integer({ min: 0, max: 255 });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const octets = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const decoded = (type: 'ipv6' | 'ipv6-prefix' | 'interface-id', value: Uint8Array) => {
  const result = VALUE_CODECS[type].decode(value);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
};

/** Values of every type; text of at most 240 octets fits behind every header. */
const VALUES: Readonly<Record<ValueType, fc.Arbitrary<string | number | Uint8Array>>> = {
  text: fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
  octets: octets(1, 247),
  integer: uint32,
  integer24: fc.integer({ min: 0, max: 0xff_ffff }),
  time: uint32,
  ipv4: fc.ipV4(),
  ipv6: octets(16, 16).map((value) => decoded('ipv6', value)),
  'ipv6-prefix': fc
    .tuple(fc.integer({ min: 0, max: 16 }), octets(16, 16))
    .map(([whole, value]) =>
      decoded('ipv6-prefix', Buffer.concat([Buffer.of(0, whole * 8), value.subarray(0, whole)])),
    ),
  'interface-id': octets(8, 8).map((value) => decoded('interface-id', value)),
};

const known = fc.constantFrom(...TABLE).chain(([name, { type, tagged }]) =>
  fc
    .record(
      {
        name: fc.constant(name),
        value: VALUES[type],
        ...(tagged && { tag: fc.integer({ min: 1, max: 31 }) }),
      },
      { requiredKeys: ['name', 'value'], noNullPrototype: true },
    )
    .map((fields) => fields as Attribute),
);
const unknown = fc.oneof(
  fc
    .tuple(octet, octets(0, 253))
    .filter(([type]) => type !== 26 && attributeNameAt(type) === undefined)
    .map(([type, value]): Attribute => ({ unknown: { type }, value })),
  fc
    .tuple(fc.oneof(uint32, fc.constant(4874)), octet, octets(0, 247))
    .filter(([vendor, vendorType]) => attributeNameAt(vendorType, vendor) === undefined)
    .map(([vendor, vendorType, value]): Attribute => ({ unknown: { type: 26, vendor, vendorType }, value })),
);

/** Attributes as a peer may send them: random ones, and ones of the table with random values. */
const tableNumber = fc.constantFrom(...TABLE.map(([, { number }]) => number));
const wire = fc.array(
  fc.oneof(
    fc.tuple(fc.oneof(octet, tableNumber), octets(0, 20)).map(([type, value]) => attribute(type, value)),
    fc
      .tuple(fc.oneof(octet, tableNumber), octets(0, 8))
      .map(([vendorType, value]) => vendorSpecific(4874, attribute(vendorType, value))),
    octets(0, 12).map((inside) => vendorSpecific(4874, inside)),
  ),
  { maxLength: 10 },
);

const secret = prepareSecret(SECRET);
const decode = (...attributes: readonly Buffer[]) => {
  const request = { code: 43, identifier: 1, attributes: Buffer.concat(attributes) };
  return decodeAttributes(packetOf(signRequest(request, secret, { messageAuthenticator: false })));
};
const encode = (list: readonly Attribute[]) => Buffer.from(encodeAttributes(list));

/** Whether the value has one encoding only: all types but prefixes and tagged text. */
const isLossless = (attribute: Attribute) => {
  if (!('name' in attribute)) return true;
  const { type, tagged }: AttributeDefinition = ATTRIBUTES[attribute.name];
  return type !== 'ipv6-prefix' && !(tagged && type === 'text');
};

describe('the codec', () => {
  it('decodes every list that it encodes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(known, unknown), { maxLength: 12 }), (list) => {
        expect(decode(encode(list))).toStrictEqual(list);
      }),
      { numRuns: 1000 },
    );
  });

  it('encodes what it decoded octet for octet', () => {
    fc.assert(
      fc.property(wire, (attributes) => {
        for (const octets of attributes) {
          const list = decode(octets);
          if (list.length === 1 && list.every(isLossless)) expect(encode(list)).toEqual(octets);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('decodes the same from what it encoded again, and describes it', () => {
    fc.assert(
      fc.property(wire, (attributes) => {
        const list = decode(...attributes);
        expect(decode(encode(list))).toStrictEqual(list);
        for (const line of list.map(describeAttribute))
          expect(line).toMatch(/^[\w-]+(\.\d+){0,2}(:\d+)? = .+$/s);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a packet mutated at random', () => {
  const RUNS = Number(process.env['INTERLOCK_FUZZ_RUNS'] ?? 20_000);

  /** A mutation: octets are overwritten, removed or inserted anywhere in the packet. */
  const mutation = fc.record({
    at: fc.nat({ max: 4096 }),
    remove: fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: 40 })),
    insert: octets(0, 4),
  });
  const mutated = (bytes: Buffer, steps: readonly { at: number; remove: number; insert: Buffer }[]) =>
    steps.reduce((packet, { at, remove, insert }) => {
      const offset = at % (packet.length + 1);
      return Buffer.concat([packet.subarray(0, offset), insert, packet.subarray(offset + remove)]);
    }, bytes);

  it(`is never accepted, and never throws, in ${RUNS} runs`, () => {
    const vectors: readonly (Vector | ReplyVector)[] = [
      ...Object.values(REQUESTS),
      ...Object.values(REPLIES),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...vectors),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (vector, steps, keepsLength) => {
          const datagram = mutated(vector.bytes, steps);
          if (keepsLength && datagram.length >= 4) datagram.writeUInt16BE(datagram.length, 2);
          const parsed = parsePacket(datagram);
          if (!parsed.ok) return;
          const { packet } = parsed;
          for (const attribute of decodeAttributes(packet)) describeAttribute(attribute);
          const { ok } =
            'request' in vector
              ? verifyReply(packet, packetOf(vector.request.bytes), secret)
              : verifyRequest(packet, secret);
          expect(ok).toBe(vector.bytes.equals(packet.bytes));
        },
      ),
      { numRuns: RUNS },
    );
  });
});
