// Which NAS and which subscriber session a request is for (RFC 5176 section 3).

import {
  IDENTITY_ATTRIBUTES,
  type Identity,
  type IdentityAttribute,
  NAS_IDENTITY_ATTRIBUTES,
} from '../identity.ts';
import { lookUpKeys } from '../look-up.ts';
import { messageGroup, type SessionKey } from '../messages.ts';
import type { KnownNas, NasProfile } from '../nas.ts';
import { ATTRIBUTES } from '../radius/attributes.ts';
import { type Attribute, allValues, decodeAttributes } from '../radius/codec.ts';
import type { Packet } from '../radius/packet.ts';
import { atMostOne, type Reading, refused } from './reading.ts';

/** A service session appends a colon and 13 digits to the Acct-Session-Id of its subscriber session; an attribute holds 253. */
export const MAX_ACCT_SESSION_ID_OCTETS = 239;

/**
 * The Acct-Session-Id (RFC 2866 section 5.5), 1 to 239 octets; undefined where there is none. Refused with
 * Invalid-Attribute-Value if it is empty or longer, and with Invalid-Request if there are several.
 */
export function acctSessionIdOf(attributes: readonly Attribute[]): Reading<string | undefined> {
  const found = atMostOne(attributes, 'Acct-Session-Id');
  if (!found.ok) return found;
  const { value } = found;
  if (value === undefined) return found;
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

/** What identifies a session that has to be looked up. */
export interface Sought {
  readonly identity: Identity;
  /** Where a request names no NAS and the site has several: two of them may have given it. */
  readonly acctSessionId?: string;
  /** The names under which sessions of the NAS may be stored; of all NASes of the site where the request names none. */
  readonly nasNames: readonly string[];
}

/** The session that a request means. */
export interface Subject {
  readonly nas: NasProfile;
  readonly acctSessionId: string;
  readonly identity: Identity;
  /** It was looked up by `identity`, and is the one that is stored under this name of its NAS. */
  readonly lookedUpAt?: string;
}

/**
 * The session that a request means: that of its Acct-Session-Id, where it names the NAS or the site has one, else `found`,
 * where it is one of a NAS that the request may mean, else what to look for. Refused as by the functions above, and with Missing-Attribute if nothing identifies the
 * subscriber.
 * @param found the session that a look-up has found for this request
 */
export function subjectOf(
  attributes: readonly Attribute[],
  nases: readonly KnownNas[],
  found: SessionKey | undefined,
): Reading<Subject | Sought> {
  const acctSessionId = acctSessionIdOf(attributes);
  if (!acctSessionId.ok) return acctSessionId;
  const read = identityOf(attributes);
  if (!read.ok) return read;
  const identity = read.value;
  const isNasNamed = NAS_IDENTITY_ATTRIBUTES.some((name) => allValues(attributes, name).length > 0);
  const isOfOneNas = isNasNamed || nases.length === 1;
  if (isNasNamed || (acctSessionId.value !== undefined && isOfOneNas)) {
    const nas = nasOf(attributes, nases);
    if (!nas.ok) return nas;
    if (acctSessionId.value !== undefined)
      return { ok: true, value: { nas: nas.value, acctSessionId: acctSessionId.value, identity } };
    return soughtAt(
      nases.filter(({ profile }) => profile.name === nas.value.name),
      { identity },
      found,
    );
  }
  const named = acctSessionId.value === undefined ? {} : { acctSessionId: acctSessionId.value };
  return soughtAt(nases, { identity, ...named }, found);
}

/** What is looked for at these NASes, or `found`, where that is at one of them. */
function soughtAt(
  nases: readonly KnownNas[],
  sought: Omit<Sought, 'nasNames'>,
  found: SessionKey | undefined,
): Reading<Subject | Sought> {
  const { identity } = sought;
  if (lookUpKeys(sought).length === 0) {
    return refused(
      'Missing-Attribute',
      'neither Acct-Session-Id nor another attribute identifies the session',
    );
  }
  const nas = found && nases.find((known) => namesOf(known).includes(found.nas));
  if (found === undefined || nas === undefined)
    return { ok: true, value: { ...sought, nasNames: nases.flatMap(namesOf) } };
  const { nas: lookedUpAt, acctSessionId } = found;
  return { ok: true, value: { nas: nas.profile, acctSessionId, identity, lookedUpAt } };
}

/** The names under which sessions of a NAS may be stored: today's, and those before. */
export function namesOf({ profile, formerly }: KnownNas): readonly string[] {
  return [profile.name, ...formerly];
}

/**
 * The SQS message group of a request: that of its session where it names one by Acct-Session-Id. Otherwise that of its
 * User-Name, or else of another attribute that identifies the subscriber, so that requests which identify the subscriber in
 * the same way keep their order until decide has found the session.
 */
export function requestGroup(packet: Packet): string {
  const session = packet.attributes.find(({ type }) => type === ATTRIBUTES['Acct-Session-Id'].number);
  const identity = session === undefined ? identityOf(decodeAttributes(packet)) : undefined;
  const keys = identity?.ok ? lookUpKeys({ identity: identity.value }) : [];
  const by = keys.find(({ attribute }) => attribute === 'User-Name') ?? keys[0];
  if (by === undefined) return messageGroup(session?.value);
  // No group of a session has a colon. What is cut off makes two groups one, which costs time and nothing else.
  return `by:${Buffer.from(`${by.attribute} ${by.key}`).subarray(-93).toString('base64url')}`;
}
