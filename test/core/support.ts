// Sessions, requests and outcomes for tests of the pure core.

import type { NasProfile } from '../../core/nas.ts';
import type { RadiusOrigin } from '../../core/origin.ts';
import { decodeAttributes, describeAttribute, firstValue } from '../../core/radius/codec.ts';
import { accountingRecords, serviceSessionId } from '../../core/service-accounting.ts';
import type { PlannedService } from '../../core/services/terms.ts';
import type { Event } from '../../core/subscriber/event.ts';
import type { AccountedService, SessionRecord } from '../../core/subscriber/record.ts';
import type { Life, RequestedDeactivation, ServiceRequest, Session } from '../../core/subscriber/session.ts';
import { type Result, transition } from '../../core/subscriber/transition.ts';
import { craft, packetOf } from './radius/craft.ts';

export const NOW = Date.UTC(2026, 10, 22, 12);

export function nas(over: Partial<NasProfile> = {}): NasProfile {
  return {
    site: 'demo',
    name: 'bng-1',
    identity: { 'NAS-IP-Address': '192.0.2.1', 'NAS-Identifier': 'bng-1' },
    enforcement: 'none',
    dialect: 'erx',
    order: 'activate-first',
    serviceAccounting: 'interlock',
    sessions: 'implicit',
    options: { tagDeactivations: false },
    answerTimeoutSeconds: 30,
    ...over,
  };
}

const GROUPS: Readonly<Record<string, readonly number[]>> = {
  gold: [12],
  silver: [12],
  bronze: [12],
  video: [7],
  both: [7, 12],
};

