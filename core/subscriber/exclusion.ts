// What a request means for the session that it meets: what becomes active (A), what is deactivated by name (E), what has to
// go because it shares a mutex group with A (V), and whether the request may be carried out.
import { differing, unmatched } from '../identity.ts';
import { nameOf } from '../services/activation.ts';
import type { ServiceTerms } from '../services/terms.ts';
import { alsoNamed, dialect, identityOf, isOwn, unprovenOf } from './command.ts';
import { type Nak, nak } from './draft.ts';
import type { ExplicitDeactivation, Job, ServiceRequest, ServiceSession, Session } from './session.ts';

/** Keeps the item far below DynamoDB's 400 kB. */
export const MAX_SERVICES = 64;
/** Names of the subscriber under which a NAS that does not answer may have a service. Its undo takes a command for each. */
export const MAX_NAMES = 16;

/** Why a request is not begun at `nowMs`: its client waits for the answer no longer, and may have asked anew since. */
export function tooLate({ answerByMs }: Pick<ServiceRequest, 'answerByMs'>, nowMs: number): Nak | undefined {
  if (answerByMs === undefined || nowMs < answerByMs) return undefined;
  const lateSeconds = Math.floor((nowMs - answerByMs) / 1000);
  return nak('Resources-Unavailable', `the client gave up ${lateSeconds} s before the request could begin`);
}

/** Why a request cannot be carried out on this session, which stays as it is; undefined when it can. */
export function refusalOf(session: Session, request: ServiceRequest): Nak | undefined {
  // What it was found by may have changed since: another subscriber has the address, say.
  const isFound = request.lookedUpAt !== undefined;
  const stranger = (isFound ? unmatched : differing)(request.identity, session.identity);
  if (stranger !== undefined) {
    return nak('Session-Context-Not-Found', `${stranger} is not that of the session`);
  }
  const excluded = exclusionOf(session, request);
  if (excluded !== undefined) return excluded;
  const services = new Set([
    ...Object.keys(session.services),
    ...request.activate.map(({ activation }) => activation),
    ...request.deactivate.map(({ activation }) => activation),
  ]);
  if (services.size > MAX_SERVICES) {
    return nak('Resources-Unavailable', `a session holds at most ${MAX_SERVICES} services`);
  }
  const unproven = unprovenOf(session, request);
  const doubtful = request.activate.find(({ activation }) => {
    const { named = [] } = alsoNamed(session.services[activation], unproven);
    return named.length > MAX_NAMES;
  });
  if (doubtful !== undefined) {
    const reason = `the NAS may have ${doubtful.activation} under ${MAX_NAMES} names, and has confirmed none of them`;
    return nak('Resources-Unavailable', reason);
  }
  return undefined;
}

/**
 * Why a group with `policy: refuse` excludes what the request activates. Members that the request deactivates give their
 * places up, whatever the order of the commands. What is `deactivating` or `unconfirmed` has none: it has to go, as in
 * every group.
 */
function exclusionOf(session: Session, request: ServiceRequest): Nak | undefined {
  const explicit = explicitOf(session, request);
  if ('answer' in explicit) return explicit;
  const going = new Set(explicit.map(({ activation }) => activation));
  const members = Object.values(session.services).filter(
    (one) => isMember(one) && !going.has(one.activation),
  );
  const isOne = (activation: string) => members.some((one) => one.activation === activation);
  for (const { activation, refusingGroups } of request.activate) {
    const excludes = ({ activation: other, groups }: ServiceTerms) =>
      other !== activation && groups.some((group) => refusingGroups.includes(group));
    // An active service that is activated again takes no place of another.
    if (isOne(activation)) continue;
    const member = members.find(excludes);
    const beside = member ?? request.activate.find(excludes);
    if (beside !== undefined) {
      const why = member === undefined ? 'the request activates, too' : `is ${member.state}`;
      return nak('Administratively-Prohibited', `${activation} excludes ${beside.activation}, which ${why}`);
    }
  }
  return undefined;
}

/** Whether the NAS has confirmed the service, and is to have it. */
export function isMember({ state }: ServiceSession): boolean {
  return state === 'active' || state === 'restoring';
}

