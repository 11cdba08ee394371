// Mutations of RADIUS packets and of JSON.
import { ATTRIBUTES, type AttributeDefinition } from '../../../core/radius/attributes.ts';
import { attribute, craft, vendorSpecific } from '../../core/radius/craft.ts';
import type { Random } from '../../random.ts';

const TABLE: readonly AttributeDefinition[] = Object.values(ATTRIBUTES);
const VENDORS = [...new Set(TABLE.flatMap(({ vendor }) => vendor ?? [])), 0, 9, 0xffff_ffff];
const HEADER_OCTETS = 20;

const octets = (random: Random, most: number) =>
  Buffer.from(Array.from({ length: random.below(most + 1) }, () => random.below(256)));

/** The attributes of a well-formed packet, as octets. */
export function attributesOf(packet: Buffer): Buffer[] {
  const attributes: Buffer[] = [];
  for (let offset = HEADER_OCTETS; offset < packet.length; ) {
    const length = packet.readUInt8(offset + 1);
    attributes.push(packet.subarray(offset, offset + length));
    offset += length;
  }
  return attributes;
}

/** Any attribute: of the table or not, of a vendor or not, with any octets. */
function anyAttribute(random: Random): Buffer {
  const { number, vendor } = random.pick(TABLE);
  const type = random.next() < 0.8 ? number : random.below(256);
  const value = octets(random, random.pick([0, 1, 4, 5, 16, 60, 240]));
  return vendor !== undefined || random.next() < 0.2
    ? vendorSpecific(random.next() < 0.8 ? (vendor ?? 4874) : random.pick(VENDORS), attribute(type, value))
    : attribute(type, value);
}

/** Mutations of a list of attributes that leaves a list of attributes, well-formed or not. */
const OF_ATTRIBUTES: readonly ((list: Buffer[], at: number, random: Random) => Buffer[])[] = [
  // Insertion.
  (list, at, random) => list.toSpliced(at, 0, anyAttribute(random)),
  // Removal.
  (list, at) => list.toSpliced(at, 1),
  // Duplication, at another place.
  (list, at, random) => list.toSpliced(random.below(list.length + 1), 0, list[at] ?? Buffer.alloc(0)),
  // Truncation or extension, with the length that follows.
  (list, at, random) => {
    const { [0]: type = 0 } = list[at] ?? [];
    const value = (list[at] ?? Buffer.alloc(2)).subarray(2);
    const longer = Buffer.concat([value, octets(random, 20)]).subarray(0, 253);
    return list.with(
      at,
      attribute(type, random.next() < 0.7 ? value.subarray(0, random.below(value.length + 1)) : longer),
    );
  },
  // A length that does not follow.
  (list, at, random) => {
    const copy = Buffer.from(list[at] ?? []);
    copy.writeUInt8(random.pick([0, 1, 2, 3, 5, 254, 255, random.below(256)]), 1);
    return list.with(at, copy);
  },
  // A length within a Vendor-Specific that does not follow, or another vendor.
  (list, at, random) => {
    const one = list[at];
    if (one === undefined || one[0] !== 26 || one.length < 9) return list.with(at, anyAttribute(random));
    const copy = Buffer.from(one);
    if (random.next() < 0.5) copy.writeUInt8(random.pick([0, 1, 2, 255, random.below(256)]), 7);
    else copy.writeUInt32BE(random.pick(VENDORS), 2);
    return list.with(at, copy);
  },
  // Nesting: in a Vendor-Specific, or several of them in one.
  (list, at, random) => {
    const inside = Buffer.concat(list.slice(at, at + 1 + random.below(3)));
    if (inside.length > 249) return list;
    return list.toSpliced(at, 1, vendorSpecific(random.pick(VENDORS), inside));
  },
  // Another type.
  (list, at, random) => {
    const copy = Buffer.from(list[at] ?? []);
    copy.writeUInt8(random.next() < 0.7 ? random.pick(TABLE).number : random.below(256), 0);
    return list.with(at, copy);
  },
  // Another value, of the same length.
  (list, at, random) => {
    const copy = Buffer.from(list[at] ?? []);
    for (let index = 2; index < copy.length; index++)
      if (random.next() < 0.2)
        copy[index] = random.pick([0, 0x1f, 0x28, 0x29, 0x2c, 0x7f, 0xff, random.below(256)]);
    return list.with(at, copy);
  },
  // Order.
  (list, at, random) => {
    const moved = list[at] ?? Buffer.alloc(0);
    return list.toSpliced(at, 1).toSpliced(random.below(list.length), 0, moved);
  },
];

