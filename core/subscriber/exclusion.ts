// What a request means for the session that it meets: what becomes active (A), what is deactivated by name (E), what has to
// go because it shares a mutex group with A (V), and whether the request may be carried out.
import { IDENTITY_ATTRIBUTES, isSameIdentity } from '../identity.ts';
import { nameOf } from '../services/activation.ts';
import type { ServiceTerms } from '../services/terms.ts';
import { dialect } from './command.ts';
import { type Nak, nak } from './draft.ts';
import type {
  ExplicitDeactivation,
  Job,
  RequestedDeactivation,
  ServiceRequest,
  ServiceSession,
  Session,
} from './session.ts';

/** Keeps the item far below DynamoDB's 400 kB. */
export const MAX_SERVICES = 64;

/** Why a request cannot be carried out on this session, which stays as it is; undefined when it can. */
export function refusalOf(session: Session, request: ServiceRequest): Nak | undefined {
  const stranger = IDENTITY_ATTRIBUTES.find((name) => {
    const [known, named] = [session.identity[name], request.identity[name]];
    return known !== undefined && named !== undefined && !isSameIdentity(name, known, named);
  });
  if (stranger !== undefined) {
    return nak('Session-Context-Not-Found', `${stranger} is not that of the session`);
  }
  for (const { activation, refusingGroups } of request.activate) {
    const member = Object.values(session.services).find(
      (service) =>
        isMember(service) &&
        service.activation !== activation &&
        service.groups.some((group) => refusingGroups.includes(group)),
    );
    const own = session.services[activation];
    if (member !== undefined && (own === undefined || !isMember(own))) {
      return nak(
        'Administratively-Prohibited',
        `${activation} excludes ${member.activation}, which is active`,
      );
    }
  }
  const services = new Set([
    ...Object.keys(session.services),
    ...request.activate.map(({ activation }) => activation),
    ...request.deactivate.map(({ activation }) => activation),
  ]);
  if (services.size > MAX_SERVICES) {
    return nak('Resources-Unavailable', `a session holds at most ${MAX_SERVICES} services`);
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
  for (const requested of request.deactivate) {
    const { activation, spelling, groups } = requested;
    const known = session.services[activation];
    const namesakes = namesakesOf(session, requested).filter((one) => !activated.has(one.activation));
    for (const namesake of namesakes) addKnown(namesake);
    const isAmbiguous = activatedNames.has(activation);
    if (known !== undefined && !(known.isStranger && isAmbiguous)) addKnown(known);
    else if (!isAmbiguous) {
      const isOptional = namesakes.length > 0;
      // What replaces all ends it, too, if the NAS has it.
      if (isOptional && replacesAll(request)) continue;
      explicit.set(activation, { activation, spelling, groups, isKnown: false, isOptional });
    } else if (namesakes.length === 0) {
      return nak('Invalid-Request', `no other service ${activation} than the one to be activated is known`);
    }
  }
  return [...explicit.values()];
}

/** Whether a command to the NAS replaces all services of the session. */
function replacesAll({ nas }: Pick<Session, 'nas'>): boolean {
  return nas.enforcement === 'coa' && dialect({ nas }).replacesAll;
}

/**
 * Why Interlock refuses to deactivate what the table does not know, where the NAS cannot be asked: a command would not tell
 * whether it was there, and would take away whatever else the table does not know.
 */
function unanswerableOf(request: ServiceRequest, explicit: readonly ExplicitDeactivation[]): Nak | undefined {
  if (!replacesAll(request)) return undefined;
  const unknown = explicit.filter(({ isKnown }) => !isKnown).map(({ activation }) => activation);
  const isUndefined = ({ activation, isDefined }: RequestedDeactivation) =>
    !isDefined && unknown.includes(activation);
  const undefinedOne = request.deactivate.find(isUndefined);
  if (undefinedOne !== undefined)
    return nak('Invalid-Request', `there is no service ${undefinedOne.spelling}`);
  if (unknown.length === 0) return undefined;
  const reason = `${unknown.join(', ')}: not known to be active, and the NAS cannot be asked`;
  return nak('Session-Context-Not-Found', reason);
}

/**
 * Why a session cannot have what a job leaves it with: its NAS has no more than so many services of a session. undefined
 * when it can.
 */
export function overCapacity(session: Session, { planned, explicit, victims }: Job): Nak | undefined {
  const capacity = dialect(session).capacity?.(session.nas.options) ?? Number.POSITIVE_INFINITY;
  const going = new Set([...explicit.map(({ activation }) => activation), ...victims]);
  const staying = Object.values(session.services)
    .filter(({ state, activation }) => state !== 'deactivating' && !going.has(activation))
    .map(({ activation }) => activation);
  const left = new Set([...staying, ...Object.keys(planned)]);
  if (left.size <= capacity) return undefined;
  const reason = `the NAS has at most ${capacity} service of a session, not ${[...left].join(', ')} side by side`;
  return nak('Resources-Unavailable', reason);
}

/** The known services with parameters that a bare name means; none where `activation` has parameters itself. */
function namesakesOf(
  { services }: Session,
  { activation }: RequestedDeactivation,
): readonly ServiceSession[] {
  return Object.values(services).filter(
    (service) => service.activation !== activation && nameOf(service.activation) === activation,
  );
}

/** What the request is to do, or why it is refused. Newcomers get their numbers here. */
export function jobOf(session: Session, request: ServiceRequest): Job | Nak {
  const explicit = explicitOf(session, request);
  if ('answer' in explicit) return explicit;
  const unanswerable = unanswerableOf(request, explicit);
  if (unanswerable !== undefined) return unanswerable;
  let number = session.nextServiceNumber;
  const planned: Record<string, ServiceSession> = {};
  for (const { refusingGroups: _, unknownMembers: __, ...terms } of request.activate) {
    const known = session.services[terms.activation];
    planned[terms.activation] =
      known === undefined
        ? { ...terms, state: 'active', number: number++, correlationId: request.correlationId }
        : refreshed(known, terms, request.correlationId);
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

/** A known service activated again stays the service session that it is and gets new thresholds. What is accounted for it
 * was settled with its Acct-Start; where there was none, that is settled now. */
function refreshed(known: ServiceSession, asked: ServiceTerms, correlationId: string): ServiceSession {
  const { terminateCause: _, retry: __, undo: ___, ...kept } = known;
  if (known.activatedAtMs === undefined) {
    // Where the NAS has it, it has it by the name that a client gave: under another name it would be there twice.
    const { number, spelling } = known;
    return { ...asked, state: 'active', number, ...(spelling !== undefined && { spelling }), correlationId };
  }
  const { timeoutSeconds, volumeMegabytes, interimIntervalSeconds } = asked;
  return { ...kept, state: 'active', timeoutSeconds, volumeMegabytes, interimIntervalSeconds };
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
