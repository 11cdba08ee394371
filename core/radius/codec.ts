// Decodes and encodes attributes. attributes.ts has the table of attributes and value-types.ts the types of values;
// this file handles Vendor-Specific and tags. It keeps the octets of what it cannot decode.
import {
  ATTRIBUTES,
  type AttributeDefinition,
  type AttributeName,
  type AttributeValue,
  attributeNameAt,
} from './attributes.ts';
import type { Packet } from './packet.ts';
import { hex, mismatch, VALUE_CODECS, type ValueCodec, type ValueType } from './value-types.ts';

const VENDOR_SPECIFIC = 26;
const MAX_VALUE_OCTETS = 253;
const MAX_TAG = 0x1f;

/** An attribute of the table. `tag` is present if the attribute has one, 1 to 31 (RFC 2868 section 3.1). */
export type KnownAttribute = {
  [N in AttributeName]: {
    readonly name: N;
    readonly tag?: number | undefined;
    readonly value: AttributeValue<N>;
  };
}[AttributeName];

/** The type of an attribute, or its vendor and vendor type within a Vendor-Specific (RFC 2865 section 5.26). */
export type AttributePlace =
  | { readonly type: number; readonly vendor?: undefined; readonly vendorType?: undefined }
  | { readonly type: typeof VENDOR_SPECIFIC; readonly vendor: number; readonly vendorType: number };

/** An attribute that is not in the table. */
export interface UnknownAttribute {
  readonly unknown: AttributePlace;
  readonly value: Uint8Array;
}

/**
 * An attribute whose value does not fit its type, or a Vendor-Specific whose content does not parse; with the reason.
 */
export interface MalformedAttribute {
  readonly malformed: AttributePlace & { readonly reason: string };
  readonly value: Uint8Array;
}

/** An attribute as decoded. */
export type Attribute = KnownAttribute | UnknownAttribute | MalformedAttribute;

/**
 * All attributes, in the packet's order. Each sub-attribute of a Vendor-Specific is an attribute of its own. It never
 * throws: what does not decode is malformed or unknown. Octets are views into the packet.
 */
export function decodeAttributes(packet: Pick<Packet, 'attributes'>): readonly Attribute[] {
  return packet.attributes.flatMap(({ type, value }) =>
    type === VENDOR_SPECIFIC ? decodeVendorSpecific(value) : decodeOne({ type }, value),
  );
}

/**
 * The octets of `list`, in its order. Unknown and malformed attributes are encoded as they were read.
 * @throws RangeError that names the attribute whose value or tag does not fit.
 */
export function encodeAttributes(list: readonly Attribute[]): Uint8Array {
  return Buffer.concat(list.map(encodeOne));
}