/** A mutant of a packet: well-formed or not, and signed anew in most cases, so that it gets behind the authenticators. */
export function mutatedPacket(packet: Buffer, random: Random, requestAuthenticator?: Uint8Array): Buffer {
  let attributes = attributesOf(packet);
  for (let steps = 1 + random.below(3); steps > 0; steps--) {
    if (attributes.length === 0) attributes = [anyAttribute(random)];
    attributes = random.pick(OF_ATTRIBUTES)(attributes, random.below(attributes.length), random);
  }
  const code = random.next() < 0.95 ? packet.readUInt8(0) : random.below(256);
  const signed = craft({
    code,
    identifier: packet.readUInt8(1),
    attributes: attributes.map((one) => Buffer.from(one)),
    ...(requestAuthenticator !== undefined && { requestAuthenticator }),
  });
  if (random.next() < 0.8) return signed;
  const broken = Buffer.from(signed);
  const chance = random.next();
  if (chance < 0.3)
    broken.writeUInt16BE(random.pick([0, 19, 20, 21, 4095, 4096, 4097, 65_535, random.below(65_536)]), 2);
  else if (chance < 0.6)
    for (let bits = 1 + random.below(4); bits > 0; bits--) {
      const bit = random.below(broken.length * 8);
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
  else if (chance < 0.8) return broken.subarray(0, random.below(broken.length + 1));
  else return Buffer.concat([broken, octets(random, 40)]);
  return broken;
}

type Json = unknown;

const OTHERS: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  1e308,
  2 ** 53,
  2 ** 32,
  '',
  ' ',
  'ack',
  '\u0000',
  '\ud800',
  '2026',
  'x'.repeat(300),
  [],
  {},
  [null],
  [{}],
  { kind: 'reply' },
  ['gold'],
];
const KEYS = ['__proto__', 'constructor', 'toString', 'kind', 'version', 'nas', 'services', 'x'];

/** A mutant of a JSON value: values removed, retyped, copied from elsewhere, renamed, repeated. */
export function mutatedJson(value: Json, random: Random): Json {
  const copy = structuredClone(value);
  for (let steps = 1 + random.below(2); steps > 0; steps--) mutateOnce(copy, random);
  return copy;
}

type Place = readonly [holder: Record<string, Json>, key: string];

function placesIn(value: Json): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, Json>;
  return Object.keys(holder).flatMap((key): Place[] => [[holder, key], ...placesIn(holder[key])]);
}

function mutateOnce(root: Json, random: Random): void {
  const places = placesIn(root);
  if (places.length === 0) return;
  const [holder, key] = random.pick(places);
  const value = holder[key];
  switch (random.below(7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      return;
    case 1:
      holder[key] = structuredClone(random.pick(OTHERS));
      return;
    case 2: {
      const [other, at] = random.pick(places);
      holder[key] = structuredClone(other[at]);
      return;
    }
    case 3: {
      const name = random.pick(KEYS);
      if (Array.isArray(holder)) return;
      Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
      return;
    }
    case 4:
      if (Array.isArray(value) && value.length > 0) value.push(structuredClone(random.pick(value)));
      else if (typeof value === 'number') holder[key] = value + random.pick([-1, 1, -1e6, 1e6, 0.5]);
      else if (typeof value === 'string')
        holder[key] = `${value}${random.pick(['x', '(', ')', ',', '\u202e', 'é'])}`;
      return;
    case 5:
      holder[key] = typeof value === 'string' ? Number(value) : JSON.stringify(value);
      return;
    default:
      if (typeof value === 'string' && value.length > 0) {
        const at = random.below(value.length);
        holder[key] = value.slice(0, at) + String.fromCharCode(random.below(256)) + value.slice(at + 1);
      } else holder[key] = [value];
  }
}

/** A mutant of a text. */
export function mutatedText(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const inserted =
    random.next() < 0.5 ? '' : random.pick(['"', '{', '}', ',', '[', '\\', '0', '\u0000', 'null']);
  return text.slice(0, at) + inserted + text.slice(at + random.below(5));
}
