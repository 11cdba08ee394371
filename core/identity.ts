// The attributes that identify a NAS and those that identify a subscriber session (RFC 5176 section 3). Every other
// list of them is made from these two.

import { isIpv6 } from './radius/value-types.ts';

/**
 * The NAS identification attributes (RFC 5176 section 3): NAS-IP-Address (RFC 2865 section 5.4), NAS-IPv6-Address
 * (RFC 3162 section 2.1) and NAS-Identifier (RFC 2865 section 5.32).
 */
export const NAS_IDENTITY_ATTRIBUTES = ['NAS-IP-Address', 'NAS-IPv6-Address', 'NAS-Identifier'] as const;
/** The name of one of them. */
export type NasIdentityAttribute = (typeof NAS_IDENTITY_ATTRIBUTES)[number];
/** Values that identify a NAS: addresses as text, IPv6 in the form of RFC 5952. */
export type NasIdentity = Readonly<Partial<Record<NasIdentityAttribute, string>>>;

/**
 * The session identification attributes (RFC 5176 section 3) besides Acct-Session-Id, which is mandatory here; the other
 * IPv6 addresses of a subscriber (RFC 4818 section 3, RFC 6911 section 3.1); and ERX-Virtual-Router-Name (Juniper, vendor
 * 4874). A request is refused if it and its session have one with different values.
 */
export const IDENTITY_ATTRIBUTES = [
  'User-Name',
  'NAS-Port',
  'Framed-IP-Address',
  'Called-Station-Id',
  'Calling-Station-Id',
  'Acct-Multi-Session-Id',
  'NAS-Port-Id',
  'Chargeable-User-Identity',
  'Framed-Interface-Id',
  'Framed-IPv6-Prefix',
  'Delegated-IPv6-Prefix',
  'Framed-IPv6-Address',
  'ERX-Virtual-Router-Name',
] as const;
/** The name of one of them. */
export type IdentityAttribute = (typeof IDENTITY_ATTRIBUTES)[number];
/** Values that identify a session: text and addresses as text, integers as numbers, octets in hexadecimal. */
export type Identity = Readonly<Partial<Record<IdentityAttribute, string | number>>>;

/** The NAS identification attribute for `value`: an IPv4 address, an IPv6 address, or any other text. */
export function nasIdentityAttributeOf(value: string): NasIdentityAttribute {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(value)) return 'NAS-IP-Address';
  return isIpv6(value) ? 'NAS-IPv6-Address' : 'NAS-Identifier';
}

/** IEEE 802 addresses as NASes write them: 00-1a-2b-3c-4d-5e, 00:1a:2b:3c:4d:5e, 001a.2b3c.4d5e or 001a2b3c4d5e. */
const MAC_ADDRESS =
  /^(?:[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12})$/i;

/**
 * Whether two values of a session identification attribute mean the same. A MAC address in Calling-Station-Id or
 * Called-Station-Id has several spellings (RFC 3580 section 3.20 names one); everything else is compared as it is.
 */
export function isSameIdentity(
  name: IdentityAttribute,
  one: string | number,
  other: string | number,
): boolean {
  if (one === other) return true;
  if (name !== 'Calling-Station-Id' && name !== 'Called-Station-Id') return false;
  const [a, b] = [macAddress(one), macAddress(other)];
  return a !== undefined && a === b;
}

/** The first attribute of which both have a value, and not the same one. */
export function differing(one: Identity, other: Identity): IdentityAttribute | undefined {
  return IDENTITY_ATTRIBUTES.find((name) => {
    const [a, b] = [one[name], other[name]];
    return a !== undefined && b !== undefined && !isSameIdentity(name, a, b);
  });
}

function macAddress(value: string | number): string | undefined {
  const text = String(value);
  return MAC_ADDRESS.test(text) ? text.replace(/[^0-9a-f]/gi, '').toLowerCase() : undefined;
}