/**
 * V. JunosE's rule: exclusion works between requests, not inside one, so all newcomers of a request stay together. What the
 * NAS may have is a victim, too.
 */
function victimsOf(
  session: Session,
  request: ServiceRequest,
  explicit: readonly ExplicitDeactivation[],
): readonly string[] {
  const named = new Set([
    ...request.activate.map(({ activation }) => activation),
    ...explicit.map(({ activation }) => activation),
  ]);
  // A NAS may take a bare name in doubt for the newcomer.
  const activatedNames = new Set(request.activate.map(({ activation }) => nameOf(activation)));
  const groups = new Set(
    request.activate.flatMap(({ activation, groups }) => session.services[activation]?.groups ?? groups),
  );
  return Object.values(session.services)
    .filter(
      ({ activation, state, isStranger, groups: own }) =>
        !named.has(activation) &&
        !(isStranger && activatedNames.has(activation)) &&
        state !== 'deactivating' &&
        own.some((group) => groups.has(group)),
    )
    .map(({ activation }) => activation);
}

/**
 * E. A service that the table knows is told to the NAS in the spelling of its activation; one that it does not know is the
 * NAS's to answer, in the client's. A bare name means every known service of that name, whatever its parameters, and the
 * NAS's own of that name; beside an activation of the same name it means the other known ones.
 */
function explicitOf(session: Session, request: ServiceRequest): readonly ExplicitDeactivation[] | Nak {
  const explicit = new Map<string, ExplicitDeactivation>();
  const activated = new Set(request.activate.map(({ activation }) => activation));
  const activatedNames = new Set(request.activate.map(({ activation }) => nameOf(activation)));
  const addKnown = ({ activation, spelling = activation, groups }: ServiceSession) =>
    explicit.set(activation, { activation, spelling, groups, isKnown: true, isOptional: false });
  // What the NAS was told under another name alone is not known of this subscriber.
  const own = Object.values(session.services).filter((one) => isOwn(one, identityOf(session, request)));
  for (const { isDefined: _, ...asked } of request.deactivate) {
    const { activation } = asked;
    const known = own.find((one) => one.activation === activation);
    const namesakes = namesakesOf(own, activation).filter((one) => !activated.has(one.activation));
    for (const namesake of namesakes) addKnown(namesake);
    const isAmbiguous = activatedNames.has(activation);
    if (known !== undefined && !(known.isStranger && isAmbiguous)) addKnown(known);
    else if (!isAmbiguous) {
      const isOptional = namesakes.length > 0;
      explicit.set(activation, { ...asked, isKnown: false, isOptional });
    } else if (namesakes.length === 0) {
      return nak('Invalid-Request', `no other service ${activation} than the one to be activated is known`);
    }
  }
  return [...explicit.values()];
}

/** Whether a command to the NAS replaces all services of the session. */
function replacesAll({ nas }: Pick<Session, 'nas'>): boolean {
  return nas.enforcement === 'coa' && dialect({ nas }).replacesAll === true;
}

/**
 * Why a session cannot have what a job leaves it with: its NAS has no more than so many services of a session. undefined
 * when it can.
 */
export function overCapacity(
  session: Session,
  { request, planned, explicit, victims }: Job,
): Nak | undefined {
  const capacity = dialect(session).capacity?.(session.nas.options) ?? Number.POSITIVE_INFINITY;
  const going = new Set([...explicit.map(({ activation }) => activation), ...victims]);
  const own = identityOf(session, request);
  const staying = Object.values(session.services)
    .filter((one) => one.state !== 'deactivating' && !going.has(one.activation) && isOwn(one, own))
    .map(({ activation }) => activation);
  const left = new Set([...staying, ...Object.keys(planned)]);
  if (left.size <= capacity) return undefined;
  const reason = `the NAS has at most ${capacity} service of a session, not ${[...left].join(', ')} side by side`;
  return nak('Resources-Unavailable', reason);
}

/** The known services with parameters that a bare name means; none where `name` has parameters itself. */
function namesakesOf(known: readonly ServiceSession[], name: string): readonly ServiceSession[] {
  return known.filter(({ activation }) => activation !== name && nameOf(activation) === name);
}

/**
 * Why the NAS cannot be asked about what the table does not know: its answer to the list of those that stay says nothing of a
 * service, and the list would take away what it does not name. Undefined where that is not asked.
 */
