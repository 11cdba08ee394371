// What a request means for the session that it meets: what becomes active, what has to go for it, and whether it may.
import { IDENTITY_ATTRIBUTES } from '../identity.ts';
import type { ServiceTerms } from '../services/terms.ts';
import { type Refusal, refuse } from './draft.ts';
import type { ServiceRequest, ServiceSession, Session } from './session.ts';

/** Keeps the item far below DynamoDB's 400 kB. */
export const MAX_SERVICES = 64;

/** Why a request cannot be carried out on this session; nothing is changed by it then. */
export function refusalOf(session: Session, request: ServiceRequest): Refusal | undefined {
  const stranger = IDENTITY_ATTRIBUTES.find((name) => {
    const [known, named] = [session.identity[name], request.identity[name]];
    return known !== undefined && named !== undefined && known !== named;
  });
  if (stranger !== undefined) {
    return refuse('Session-Context-Not-Found', `${stranger} is not that of the session`);
  }
  for (const { activation, refusingGroups } of request.activate) {
    const member = Object.values(session.services).find(
      (service) =>
        service.state === 'active' &&
        service.activation !== activation &&
        service.groups.some((group) => refusingGroups.includes(group)),
    );
    if (member !== undefined && session.services[activation]?.state !== 'active') {
      return refuse(
        'Administratively-Prohibited',
        `${activation} excludes ${member.activation}, which is active`,
      );
    }
  }
  const services = new Set([
    ...Object.keys(session.services),
    ...request.activate.map(({ activation }) => activation),
  ]);
  if (services.size > MAX_SERVICES) {
    return refuse('Resources-Unavailable', `a session holds at most ${MAX_SERVICES} services`);
  }
  return undefined;
}

/** JunosE's rule: exclusion works between requests, not inside one. All of the newcomers stay together. */
export function victimsOf(session: Session, request: ServiceRequest): readonly string[] {
  const newcomers = new Set(request.activate.map(({ activation }) => activation));
  const groups = new Set(
    request.activate.flatMap(({ activation, groups }) => session.services[activation]?.groups ?? groups),
  );
  return Object.values(session.services)
    .filter(
      ({ activation, state, groups: own }) =>
        !newcomers.has(activation) &&
        (request.deactivate.includes(activation) ||
          (state === 'active' && own.some((group) => groups.has(group)))),
    )
    .map(({ activation }) => activation);
}

/** What the request's activations will be, each with its number; the session has learned what the request says. */
export function plan(before: Session, request: ServiceRequest) {
  let nextServiceNumber = before.nextServiceNumber;
  const planned: Record<string, ServiceSession> = {};
  for (const { refusingGroups: _, ...service } of request.activate) {
    const known = before.services[service.activation];
    planned[service.activation] =
      known === undefined
        ? { ...service, state: 'active', number: nextServiceNumber++, correlationId: request.correlationId }
        : refreshed(known, service);
  }
  const identity = { ...before.identity, ...request.identity };
  const classes = request.classes.length > 0 ? request.classes : before.classes;
  return { session: { ...before, identity, classes, nas: request.nas, nextServiceNumber }, planned };
}

/** An active service activated again gets new thresholds and stays the service session that it is; what is
 * accounted for it was settled with its Acct-Start. */
function refreshed(known: ServiceSession, asked: ServiceTerms): ServiceSession {
  const { terminateCause: _, ...kept } = known;
  const { timeoutSeconds, volumeMegabytes, interimIntervalSeconds } = asked;
  return { ...kept, state: 'active', timeoutSeconds, volumeMegabytes, interimIntervalSeconds };
}
