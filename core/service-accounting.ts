// Accounting, made from the table's stream: the session before a write and after it. An account that was opened makes an
// Acct-Start, and one that was closed makes an Acct-Stop, which says the same of the subscriber.
import { type IdentityAttribute, NAS_IDENTITY_ATTRIBUTES, type NasIdentityAttribute } from './identity.ts';
import { type AccountingMessage, MESSAGE_VERSION } from './messages.ts';
import { ACCT_STATUS_TYPE, TERMINATE_CAUSE } from './radius/attributes.ts';
import { type Attribute, encodeAttributes } from './radius/codec.ts';
import { HEADER_OCTETS, MAX_PACKET_OCTETS, MESSAGE_AUTHENTICATOR_OCTETS } from './radius/packet.ts';
import type { Account, AccountedAs, ServiceSession, Session } from './subscriber/session.ts';

/** RFC 2866 section 5.6: authenticated by RADIUS. */
const ACCT_AUTHENTIC_RADIUS = 1;

/** An accounting message, and an identifier that is the same whenever it is made from the same write. */
export interface AccountingRecord {
  readonly id: string;
  readonly message: AccountingMessage;
}

/** A record that does not fit into an Accounting-Request. Only an item of 0.1.0 can lead to one. */
export interface UnmadeRecord {
  readonly status: AccountingMessage['status'];
  readonly acctSessionId: string;
  readonly serviceSession: string;
  readonly correlationId: string;
  readonly reason: string;
}

/**
 * The accounting records (RFC 2866) of the write that made `after` of `before`, without those that cannot be made. Starts
 * come first: a replaced service ends after its replacement has begun. `before` is absent for a new item, `after` for one
 * that was removed.
 */
export function accountingRecords(
  before: Session | undefined,
  after: Session | undefined,
): readonly AccountingRecord[] {
  return madeOf(before, after).filter((one) => 'message' in one);
}

/** The records of that write that cannot be made. They keep no other one from being sent. */
export function unmadeRecords(
  before: Session | undefined,
  after: Session | undefined,
): readonly UnmadeRecord[] {
  return madeOf(before, after).filter((one) => 'reason' in one);
}

function madeOf(before: Session | undefined, after: Session | undefined) {
  const had = accounted(before);
  const has = accounted(after);
  const starts =
    after === undefined
      ? []
      : [...has].filter(([number]) => !had.has(number)).map(([, service]) => start(after, service));
  const stops =
    before === undefined
      ? []
      : [...had].filter(([number]) => !has.has(number)).map(([, service]) => stop(before, after, service));
  return [...starts, ...stops];
}

type AccountedService = ServiceSession & { readonly account: Account };

/** The accounted services by the number of their account, in its order. */
function accounted(session: Session | undefined): ReadonlyMap<number, AccountedService> {
  const services = Object.values(session?.services ?? {}).filter(
    (service): service is AccountedService => service.account !== undefined,
  );
  const inOrder = services.sort((one, other) => one.account.number - other.account.number);
  return new Map(inOrder.map((service) => [service.account.number, service]));
}

function start(session: Session, service: AccountedService) {
  return record(session, service, {
    status: 'Start',
    eventAtMs: service.account.startedAtMs,
    correlationId: service.correlationId,
    more: [],
  });
}

function stop(before: Session, after: Session | undefined, service: AccountedService) {
  const ended = after?.ended[service.activation];
  // One that is there still has had its statistics turned off.
  const stays = after?.services[service.activation];
  // If the item was removed, the time of its last write is the latest known.
  const eventAtMs = (after ?? before).changedAtMs;
  const sessionTime = seconds(eventAtMs) - seconds(service.account.startedAtMs);
  // A session that has ended is no longer known by anything.
  return record(before, service, {
    status: 'Stop',
    eventAtMs,
    correlationId: (ended ?? stays ?? service).correlationId,
    more: stopped(Math.max(0, sessionTime), ended?.terminateCause ?? TERMINATE_CAUSE['NAS-Request']),
  });
}

function stopped(sessionTime: number, terminateCause: number): readonly Attribute[] {
  return [
    { name: 'Acct-Session-Time', value: sessionTime },
    { name: 'Acct-Terminate-Cause', value: terminateCause },
  ];
}

interface Said {
  readonly status: AccountingMessage['status'];
  readonly eventAtMs: number;
  readonly correlationId: string;
  /** What a Stop says besides. */
  readonly more: readonly Attribute[];
}

