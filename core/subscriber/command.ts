// Commands: what a NAS is told, in its dialect, and for how long the cloud waits for what becomes of it.

import type { Dialect, Identification } from '../dialects/dialect.ts';
import { DIALECTS } from '../dialects/dialects.ts';
import type { NasProfile } from '../nas.ts';
import { type Attribute, encodeAttributes } from '../radius/codec.ts';
import { HEADER_OCTETS, MAX_PACKET_OCTETS } from '../radius/packet.ts';
import { type Draft, type Refusal, refuse, retryLater, settle } from './draft.ts';
import type { Activating, CommandEffect, Deactivating, ServiceSession, Session } from './session.ts';

/** How long a command may wait for the relay before it must not be sent any more. */
export const COMMAND_START_WITHIN_MS = 30_000;
/** What an outcome may need from the relay to the table. */
const OUTCOME_GRACE_MS = 15_000;

export function dialect(session: Session): Dialect {
  return DIALECTS[session.nas.dialect];
}

/** Services as they fit into commands. */
export function chunks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

/** A command to the NAS about `services`. The relay signs it and adds its Event-Timestamp. */
function tell(
  session: Session,
  operation: CommandEffect['operation'],
  services: readonly ServiceSession[],
  correlationId: string,
  nowMs: number,
): CommandEffect {
  return {
    kind: 'command',
    correlationId,
    // One command at most comes of one write, and no two writes have the same revision.
    commandId: `${correlationId}/${session.revision + 1}`,
    operation,
    services: services.map(({ activation }) => activation),
    attributes: Buffer.from(commandAttributes(session, operation, services)).toString('base64'),
    startBeforeMs: nowMs + COMMAND_START_WITHIN_MS,
  };
}

/** Room for attributes in a packet of 4096 octets, beside the header, Message-Authenticator and Event-Timestamp. */
const MAX_ATTRIBUTE_OCTETS = MAX_PACKET_OCTETS - HEADER_OCTETS - 18 - 6;

/**
 * Why the NAS cannot be told to activate `services`, which fit into one command by their number; undefined when it
 * can. What can be activated can be deactivated: its names are no longer, and less of them stay.
 */
export function untellable(session: Session, services: readonly ServiceSession[]): Refusal | undefined {
  try {
    const attributes = commandAttributes(session, 'activate', services);
    if (attributes.length <= MAX_ATTRIBUTE_OCTETS) return undefined;
    return refuse('Resources-Unavailable', 'the names of the services do not fit into one packet to the NAS');
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse('Invalid-Attribute-Value', error.message);
  }
}

function commandAttributes(
  session: Session,
  operation: CommandEffect['operation'],
  services: readonly ServiceSession[],
): Uint8Array {
  const about = new Set(services.map(({ activation }) => activation));
  const staying = Object.values(session.services).filter(
    ({ state, activation }) => state === 'active' && !about.has(activation),
  );
  const change = dialect(session)[operation](services, { staying, options: session.nas.options });
  return encodeAttributes([...identify(session), ...change]);
}

function stepOf(session: Session, { commandId, correlationId, services, startBeforeMs }: CommandEffect) {
  const deadlineMs = startBeforeMs - COMMAND_START_WITHIN_MS + patienceMs(session.nas);
  return { commandId, correlationId, underWay: services, deadlineMs };
}

/** When the command under way was made. */
export function commandedAtMs(nas: NasProfile, { deadlineMs }: NonNullable<Session['transition']>): number {
  return deadlineMs - patienceMs(nas);
}

/** How long the outcome of a command is waited for. */
const patienceMs = ({ answerTimeoutSeconds }: NasProfile) =>
  COMMAND_START_WITHIN_MS + answerTimeoutSeconds * 1000 + OUTCOME_GRACE_MS;

/** What tells the NAS which session is meant: what is known of it, in the dialect's order. */
function identify(session: Session): readonly Attribute[] {
  const known: Partial<Record<Identification, string | number>> = {
    ...session.nas.identity,
    ...session.identity,
    'Acct-Session-Id': session.acctSessionId,
  };
  return dialect(session).identification.flatMap((name) => {
    const value = known[name];
    return value === undefined ? [] : [{ name, value } as Attribute];
  });
}

// --- Steps ----------------------------------------------------------------------------------------------------

/** Those of `planned` that have these activation strings. */
export function planOf(
  activations: readonly string[],
  planned: Activating['planned'],
): readonly ServiceSession[] {
  return activations.flatMap((activation) => planned[activation] ?? []);
}

/** Tells the NAS to activate: one command for each of the lists, the first one now. */
export function tellToActivate(
  draft: Draft,
  [underWay = [], ...remaining]: readonly (readonly string[])[],
  about: Pick<Activating, 'request' | 'planned' | 'confirmed' | 'victims'>,
): Draft {
  const services = planOf(underWay, about.planned);
  const command = tell(draft.session, 'activate', services, about.request.correlationId, draft.nowMs);
  const transition: Activating = { step: 'activate', ...stepOf(draft.session, command), remaining, ...about };
  return { ...draft, session: { ...draft.session, transition }, effects: [...draft.effects, command] };
}

/** Tells the NAS to deactivate services, which are `deactivating` already. Without any the transition is settled. */
export function deactivate(
  draft: Draft,
  activations: readonly string[],
  about: Pick<Deactivating, 'correlationId' | 'owed'>,
): Draft {
  const commands = chunks(activations, dialect(draft.session).servicesPerCommand.deactivate);
  return tellToDeactivate(draft, commands, about);
}

/** As `deactivate`, one command for each of the lists, the first one now. What has `failed` is retried later. */
export function tellToDeactivate(
  draft: Draft,
  [underWay, ...remaining]: readonly (readonly string[])[],
  about: Pick<Deactivating, 'correlationId' | 'owed' | 'failed'>,
): Draft {
  const { session, nowMs } = draft;
  if (underWay === undefined) {
    const retried = about.failed ? { ...session, ...retryLater(session, nowMs) } : session;
    return settle({ ...draft, session: retried }, about.owed);
  }
  const services = underWay.flatMap((activation) => session.services[activation] ?? []);
  const command = tell(session, 'deactivate', services, about.correlationId, nowMs);
  const transition: Deactivating = { step: 'deactivate', ...about, ...stepOf(session, command), remaining };
  return { ...draft, session: { ...session, transition }, effects: [...draft.effects, command] };
}