/** Whether `value` is one that an attribute of that name can have: of its type, and short enough. */
export function isValueOf(name: AttributeName, value: unknown): boolean {
  try {
    encodeOne({ name, value } as KnownAttribute);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** A test for attributes of one name: `list.filter(isNamed('ERX-Service-Activate'))`. */
export const isNamed =
  <N extends AttributeName>(name: N) =>
  (attribute: Attribute): attribute is Extract<Attribute, { readonly name: N }> =>
    'name' in attribute && attribute.name === name;

/** The value of the first attribute of that name; undefined if there is none. */
export function firstValue<N extends AttributeName>(
  list: readonly Attribute[],
  name: N,
): AttributeValue<N> | undefined {
  return list.find(isNamed(name))?.value as AttributeValue<N> | undefined;
}

/** The values of all attributes of that name, in order. */
export function allValues<N extends AttributeName>(list: readonly Attribute[], name: N): AttributeValue<N>[] {
  return list.filter(isNamed(name)).map(({ value }) => value as AttributeValue<N>);
}

/** One line for a log: `ERX-Service-Activate:1 = "gold"`, `Attr-26.4874.99 = 0x01`. Text is quoted as in JSON. */
export function describeAttribute(attribute: Attribute): string {
  if ('unknown' in attribute) return `${placeName(attribute.unknown)} = ${hex(attribute.value)}`;
  if ('malformed' in attribute) {
    const { malformed, value } = attribute;
    return `${placeName(malformed)} = ${hex(value)} (malformed: ${malformed.reason})`;
  }
  const { name, tag, value } = attribute;
  const shown =
    typeof value === 'object' ? hex(value) : ATTRIBUTES[name].type === 'text' ? JSON.stringify(value) : value;
  return `${name}${tag === undefined ? '' : `:${tag}`} = ${shown}`;
}

const nameAt = ({ type, vendor, vendorType }: AttributePlace) => attributeNameAt(vendorType ?? type, vendor);

const placeName = (place: AttributePlace) =>
  nameAt(place) ??
  `Attr-${place.vendor === undefined ? place.type : `${place.type}.${place.vendor}.${place.vendorType}`}`;

/** RFC 2865 section 5.26: four octets of vendor, then vendor type, vendor length and value as often as they fit. */
function decodeVendorSpecific(octets: Uint8Array): Attribute[] {
  const malformed = (expected: string, found: number) => [
    { malformed: { type: VENDOR_SPECIFIC, reason: `expected ${expected}, got ${found}` }, value: octets },
  ];
  if (octets.length < 4) return malformed('4 octets of vendor', octets.length);
  const vendor = Buffer.from(octets.buffer, octets.byteOffset, 4).readUInt32BE();
  // The form behind the vendor is a recommendation: other vendors have others.
  const otherwise = (expected: string, found: number) =>
    VENDORS.has(vendor)
      ? malformed(expected, found)
      : [{ unknown: { type: VENDOR_SPECIFIC }, value: octets }];
  const attributes: Attribute[] = [];
  let offset = 4;
  do {
    const room = octets.length - offset;
    const vendorType = octets[offset];
    const length = octets[offset + 1];
    if (vendorType === undefined || length === undefined) return otherwise('2 octets of vendor header', room);
    if (length < 2) return otherwise('a vendor length of at least 2', length);
    if (length > room) return otherwise(`a vendor length of at most ${room}`, length);
    const value = octets.subarray(offset + 2, offset + length);
    attributes.push(decodeOne({ type: VENDOR_SPECIFIC, vendor, vendorType }, value));
    offset += length;
  } while (offset < octets.length);
  return attributes;
}

/** The vendors whose attributes are known, which have that form. */
const VENDORS: ReadonlySet<number | undefined> = new Set(
  Object.values(ATTRIBUTES).map(({ vendor }: AttributeDefinition) => vendor),
);

function decodeOne(place: AttributePlace, octets: Uint8Array): Attribute {
  const name = nameAt(place);
  if (name === undefined) return { unknown: place, value: octets };
  const definition: AttributeDefinition = ATTRIBUTES[name];
  const { tag, rest } = splitTag(definition, octets);
  const result =
    tag > MAX_TAG ? mismatch(`a tag of at most ${MAX_TAG}`, tag) : VALUE_CODECS[definition.type].decode(rest);
  if (!result.ok) return { malformed: { ...place, reason: result.reason }, value: octets };
  const { value } = result;
  // The table ties the name to the type that the value was decoded as.
  return (tag === 0 ? { name, value } : { name, tag, value }) as KnownAttribute;
}

/** What TypeScript promises; but names and values may come from an item or a message. */
function isOfType(type: ValueType, value: unknown): boolean {
  if (type === 'octets') return value instanceof Uint8Array;
  return typeof value === (NUMERIC.has(type) ? 'number' : 'string');
}

const NUMERIC: ReadonlySet<ValueType> = new Set(['integer', 'integer24', 'time']);

function encodeOne(attribute: Attribute): Uint8Array {
  if ('unknown' in attribute) return wrap(attribute.unknown, attribute.value);
  if ('malformed' in attribute) return wrap(attribute.malformed, attribute.value);
  const { name, tag, value } = attribute;
  const definition: AttributeDefinition = ATTRIBUTES[name];
  // Only the table knows which of the codecs takes this value.
  const codec = VALUE_CODECS[definition.type] as ValueCodec<typeof value>;
  const result = isOfType(definition.type, value)
    ? codec.encode(value)
    : mismatch(`a value of type ${definition.type}`, typeof value);
  if (!result.ok) throw new RangeError(`${name}: ${result.reason}`);
  const { number, vendor } = definition;
  const place: AttributePlace =
    vendor === undefined ? { type: number } : { type: VENDOR_SPECIFIC, vendor, vendorType: number };
  return wrap(place, joinTag(name, tag, result.value));
}

/**
 * RFC 2868 section 3.1: the first octet of an integer is its tag, and zero means none. The first octet of a text is a
 * tag if it is at most 31; zero means none here, too.
 */
function splitTag({ tagged, type }: AttributeDefinition, octets: Uint8Array) {
  const [first] = octets;
  return tagged && first !== undefined && (first <= MAX_TAG || type !== 'text')
    ? { tag: first, rest: octets.subarray(1) }
    : { tag: 0, rest: octets };
}

function joinTag(name: AttributeName, tag: number | undefined, octets: Uint8Array): Uint8Array {
  const { tagged, type }: AttributeDefinition = ATTRIBUTES[name];
  if (tag !== undefined && !(tagged && Number.isInteger(tag) && tag >= 1 && tag <= MAX_TAG)) {
    throw new RangeError(`${name}: expected ${tagged ? `a tag from 1 to ${MAX_TAG}` : 'no tag'}, got ${tag}`);
  }
  // Text without a tag needs a zero octet only if its own first octet would be read as a tag.
  const needsTag = tagged && (type !== 'text' || (octets[0] ?? 0) <= MAX_TAG);
  return tag !== undefined || needsTag ? Buffer.concat([Uint8Array.of(tag ?? 0), octets]) : octets;
}

/** The value behind the header of its attribute, and that of its vendor if there is one. */
function wrap(place: AttributePlace, value: Uint8Array): Uint8Array {
  const { type, vendor, vendorType } = place;
  const inner =
    vendor === undefined
      ? []
      : [vendor >> 24, vendor >> 16, vendor >> 8, vendor, vendorType, 2 + value.length];
  const room = MAX_VALUE_OCTETS - inner.length;
  if (value.length > room) {
    throw new RangeError(`${placeName(place)}: expected at most ${room} octets, got ${value.length}`);
  }
  return Buffer.concat([Uint8Array.of(type, 2 + inner.length + value.length, ...inner), value]);
}
