// Commands: CoA-Requests to a NAS, in its dialect, and for how long the cloud waits for the outcome.

import type { Dialect, Identification, TermsAtNas } from '../dialects/dialect.ts';
import { DIALECTS } from '../dialects/dialects.ts';
import { differing, IDENTITY_ATTRIBUTES, type Identity, type IdentityAttribute } from '../identity.ts';
import type { NasProfile } from '../nas.ts';
import { type Attribute, encodeAttributes } from '../radius/codec.ts';
import { HEADER_OCTETS, MAX_PACKET_OCTETS, MESSAGE_AUTHENTICATOR_OCTETS } from '../radius/packet.ts';
import { type Draft, type Nak, nak } from './draft.ts';
import type { CommandEffect, ServiceRequest, ServiceSession, Session, Transition } from './session.ts';

/** How long a command may wait for the relay before it must not be sent any more. */
export const COMMAND_START_WITHIN_MS = 30_000;
/** What an outcome may need from the relay to the table. */
const OUTCOME_GRACE_MS = 15_000;

export function dialect(session: Pick<Session, 'nas'>): Dialect {
  return DIALECTS[session.nas.dialect];
}

/** Services as they fit into commands. */
export function chunks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

/** What a command says. */
export interface Telling {
  /** Services to activate, and names of services to deactivate, in the NAS's spelling. */
  readonly activate: readonly (TermsAtNas & Pick<ServiceSession, 'isAccountedByNas'>)[];
  readonly deactivate: readonly { readonly activation: string; readonly spelling?: string }[];
  /** What the session has or may have besides and is to keep. */
  readonly staying: readonly TermsAtNas[];
  /** The session is to end. */
  readonly isDisconnect?: true;
  /** The request that it is for, where the answer depends on it: its identification goes along. */
  readonly request?: ServiceRequest;
  /** What else names the subscriber, whatever the NAS has confirmed. */
  readonly named?: Identity | undefined;
  readonly correlationId: string;
}

/** A draft with a command as its effect, and what the step needs to know of it. */
export interface Told {
  readonly draft: Draft;
  readonly step: Pick<Transition, 'commandId' | 'correlationId' | 'underWay' | 'isConfirmed' | 'deadlineMs'>;
}

/** A command to the NAS. The relay signs it and adds its Event-Timestamp. */
export function tell(draft: Draft, telling: Telling): Told {
  const { session, nowMs } = draft;
  const { activate, deactivate, correlationId } = telling;
  const activates = activate.map(({ activation }) => activation);
  const deactivates = deactivate.map(({ activation }) => activation);
  const isSwitch = activates.length > 0 && deactivates.length > 0;
  const underWay = activates.length > 0 ? activates : deactivates;
  const command: CommandEffect = {
    kind: 'command',
    correlationId,
    // One command at most comes of one write, and no two writes have the same revision and time. The revision alone begins anew
    // when an item has been removed, and the message that made it then may be delivered once more: SQS and the relay would take
    // the second command for a repeat of the first.
    commandId: `${correlationId}/${session.revision + 1}/${nowMs}`,
    operation: operationOf(telling),
    services: underWay,
    ...(isSwitch && { deactivates }),
    attributes: Buffer.from(attributesOf(session, telling)).toString('base64'),
    startBeforeMs: nowMs + COMMAND_START_WITHIN_MS,
  };
  return {
    draft: { ...draft, effects: [...draft.effects, command] },
    step: {
      commandId: command.commandId,
      correlationId,
      underWay,
      isConfirmed: isConfirmed(session, telling.request),
      deadlineMs: nowMs + patienceMs(session.nas),
    },
  };
}

function operationOf({ isDisconnect, activate, deactivate }: Telling): CommandEffect['operation'] {
  if (isDisconnect) return 'disconnect';
  if (activate.length === 0) return 'deactivate';
  return deactivate.length === 0 ? 'activate' : 'switch';
}

/** Room for attributes in a packet of 4096 octets, beside the header, Message-Authenticator and Event-Timestamp. */
const MAX_ATTRIBUTE_OCTETS = MAX_PACKET_OCTETS - HEADER_OCTETS - MESSAGE_AUTHENTICATOR_OCTETS - 6;

/**
 * Why the NAS cannot be told this, which is for one command by the number of its services; undefined when it can. What can
 * be activated can be deactivated: its names are no longer, and less of them stay.
 */
export function untellable(session: Session, telling: Telling): Nak | undefined {
  try {
    if (attributesOf(session, telling).length <= MAX_ATTRIBUTE_OCTETS) return undefined;
    return nak('Resources-Unavailable', 'the names of the services do not fit into one packet to the NAS');
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return nak('Invalid-Attribute-Value', error.message);
  }
}

/** A service as the NAS is to account it: not at all, unless it is the NAS's to account. JunosE counts a volume only then. */
function atNas(service: Telling['activate'][number]): TermsAtNas {
  return service.isAccountedByNas
    ? service
    : { ...service, statistics: 'off', volumeMegabytes: 0, interimIntervalSeconds: 0 };
}

/** Whether the NAS may have the service with thresholds that it is to have no longer. */
function isRefresh({ services }: Session, { activation }: TermsAtNas): boolean {
  const { [activation]: known } = services;
  if (known === undefined || known.isLost) return false;
  return (
    known.state !== 'active' ||
    known.timeoutSeconds > 0 ||
    known.interimIntervalSeconds > 0 ||
    known.volumeMegabytes > 0
  );
}