function unaskableOf(request: ServiceRequest, explicit: readonly ExplicitDeactivation[]): Nak | undefined {
  const unknown = explicit
    .filter(({ isKnown, isOptional }) => !isKnown && !isOptional)
    .map(({ spelling }) => spelling);
  const undefinedOne = request.deactivate.find(
    ({ spelling, isDefined }) => !isDefined && unknown.includes(spelling),
  );
  if (undefinedOne !== undefined)
    return nak('Invalid-Request', `there is no service ${undefinedOne.spelling}`);
  if (unknown.length === 0) return undefined;
  const reason = `no service ${unknown.join(', ')} is known, and the NAS cannot be asked`;
  return nak('Session-Context-Not-Found', reason);
}

/** What the request is to do, or why it is refused. Newcomers get their numbers here. */
export function jobOf(session: Session, request: ServiceRequest): Job | Nak {
  const named = explicitOf(session, request);
  if ('answer' in named) return named;
  const isAskable = !replacesAll(request);
  const unaskable = isAskable ? undefined : unaskableOf(request, named);
  if (unaskable !== undefined) return unaskable;
  const explicit = isAskable ? named : named.filter(({ isKnown }) => isKnown);
  let number = session.nextServiceNumber;
  const planned: Record<string, ServiceSession> = {};
  const accounting = request.nas.serviceAccounting === 'nas' ? { isAccountedByNas: true as const } : {};
  for (const planning of request.activate) {
    const { refusingGroups: _, unknownMembers: __, asksForStatistics: ___, ...terms } = planning;
    const known = session.services[terms.activation];
    const asked = { ...terms, ...accounting, correlationId: request.correlationId };
    planned[terms.activation] =
      known === undefined ? { ...asked, state: 'active', number: number++ } : refreshed(known, asked);
  }
  return {
    request,
    planned,
    explicit,
    victims: victimsOf(session, request, explicit),
    confirmed: [],
    ended: [],
  };
}

/**
 * A known service activated again stays the service session that it is and gets new thresholds and statistics. Who accounts it
 * was settled with its activation; where there was none, that is settled now.
 */
function refreshed(
  known: ServiceSession,
  asked: ServiceTerms & Pick<ServiceSession, 'correlationId' | 'isAccountedByNas'>,
): ServiceSession {
  const { account: _, terminateCause: __, retry: ___, undo: ____, named: _____, ...rest } = known;
  const { isLearned: ______, ...kept } = rest;
  if (known.activatedAtMs === undefined) {
    // Where the NAS has it, it has it by the name that a client gave: under another name it would be there twice.
    const { number, spelling } = known;
    return { ...asked, state: 'active', number, ...(spelling !== undefined && { spelling }) };
  }
  const { statistics, timeoutSeconds, volumeMegabytes, interimIntervalSeconds } = asked;
  // What turns statistics on or off is behind the Acct-Start or Acct-Stop that this makes.
  const { correlationId } = (statistics === 'off') === (known.statistics === 'off') ? known : asked;
  const terms = { statistics, timeoutSeconds, volumeMegabytes, interimIntervalSeconds };
  return { ...kept, ...terms, correlationId, state: 'active' };
}

/**
 * Members of A's groups that the table does not know and the NAS may have, of groups with `unknownMembers: deactivate` that
 * have not been cleared for this session before.
 */
export function unknownMembersOf(
  session: Session,
  { request, explicit }: Job,
): readonly ExplicitDeactivation[] {
  // The command that activated A has taken them away.
  if (replacesAll(session)) return [];
  const named = new Set([
    ...Object.keys(session.services),
    ...request.activate.map(({ activation }) => activation),
    ...explicit.map(({ activation }) => activation),
  ]);
  const members = request.activate
    .flatMap(({ unknownMembers }) => unknownMembers)
    .filter(
      ({ activation, clears }) =>
        !named.has(activation) && clears.some((group) => !session.clearedGroups.includes(group)),
    );
  return [...new Map(members.map((one) => [one.activation, one])).values()].map(({ activation, groups }) => ({
    activation,
    spelling: activation,
    groups,
    isKnown: false,
    isOptional: true,
  }));
}