/** A service by its activation string. Its name gives the mutex groups: 12 for metals, 7 for video. */
export function service(activation: string, over: Partial<PlannedService> = {}): PlannedService {
  const name = activation.replace(/\(.*$/, '');
  return {
    activation,
    groups: GROUPS[name] ?? [],
    refusingGroups: [],
    unknownMembers: [],
    statistics: 'time',
    timeoutSeconds: 0,
    volumeMegabytes: 0,
    interimIntervalSeconds: 0,
    ...over,
  };
}

type Wanted = Partial<Omit<ServiceRequest, 'activate' | 'deactivate' | 'origin'>> &
  Partial<Pick<RadiusOrigin, 'key' | 'timestamped' | 'eventAtSeconds' | 'client'>> & {
    readonly activate?: readonly (string | PlannedService)[] | undefined;
    readonly deactivate?: readonly (string | RequestedDeactivation)[] | undefined;
  };

/** A deactivation of a service that the catalogue defines, as a request has it. */
export function deactivation(
  activation: string,
  over: Partial<RequestedDeactivation> = {},
): RequestedDeactivation {
  const groups = service(activation).groups;
  return { activation, spelling: activation, groups, isDefined: true, ...over };
}

export const CLIENT = { name: 'policy', address: '127.0.0.1', port: 4000 };

/** The origin of a request; its packet is the text of `key`. */
export function origin(
  key: string,
  {
    timestamped = false,
    eventAtSeconds,
    client = CLIENT,
  }: Partial<Pick<RadiusOrigin, 'timestamped' | 'eventAtSeconds' | 'client'>> = {},
): RadiusOrigin {
  const packet = Buffer.from(key).toString('base64');
  const stamp = eventAtSeconds === undefined ? { timestamped } : { timestamped: true, eventAtSeconds };
  return { kind: 'radius', relay: 'demo', client, packet, key, ...stamp };
}

/** A request. By default all of it follows from `id`, so that an equal id means equal octets. */
export function request(
  id: string,
  { activate = [], deactivate = [], key = id, timestamped, eventAtSeconds, client, ...over }: Wanted = {},
): ServiceRequest {
  return {
    correlationId: id,
    queuedAtMs: NOW,
    origin: origin(key, {
      ...(timestamped !== undefined && { timestamped }),
      ...(eventAtSeconds !== undefined && { eventAtSeconds }),
      ...(client !== undefined && { client }),
    }),
    nas: nas(),
    acctSessionId: 's1',
    identity: { 'User-Name': 'client1@isp1.com' },
    classes: [],
    activate: activate.map((one) => (typeof one === 'string' ? service(one) : one)),
    deactivate: deactivate.map((one) => (typeof one === 'string' ? deactivation(one) : one)),
    ...over,
  };
}

export const asked = (request: ServiceRequest): Event => ({
  kind: 'request',
  id: request.correlationId,
  request,
});

type OutcomeResult = Extract<Event, { kind: 'outcome' }>['result'];

/** The outcome of the command that is under way. */
export function outcome(
  session: Session | undefined,
  result: OutcomeResult,
  errorCause?: number,
  text?: string,
): Event {
  const commandId = session?.transition?.commandId ?? 'none';
  return {
    kind: 'outcome',
    id: `${commandId}/outcome`,
    commandId,
    result,
    ...(errorCause !== undefined && { errorCause }),
    ...(text !== undefined && { text }),
  };
}

/** An Accounting-Request of the session that `atSeconds` after `NOW` has happened, and comes at once. */
export function record(
  kind: SessionRecord['kind'],
  atSeconds: number,
  over: Partial<SessionRecord> & { readonly id?: string } = {},
): Extract<Event, { kind: 'record' }> {
  const { id = `${kind} ${atSeconds}${over.service ? ` ${over.service.activation}` : ''}`, ...rest } = over;
  return {
    kind: 'record',
    id,
    record: {
      kind,
      eventAtMs: NOW + atSeconds * 1000,
      isStamped: true,
      receivedAtMs: NOW + atSeconds * 1000,
      nas: nas({ enforcement: 'coa' }),
      acctSessionId: 's1',
      identity: { 'User-Name': 'client1@isp1.com' },
      classes: [],
      ...rest,
    },
  };
}

/** A service as its NAS accounts it. */
export function accountedAs(activation: string, serviceSessionId = `s1:${activation}`): AccountedService {
  return { activation, spelling: activation, groups: service(activation).groups, serviceSessionId };
}

/** The NAS acknowledges the command under way. */
export const ack = (session: Session | undefined): Event => outcome(session, 'ack');
/** The NAS refuses it, with a reason in words if there is one. */
export const nak =
  (errorCause?: number, text?: string) =>
  (session: Session | undefined): Event =>
    outcome(session, 'nak', errorCause, text);
/** The NAS does not answer. */
export const timeout = (session: Session | undefined): Event => outcome(session, 'timeout');

/** The relay does not send it, with the Error-Cause that the request gets. */
export const unsent =
  (why: string, errorCause?: number) =>
  (session: Session | undefined): Event =>
    ({ ...outcome(session, 'unsent', errorCause), unsent: why }) as Event;

/** A NAS that is told. */
export const COA = { nas: nas({ enforcement: 'coa' }) };

/** An idle session with these services active. */
export function having(activate: readonly (string | PlannedService)[], over: Wanted = {}): Session {
  const { session } = play([asked(request('before', { ...over, activate }))]);
  if (session === undefined) throw new Error('a request makes a session');
  return session;
}

/** What the latest command says of services, as the NAS decodes it: `ERX-Service-Deactivate = "gold"`. */
export function told({ effects }: Result): readonly string[] {
  const command = effects.find((effect) => effect.kind === 'command');
  if (command === undefined) return [];
  const octets = Buffer.from(command.attributes, 'base64');
  return decodeAttributes(packetOf(craft({ attributes: [octets] }))).map(describeAttribute);
}

/** What the service session is called in accounting that a session made at `NOW` has numbered `index`, from 0 on. */
export const accountingId = (index: number, acctSessionId = 's1') =>
  serviceSessionId(acctSessionId, NOW + index);

/** The accounting records of all that was played, in order: `Start gold`, `Stop gold 10`. */
export function accounted(start: Session | undefined, { results }: Played): readonly string[] {
  let before = start;
  return results.flatMap(({ session }) => {
    if (session === undefined) return [];
    const records = accountingRecords(before, session);
    before = session;
    return records.map(({ message }) => {
      const attributes = decodeAttributes(
        packetOf(craft({ attributes: [Buffer.from(message.attributes, 'base64')] })),
      );
      const cause = firstValue(attributes, 'Acct-Terminate-Cause');
      return [message.status, message.serviceSession, ...(cause === undefined ? [] : [cause])].join(' ');
    });
  });
}

/** A session as it is read after it was written. */
export function stored(session: Session): Session {
  return { ...session, revision: session.revision + 1 };
}

export interface Played {
  readonly session: Session | undefined;
  readonly results: readonly Result[];
  /** Of the latest event. */
  readonly last: Result;
}

/** Plays events in order, each on the session that the one before has stored. An event may depend on that session. */
export function play(
  events: readonly (Event | ((session: Session | undefined) => Event))[],
  start?: Session,
  nowMs = NOW,
): Played {
  let session = start;
  const results: Result[] = [];
  for (const event of events) {
    const result = transition(session, typeof event === 'function' ? event(session) : event, nowMs);
    if (result.session !== undefined) session = stored(result.session);
    results.push(result);
  }
  return { session, results, last: results.at(-1) ?? { effects: [] } };
}

export function services(session: Session | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.values(session?.services ?? {}).map(({ activation, state }) => [activation, state]),
  );
}

/** Effects in short: `ack`, `nak 503`, `activate gold`, `deactivate silver bronze`. */
export function brief({ effects }: Result): readonly string[] {
  return effects.map((effect) =>
    effect.kind === 'reply'
      ? [effect.answer, ...(effect.errorCause === undefined ? [] : [effect.errorCause])].join(' ')
      : [effect.operation, ...effect.services].join(' '),
  );
}

/** The life of a session that an Acct-Stop has closed. */
export const CLOSED_LIFE: Life = {
  knownBy: 'start',
  latest: { atMs: 1_000, isStamped: true },
  heardAtMs: 1_000,
  deferred: [],
  endedServices: [],
  closed: { by: 'stop', at: { atMs: 1_000, isStamped: true }, terminateCause: 1, decidedAtMs: 1_000 },
};
