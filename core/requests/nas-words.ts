// What a NAS says in words in a CoA-ACK or CoA-NAK. Makes differ in where they say it.

import { boundedWords } from '../printable.ts';
import { ATTRIBUTES, type AttributeName, attributeNameAt } from '../radius/attributes.ts';
import { type Attribute, describeAttribute } from '../radius/codec.ts';

/** The attributes with a text, in the order in which they are given. */
const TEXTS = [
  // Junos OS and JunosE
  'ERX-Action-Reason',
  // Nokia SR OS
  'Alc-Error-Message',
  // Ericsson and Redback
  'Session-Error-Msg',
  // RFC 2865 section 5.18: several are displayed in the order of the packet.
  'Reply-Message',
] as const satisfies readonly AttributeName[];

/** Numbers of vendors beside Error-Cause: they are given by name. 0 is success. */
const CODES = [
  'Alc-Error-Code',
  'Session-Error-Code',
  'Service-Error-Cause',
] as const satisfies readonly AttributeName[];

/** As much as an attribute, or one in a Vendor-Specific, holds: its text goes on in the next one of its kind. */
const FULL_OCTETS = 253;
const FULL_VENDOR_OCTETS = 247;

/**
 * What the NAS says: its texts, then its numbers. It is on one line, of at most 200 characters and without control
 * characters; undefined where the NAS says nothing. A text that is not UTF-8 is read as far as it can be.
 */
export function nasWords(attributes: readonly Attribute[]): string | undefined {
  const texts = TEXTS.flatMap((name) => textsOf(attributes, name));
  const codes = attributes.filter(
    (attribute) => CODES.some((name) => isAt(attribute, name)) && !isZero(attribute),
  );
  return boundedWords([...texts, ...codes.map(describeCode)].join('; '));
}

const LENIENT = new TextDecoder();

function textsOf(attributes: readonly Attribute[], name: AttributeName): readonly string[] {
  const full = 'vendor' in ATTRIBUTES[name] ? FULL_VENDOR_OCTETS : FULL_OCTETS;
  const texts: Buffer[] = [];
  let goesOn = false;
  for (const attribute of attributes.filter((one) => isAt(one, name))) {
    const octets = octetsOf(attribute);
    texts.push(goesOn ? Buffer.concat([texts.pop() ?? Buffer.alloc(0), octets]) : octets);
    goesOn = octets.length >= full;
  }
  return texts.map((octets) => LENIENT.decode(octets).trim()).filter((text) => text !== '');
}

function octetsOf(attribute: Attribute): Buffer {
  return Buffer.from(typeof attribute.value === 'number' ? String(attribute.value) : attribute.value);
}

/** Whether it is an attribute of that name, also where its value is not of the type that the table has. */
function isAt(attribute: Attribute, name: AttributeName): boolean {
  if ('name' in attribute) return attribute.name === name;
  if (!('malformed' in attribute)) return false;
  const { number, vendor }: { readonly number: number; readonly vendor?: number } = ATTRIBUTES[name];
  const { malformed } = attribute;
  return malformed.vendor === vendor && (malformed.vendorType ?? malformed.type) === number;
}

/** `Service-Error-Cause:1 = 551`; a value that is no number as the text that it may be. */
function describeCode(attribute: Attribute): string {
  if (!('malformed' in attribute)) return describeAttribute(attribute);
  const { type, vendor, vendorType } = attribute.malformed;
  return `${attributeNameAt(vendorType ?? type, vendor)} = ${LENIENT.decode(attribute.value)}`;
}

const isZero = (attribute: Attribute) => 'name' in attribute && attribute.value === 0;
