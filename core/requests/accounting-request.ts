// Reads an Accounting-Request of a feed (RFC 2866 section 4.1, RFC 2869 section 2.1): which session of which NAS it is
// about, what it says of it, and when that happened. A record that is not understood is still answered and forwarded;
// nothing is learned from it. An attribute that is malformed counts as absent: it must not cost the record.

import type { DialectOptions } from '../dialects/dialect.ts';
import { DIALECTS, type DialectName } from '../dialects/dialects.ts';
import { erxServiceRecord, type ServiceRecord } from '../dialects/service-records.ts';
import {
  IDENTITY_ATTRIBUTES,
  type Identity,
  type IdentityAttribute,
  NAS_IDENTITY_ATTRIBUTES,
  type NasIdentity,
  type NasIdentityAttribute,
} from '../identity.ts';
import {
  ACCT_STATUS_TYPE,
  ATTRIBUTES,
  type AttributeName,
  type AttributeValue,
} from '../radius/attributes.ts';
import { type Attribute, allValues, decodeAttributes, firstValue } from '../radius/codec.ts';
import type { Packet } from '../radius/packet.ts';
import { isServiceSessionIdOfInterlock } from '../service-accounting.ts';
import { MAX_ACCT_SESSION_ID_OCTETS, nasNamed } from './identification.ts';

/** What a record reports; `other` is an Acct-Status-Type from which nothing is learned. */
export type RecordKind = 'start' | 'stop' | 'interim' | 'on' | 'off' | 'other';

const KINDS: Readonly<Record<number, RecordKind>> = {
  [ACCT_STATUS_TYPE.Start]: 'start',
  [ACCT_STATUS_TYPE.Stop]: 'stop',
  [ACCT_STATUS_TYPE['Interim-Update']]: 'interim',
  [ACCT_STATUS_TYPE['Accounting-On']]: 'on',
  [ACCT_STATUS_TYPE['Accounting-Off']]: 'off',
};

/**
 * Traffic since the session began. Input is what the NAS has received from the subscriber, output what it has sent to
 * it (RFC 2866 sections 5.3 and 5.4). Each is an exact integer: gigawords times 2^32 and the rest (RFC 2869 sections 5.1
 * and 5.2). A total of 2^53 or more, which no access line carries, is left out.
 */
export interface Counters {
  readonly inputOctets?: number;
  readonly outputOctets?: number;
  readonly inputPackets?: number;
  readonly outputPackets?: number;
}

/** When it happened, and how that is known. */
export interface EventTime {
  /** Milliseconds since 1970-01-01 UTC. */
  readonly eventAtMs: number;
  /** Whether that is the Event-Timestamp; else it counts from the arrival. */
  readonly isStamped: boolean;
  /**
   * The Event-Timestamp that was not believed, milliseconds since 1970-01-01 UTC: the clock of the NAS is wrong, or the
   * record was delayed without an Acct-Delay-Time.
   */
  readonly wrongStampMs?: number;
}

/** An Accounting-Request, read. Absent is what it does not say. */
export interface AccountingRecord extends EventTime {
  readonly kind: RecordKind;
  /** Acct-Status-Type, for logs. */
  readonly status: number;
  /** The name of its NAS in the site file; absent where the site has no NAS of that identity. */
  readonly nas?: string;
  readonly nasIdentity: NasIdentity;
  /** Its own Acct-Session-Id: for the record of a service that of the service. Absent in none but `on`, `off`, `other`. */
  readonly acctSessionId?: string;
  readonly identity: Identity;
  /** The values of Class in hexadecimal, in order. */
  readonly classes: readonly string[];
  readonly delaySeconds?: number;
  readonly sessionTimeSeconds?: number;
  readonly terminateCause?: number;
  readonly interimIntervalSeconds?: number;
  readonly counters?: Counters;
  /** The service that it accounts; absent in a record of the subscriber session. */
  readonly service?: ServiceRecord;
}