function attributesOf(session: Session, telling: Telling): Uint8Array {
  const { deactivate, staying, request, named } = telling;
  const identification = identify(session, request, named);
  if (telling.isDisconnect) return encodeAttributes([...identification, ...classesOf(request)]);
  const activate = telling.activate.map((service) => ({
    ...atNas(service),
    ...(isRefresh(session, service) && { isRefresh: true as const }),
  }));
  const make = dialect(session);
  const context = { staying, options: session.nas.options };
  const names = deactivate.map(({ activation, spelling = activation }) => spelling);
  const about =
    activate.length === 0
      ? make.deactivate(names, context)
      : names.length === 0
        ? make.activate(activate, context)
        : (make.together?.(activate, names, context) ?? []);
  return encodeAttributes([...identification, ...about]);
}

/** The NAS sends Class of a Disconnect-Request in the Acct-Stop of the session (RFC 5176 section 3.6, note 4). */
function classesOf(request: ServiceRequest | undefined): readonly Attribute[] {
  return (request?.classes ?? []).map((hex) => ({ name: 'Class', value: Buffer.from(hex, 'hex') }));
}

/** When the command under way was made. */
export function commandedAtMs(nas: NasProfile, { deadlineMs }: Pick<Transition, 'deadlineMs'>): number {
  return deadlineMs - patienceMs(nas);
}

/** How long the outcome of a command is waited for. */
const patienceMs = ({ answerTimeoutSeconds }: NasProfile) =>
  COMMAND_START_WITHIN_MS + answerTimeoutSeconds * 1000 + OUTCOME_GRACE_MS;

// --- Identification -------------------------------------------------------------------------------------------

/**
 * What tells the NAS which session is meant, in the dialect's order: what it has confirmed, and what the request adds to
 * that, so that the NAS refuses a request that means another subscriber.
 */
function identify(
  session: Session,
  request: ServiceRequest | undefined,
  named: Identity = {},
): readonly Attribute[] {
  const known: Partial<Record<Identification, string | number>> = {
    ...session.nas.identity,
    ...identityOf(session, request),
    ...named,
    'Acct-Session-Id': session.acctSessionId,
  };
  return dialect(session).identification.flatMap((name) => {
    const value = known[name];
    return value === undefined ? [] : [{ name, value } as Attribute];
  });
}

/**
 * Who the subscriber is: what the NAS has confirmed, and what `request` adds to that. What the accounting has said since the
 * request began may contradict it: the NAS is to judge what the client has said, and not what Interlock would say in its place.
 */
export function identityOf(
  { identity }: Pick<Session, 'identity'>,
  request: Pick<ServiceRequest, 'identity'> | undefined,
): Identity {
  const asked = request?.identity ?? {};
  const merged = { ...asked, ...identity };
  return differing(asked, identity) === undefined ? merged : { ...merged, ...asked };
}

/** Whether `request` identifies the subscriber by nothing that the NAS would be told and has not confirmed. */
function isConfirmed(session: Session, request: ServiceRequest | undefined): boolean {
  return Object.keys(toldOf(session.nas, request?.identity ?? {})).every((name) => name in session.identity);
}

/** Of what a request says of the subscriber, what a command to its NAS can say. With `enforcement: none` all is believed. */
export function toldOf(nas: NasProfile, identity: Identity): Identity {
  if (nas.enforcement === 'none') return identity;
  const told: readonly string[] = dialect({ nas }).identification;
  return only(identity, (name) => told.includes(name));
}

/** Of what its NAS is told, what the NAS has not confirmed: a value of its own, or another one. */
export function unprovenOf({ nas, identity }: Session, request: ServiceRequest): Identity {
  const told = toldOf(nas, request.identity);
  return only(told, (name) => identity[name as IdentityAttribute] !== told[name as IdentityAttribute]);
}

/** The names under which the NAS may have a service, now that it was told of it under `names` as well. */
export function alsoNamed(
  service: Pick<ServiceSession, 'named'> | undefined,
  names: Identity,
): Pick<ServiceSession, 'named'> {
  const before = service === undefined ? [] : (service.named ?? [{}]);
  const isKnown = before.some((one) => isPartOf(one, names) && isPartOf(names, one));
  const named = isKnown ? before : [...before, names];
  return named.some((one) => Object.keys(one).length > 0) ? { named } : {};
}

/** Whether the NAS was told of a service under a name of the subscriber whose identity is `own`. */
export function isOwn({ named = [{}] }: Pick<ServiceSession, 'named'>, own: Identity): boolean {
  return named.some((names) => isPartOf(names, own));
}

function isPartOf(names: Identity, own: Identity): boolean {
  return Object.keys(names).every((name) => name in own) && differing(names, own) === undefined;
}

/** The rest: what nothing confirms. */
export function claimedOf(nas: NasProfile, identity: Identity): Identity {
  const told = toldOf(nas, identity);
  return only(identity, (name) => !(name in told));
}

function only(identity: Identity, isMeant: (name: string) => boolean): Identity {
  return Object.fromEntries(
    IDENTITY_ATTRIBUTES.flatMap((name) => {
      const value = identity[name];
      return value !== undefined && isMeant(name) ? [[name, value] as const] : [];
    }),
  );
}
