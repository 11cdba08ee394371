// Accounting from what the table's stream shows: the session before a change and after it. A service that was not
// active and is gives an Acct-Start, one that was and is gone an Acct-Stop, if its statistics are on.
import { type IdentityAttribute, NAS_IDENTITY_ATTRIBUTES, type NasIdentityAttribute } from './identity.ts';
import { type AccountingMessage, MESSAGE_VERSION } from './messages.ts';
import { ACCT_STATUS_TYPE, TERMINATE_CAUSE } from './radius/attributes.ts';
import { type Attribute, encodeAttributes } from './radius/codec.ts';
import type { ServiceSession, Session } from './subscriber/session.ts';

/** RFC 2866 section 5.6: authenticated by RADIUS. */
const ACCT_AUTHENTIC_RADIUS = 1;

/** An accounting message with an identifier that is the same each time that it is made from the same change. */
export interface AccountingRecord {
  readonly id: string;
  readonly message: AccountingMessage;
}

/**
 * The records that the change from `before` to `after` makes, Starts first: a replaced service ends after its
 * replacement began. Either is absent where the item was created or removed.
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

/** The services that are accounted for, by their number: the same string activated again is another session. */
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
  const session = after ?? before;
  const ended = after?.ended[service.activation];
  // Without an image of afterwards the time of the last change is the latest that is known.
  const endedAtMs = session.changedAtMs;
  return record(session, service, 'Stop', endedAtMs, ended?.correlationId ?? service.correlationId, [
    { name: 'Acct-Session-Time', value: Math.max(0, seconds(endedAtMs) - seconds(service.activatedAtMs)) },
    { name: 'Acct-Terminate-Cause', value: ended?.terminateCause ?? TERMINATE_CAUSE['NAS-Request'] },
  ]);
}

function record(
  session: Session,
  service: ActiveService,
  status: AccountingMessage['status'],
  eventAtMs: number,
  correlationId: string,
  more: readonly Attribute[],
): AccountingRecord {
  const acctSessionId = serviceSessionId(session.acctSessionId, service.number);
  const attributes: readonly Attribute[] = [
    { name: 'Acct-Status-Type', value: ACCT_STATUS_TYPE[status] },
    { name: 'Acct-Session-Id', value: acctSessionId },
    ...subscriber(session),
    { name: 'Acct-Authentic', value: ACCT_AUTHENTIC_RADIUS },
    { name: 'Event-Timestamp', value: seconds(eventAtMs) },
    { name: 'ERX-Service-Session', value: service.activation },
    ...more,
  ];
  return {
    id: `${session.nas.name}#${acctSessionId}#${status}`,
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

/** JunosE names a service session after its subscriber session: `<Acct-Session-Id>:<six digits>`. */
export function serviceSessionId(acctSessionId: string, number: number): string {
  return `${acctSessionId}:${String(number).padStart(6, '0')}`;
}

/** Who is accounted, in the words of the requests, and where: the identity attributes that RFC 2866 section 5.13
 * allows in accounting. */
const SUBSCRIBER_ATTRIBUTES = [
  'User-Name',
  ...NAS_IDENTITY_ATTRIBUTES,
  'NAS-Port',
  'NAS-Port-Id',
  'Framed-IP-Address',
  'Framed-Interface-Id',
  'Framed-IPv6-Prefix',
  'Called-Station-Id',
  'Calling-Station-Id',
  'ERX-Virtual-Router-Name',
] as const satisfies readonly (IdentityAttribute | NasIdentityAttribute)[];

function subscriber({ identity, nas, classes }: Session): readonly Attribute[] {
  const known = { ...identity, ...nas.identity };
  const cui = identity['Chargeable-User-Identity'];
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
