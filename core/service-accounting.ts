// Accounting, made from the table's stream: the session before a write and after it. A service that became active makes
// an Acct-Start, and one that ended makes an Acct-Stop, unless its statistics are off.
import { type IdentityAttribute, NAS_IDENTITY_ATTRIBUTES, type NasIdentityAttribute } from './identity.ts';
import { type AccountingMessage, MESSAGE_VERSION } from './messages.ts';
import { ACCT_STATUS_TYPE, TERMINATE_CAUSE } from './radius/attributes.ts';
import { type Attribute, encodeAttributes } from './radius/codec.ts';
import type { ServiceSession, Session } from './subscriber/session.ts';

/** RFC 2866 section 5.6: authenticated by RADIUS. */
const ACCT_AUTHENTIC_RADIUS = 1;

/** An accounting message, and an identifier that is the same whenever it is made from the same write. */
export interface AccountingRecord {
  readonly id: string;
  readonly message: AccountingMessage;
}

/**
 * The accounting records (RFC 2866) of the write that made `after` of `before`. Starts come first: a replaced service
 * ends after its replacement has begun. `before` is absent for a new item, `after` for one that was removed.
 * @throws RangeError when an attribute of the session does not fit into a packet.
 */
export function accountingRecords(
  before: Session | undefined,
  after: Session | undefined,
): readonly AccountingRecord[] {
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

type ActiveService = ServiceSession & { readonly activatedAtMs: number };

/** The accounted services by their number: a service that is activated again is another service session. */
function accounted(session: Session | undefined): ReadonlyMap<number, ActiveService> {
  const active = Object.values(session?.services ?? {}).filter(
    (service): service is ActiveService =>
      service.activatedAtMs !== undefined && service.statistics !== 'off',
  );
  return new Map(active.sort((a, b) => a.number - b.number).map((service) => [service.number, service]));
}

function start(session: Session, service: ActiveService): AccountingRecord {
  return record(session, service, 'Start', service.activatedAtMs, service.correlationId, []);
}

function stop(before: Session, after: Session | undefined, service: ActiveService): AccountingRecord {
  const ended = after?.ended[service.activation];
  // If the item was removed, the time of its last write is the latest known.
  const endedAtMs = (after ?? before).changedAtMs;
  // A session that has ended is no longer known by anything.
  return record(before, service, 'Stop', endedAtMs, ended?.correlationId ?? service.correlationId, [
    { name: 'Acct-Session-Time', value: Math.max(0, seconds(endedAtMs) - seconds(service.activatedAtMs)) },
    { name: 'Acct-Terminate-Cause', value: ended?.terminateCause ?? TERMINATE_CAUSE['NAS-Request'] },
  ]);
}

function record(
  who: Session,
  service: ActiveService,
  status: AccountingMessage['status'],
  eventAtMs: number,
  correlationId: string,
  more: readonly Attribute[],
): AccountingRecord {
  const acctSessionId = serviceSessionId(who.acctSessionId, service.number);
  const attributes: readonly Attribute[] = [
    { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE[status] },
    { name: 'Acct-Session-Id', value: acctSessionId },
    ...subscriber(who, service),
    { name: 'Acct-Authentic', value: ACCT_AUTHENTIC_RADIUS },
    { name: 'Event-Timestamp', value: seconds(eventAtMs) },
    { name: 'ERX-Service-Session', value: service.activation },
    ...more,
  ];
  return {
    id: `${who.nas.name}#${acctSessionId}#${status}`,
    message: {
      version: MESSAGE_VERSION,
      kind: 'accounting',
      correlationId,
      status,
      acctSessionId,
      serviceSession: service.activation,
      eventAtMs,
      attributes: Buffer.from(encodeAttributes(attributes)).toString('base64'),
    },
  };
}

/** The Acct-Session-Id of a service session, as JunosE writes it: `<Acct-Session-Id>:<six digits>`. */
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

function subscriber({ identity, nas, classes }: Session, { claimed }: ServiceSession): readonly Attribute[] {
  const known = { ...claimed, ...identity, ...nas.identity };
  const cui = known['Chargeable-User-Identity'];
  return [
    ...SUBSCRIBER_ATTRIBUTES.flatMap((name) => {
      const value = known[name];
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