function record(who: Session, service: AccountedService, said: Said): AccountingRecord | UnmadeRecord {
  const { status, eventAtMs, correlationId } = said;
  const acctSessionId = serviceSessionId(who.acctSessionId, service.account.number);
  const about = { correlationId, status, acctSessionId, serviceSession: service.activation };
  const is = who.accountedAs[service.account.as] ?? { identity: who.nas.identity, classes: [] };
  try {
    const attributes = encodeRecord(is, { ...about, ...said });
    if (attributes.length > MAX_RECORD_OCTETS) {
      return { ...about, reason: `expected at most ${MAX_RECORD_OCTETS} octets, got ${attributes.length}` };
    }
    return {
      id: `${who.nas.name}#${acctSessionId}#${status}`,
      message: {
        version: MESSAGE_VERSION,
        kind: 'accounting',
        ...about,
        eventAtMs,
        attributes: Buffer.from(attributes).toString('base64'),
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { ...about, reason: error.message };
  }
}

/**
 * What the attributes of a record may have: an Accounting-Request has at most 4095 octets (RFC 2866 section 3). The relay adds
 * the header and, for a server that wants it, a Message-Authenticator, and nothing else.
 */
const MAX_RECORD_OCTETS = MAX_PACKET_OCTETS - 1 - HEADER_OCTETS - MESSAGE_AUTHENTICATOR_OCTETS;
/** An attribute of a vendor has 255 octets, 8 of which are type, length, vendor, and type and length of the vendor. */
const LONGEST_SERVICE_SESSION = 'x'.repeat(247);
const LONGEST_STOP = stopped(0, 0);
/** Numbers are milliseconds since 1970, or little more: they have 13 digits until the year 2286. */
const LARGEST_NUMBER = 9_999_999_999_999;

/** Whether every record of a service of this session fits into an Accounting-Request, whatever the service is. */
export function fitsIntoRecords(acctSessionId: string, is: AccountedAs): boolean {
  const longest: Parameters<typeof encodeRecord>[1] = {
    status: 'Stop',
    acctSessionId: serviceSessionId(acctSessionId, LARGEST_NUMBER),
    serviceSession: LONGEST_SERVICE_SESSION,
    eventAtMs: 0,
    more: LONGEST_STOP,
  };
  try {
    return encodeRecord(is, longest).length <= MAX_RECORD_OCTETS;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return false;
  }
}

function encodeRecord(
  is: AccountedAs,
  said: Pick<AccountingMessage, 'acctSessionId' | 'serviceSession'> & Omit<Said, 'correlationId'>,
): Uint8Array {
  return encodeAttributes([
    { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE[said.status] },
    { name: 'Acct-Session-Id', value: said.acctSessionId },
    ...subscriber(is),
    { name: 'Acct-Authentic', value: ACCT_AUTHENTIC_RADIUS },
    { name: 'Event-Timestamp', value: seconds(said.eventAtMs) },
    { name: 'ERX-Service-Session', value: said.serviceSession },
    ...said.more,
  ]);
}

/** The Acct-Session-Id of a service session, as JunosE writes it: `<Acct-Session-Id>:<at least six digits>`. */
export function serviceSessionId(acctSessionId: string, number: number): string {
  return `${acctSessionId}:${String(number).padStart(6, '0')}`;
}

/** The identification attributes of session and NAS that RFC 2866 section 5.13 allows in accounting. */
const SUBSCRIBER_ATTRIBUTES = [
  'User-Name',
  ...NAS_IDENTITY_ATTRIBUTES,
  'NAS-Port',
  'NAS-Port-Id',
  'Framed-IP-Address',
  'Framed-Interface-Id',
  'Framed-IPv6-Prefix',
  'Delegated-IPv6-Prefix',
  'Framed-IPv6-Address',
  'Called-Station-Id',
  'Calling-Station-Id',
  'ERX-Virtual-Router-Name',
] as const satisfies readonly (IdentityAttribute | NasIdentityAttribute)[];

function subscriber({ identity, classes }: AccountedAs): readonly Attribute[] {
  const cui = identity['Chargeable-User-Identity'];
  return [
    ...SUBSCRIBER_ATTRIBUTES.flatMap((name) => {
      const value = identity[name];
      return value === undefined ? [] : [{ name, value } as Attribute];
    }),
    ...(cui === undefined ? [] : [octets('Chargeable-User-Identity', String(cui))]),
    ...classes.map((value) => octets('Class', value)),
  ];
}

function octets(name: 'Class' | 'Chargeable-User-Identity', hexadecimal: string): Attribute {
  return { name, value: Buffer.from(hexadecimal, 'hex') };
}

function seconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