/** Why nothing can be learned from an Accounting-Request, one reason a check. */
export type RecordRefusal =
  | 'status-type-missing'
  | 'status-type-malformed'
  | 'status-type-repeated'
  | 'session-id-missing'
  | 'session-id-malformed'
  | 'session-id-repeated'
  | 'session-id-too-long'
  /** It has ERX-Service-Session, and its NAS does not account services so, or its number is Interlock's. */
  | 'service-record-of-interlock';

export type RecordReading =
  | { readonly ok: true; readonly record: AccountingRecord }
  | { readonly ok: false; readonly reason: RecordRefusal };

/** A NAS of the site, as far as its records need it. */
export interface AccountingNas {
  readonly name: string;
  /** Every value of a NAS identification attribute that identifies it. */
  readonly identifiedBy: readonly string[];
  readonly dialect: DialectName;
  readonly options: DialectOptions;
}

export interface RecordContext {
  /** Milliseconds since 1970-01-01 UTC. */
  readonly receivedAtMs: number;
  /** How far an Event-Timestamp may be from the arrival. */
  readonly windowSeconds: number;
  readonly nases: readonly AccountingNas[];
}

/** What a verified Accounting-Request says, or the first reason why nothing can be learned from it. */
export function readAccountingRequest(packet: Packet, context: RecordContext): RecordReading {
  const attributes = decodeAttributes(packet);
  const status = one(packet, attributes, 'Acct-Status-Type');
  if ('fault' in status) return { ok: false, reason: `status-type-${status.fault}` };
  const kind = KINDS[status.value] ?? 'other';
  const id = one(packet, attributes, 'Acct-Session-Id');
  const needsId = kind === 'start' || kind === 'stop' || kind === 'interim';
  if ('fault' in id && (needsId || id.fault !== 'missing')) {
    return { ok: false, reason: `session-id-${id.fault}` };
  }

  const nasIdentity = valuesOf(attributes, NAS_IDENTITY_ATTRIBUTES) as NasIdentity;
  const nas = nasNamed(Object.values(nasIdentity), context.nases);
  const readService = nas && DIALECTS[nas.dialect].serviceRecords(nas.options);
  const service = needsId ? readService?.(attributes) : undefined;
  const acctSessionId = 'value' in id ? id.value : undefined;
  // Interlock's own records come back where a server copies everything that it gets.
  if (needsId && erxServiceRecord(attributes) !== undefined) {
    if (service === undefined || isServiceSessionIdOfInterlock(acctSessionId ?? '')) {
      return { ok: false, reason: 'service-record-of-interlock' };
    }
  }
  if (service === undefined && Buffer.byteLength(acctSessionId ?? '') > MAX_ACCT_SESSION_ID_OCTETS) {
    return { ok: false, reason: 'session-id-too-long' };
  }

  const delaySeconds = firstValue(attributes, 'Acct-Delay-Time');
  const stampSeconds = firstValue(attributes, 'Event-Timestamp');
  return {
    ok: true,
    record: {
      kind,
      status: status.value,
      nasIdentity,
      identity: valuesOf(attributes, IDENTITY_ATTRIBUTES) as Identity,
      classes: allValues(attributes, 'Class').map((value) => Buffer.from(value).toString('hex')),
      ...eventTime({ ...context, delaySeconds, stampSeconds }),
      ...given({
        nas: nas?.name,
        acctSessionId,
        delaySeconds,
        sessionTimeSeconds: firstValue(attributes, 'Acct-Session-Time'),
        terminateCause: firstValue(attributes, 'Acct-Terminate-Cause'),
        interimIntervalSeconds: firstValue(attributes, 'Acct-Interim-Interval'),
        counters: countersOf(attributes),
        service,
      }),
    },
  };
}

/**
 * An Acct-Delay-Time from here on is a negative number. The reader of FreeRADIUS 3.2 counts it from the Event-Timestamp,
 * which is in the future where the clock of the NAS is fast.
 */
const NEGATIVE_DELAY = 2 ** 31;

