// Which NAS and which subscriber session a request is for (RFC 5176 section 3).

import {
  IDENTITY_ATTRIBUTES,
  type Identity,
  type IdentityAttribute,
  NAS_IDENTITY_ATTRIBUTES,
} from '../identity.ts';
import type { KnownNas, NasProfile } from '../nas.ts';
import type { Attribute } from '../radius/codec.ts';
import { atMostOne, type Reading, refused } from './reading.ts';

/** A service session appends a colon and 13 digits to the Acct-Session-Id of its subscriber session; an attribute holds 253. */
export const MAX_ACCT_SESSION_ID_OCTETS = 239;

/**
 * The Acct-Session-Id (RFC 2866 section 5.5), 1 to 239 octets. Refused with Missing-Attribute if there is none, with
 * Invalid-Attribute-Value if it is empty or longer, and with Invalid-Request if there are several.
 */
export function acctSessionIdOf(attributes: readonly Attribute[]): Reading<string> {
  const found = atMostOne(attributes, 'Acct-Session-Id');
  if (!found.ok) return found;
  const { value } = found;
  if (value === undefined) return refused('Missing-Attribute', 'Acct-Session-Id is missing');
  if (value === '' || Buffer.byteLength(value) > MAX_ACCT_SESSION_ID_OCTETS) {
    return refused(
      'Invalid-Attribute-Value',
      `Acct-Session-Id: expected 1 to ${MAX_ACCT_SESSION_ID_OCTETS} octets`,
    );
  }
  return { ok: true, value };
}

/**
 * The NAS that all NAS identification attributes of a request identify; if there are none, the only NAS of the site.
 * Refused with NAS-Identification-Mismatch if no NAS of the site has all the values, with Missing-Attribute if the
 * request has none and the site has several NASes, and with Invalid-Request if an attribute occurs more than once.
 */
export function nasOf(attributes: readonly Attribute[], nases: readonly KnownNas[]): Reading<NasProfile> {
  const named: string[] = [];
  for (const name of NAS_IDENTITY_ATTRIBUTES) {
    const found = atMostOne(attributes, name);
    if (!found.ok) return found;
    if (found.value !== undefined) named.push(found.value);
  }
  if (named.length === 0 && nases.length !== 1) {
    return refused(
      'Missing-Attribute',
      'NAS-IP-Address, NAS-IPv6-Address or NAS-Identifier is missing, and the site has several NASes',
    );
  }
  const nas = nasNamed(named, nases);
  return nas === undefined
    ? refused('NAS-Identification-Mismatch', `no NAS of the site is ${named.join(' and ')}`)
    : { ok: true, value: nas.profile };
}

/** The NAS that has all of these values; without any, the only NAS of the site. */
export function nasNamed<N extends { readonly identifiedBy: readonly string[] }>(
  named: readonly string[],
  nases: readonly N[],
): N | undefined {
  if (named.length === 0 && nases.length !== 1) return undefined;
  return nases.find(({ identifiedBy }) => named.every((value) => identifiedBy.includes(value)));
}

/**
 * The session identification attributes of a request besides Acct-Session-Id: text and addresses as text, integers as
 * numbers, octets in hexadecimal. Refused with Invalid-Request if an attribute occurs more than once.
 */
export function identityOf(attributes: readonly Attribute[]): Reading<Identity> {
  const identity: Partial<Record<IdentityAttribute, string | number>> = {};
  for (const name of IDENTITY_ATTRIBUTES) {
    const found = atMostOne(attributes, name);
    if (!found.ok) return found;
    const { value } = found;
    if (value !== undefined)
      identity[name] = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  }
  return { ok: true, value: identity };
}