/**
 * The time of the event: the Event-Timestamp if it is within `windowSeconds` of the arrival, or of the moment for which
 * the client says that it has been trying; else the arrival less Acct-Delay-Time (RFC 2866 section 5.2, RFC 2869 section
 * 5.3).
 */
export function eventTime({
  receivedAtMs,
  windowSeconds,
  delaySeconds = 0,
  stampSeconds,
}: {
  readonly receivedAtMs: number;
  readonly windowSeconds: number;
  readonly delaySeconds?: number | undefined;
  readonly stampSeconds?: number | undefined;
}): EventTime {
  const delayMs = delaySeconds < NEGATIVE_DELAY ? delaySeconds * 1000 : 0;
  const arrivalMs = Math.max(0, receivedAtMs - delayMs);
  if (stampSeconds === undefined) return { eventAtMs: arrivalMs, isStamped: false };
  const stampMs = stampSeconds * 1000;
  const isNear = (timeMs: number) => Math.abs(stampMs - timeMs) <= windowSeconds * 1000;
  return isNear(receivedAtMs) || isNear(arrivalMs)
    ? { eventAtMs: stampMs, isStamped: true }
    : { eventAtMs: arrivalMs, isStamped: false, wrongStampMs: stampMs };
}

type OnlyOne<N extends AttributeName> =
  | { readonly value: AttributeValue<N> }
  | { readonly fault: 'missing' | 'malformed' | 'repeated' };

/** The value of an attribute that has to be there once. */
function one<N extends AttributeName>(packet: Packet, attributes: readonly Attribute[], name: N): OnlyOne<N> {
  const { number } = ATTRIBUTES[name];
  const times = packet.attributes.filter(({ type }) => type === number).length;
  if (times > 1) return { fault: 'repeated' };
  if (times === 0) return { fault: 'missing' };
  const value = firstValue(attributes, name);
  return value === undefined ? { fault: 'malformed' } : { value };
}

const ADDRESSES: ReadonlySet<string> = new Set<IdentityAttribute>([
  'Framed-IP-Address',
  'Framed-IPv6-Address',
  'Framed-IPv6-Prefix',
  'Delegated-IPv6-Prefix',
]);
/** What a NAS sends where it has given no address yet, or has taken it back: it identifies no subscriber. */
const NO_ADDRESS = /^(?:0\.0\.0\.0|::(?:\/\d+)?)$/;

/**
 * The first value of each attribute that is there: text and addresses as text, integers as numbers, octets in hex. An address
 * of zeros counts as absent.
 */
function valuesOf(
  attributes: readonly Attribute[],
  names: readonly (IdentityAttribute | NasIdentityAttribute)[],
): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = firstValue(attributes, name);
      if (value === undefined || (ADDRESSES.has(name) && NO_ADDRESS.test(String(value)))) return [];
      return [[name, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value]];
    }),
  );
}

const GIGAWORD = 2 ** 32;

function countersOf(attributes: readonly Attribute[]): Counters | undefined {
  const total = (
    words: 'Acct-Input-Octets' | 'Acct-Output-Octets' | 'Acct-Input-Packets' | 'Acct-Output-Packets',
    gigawords?: 'Acct-Input-Gigawords' | 'Acct-Output-Gigawords',
  ) => {
    const low = firstValue(attributes, words);
    if (low === undefined) return undefined;
    const sum = (gigawords ? (firstValue(attributes, gigawords) ?? 0) : 0) * GIGAWORD + low;
    return Number.isSafeInteger(sum) ? sum : undefined;
  };
  const counters = given({
    inputOctets: total('Acct-Input-Octets', 'Acct-Input-Gigawords'),
    outputOctets: total('Acct-Output-Octets', 'Acct-Output-Gigawords'),
    inputPackets: total('Acct-Input-Packets'),
    outputPackets: total('Acct-Output-Packets'),
  });
  return Object.keys(counters).length === 0 ? undefined : counters;
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the members that are undefined. */
function given<T extends object>(members: T): Given<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Given<T>;
}
