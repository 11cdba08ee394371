// What a change of a session did, from the session before it and after it. Services are named in the order of their
// activation, whatever the order in which they are stored.
import type { ServiceSession, Session } from './session.ts';

/** Those that are in `state` and were not; the same string activated again is another one. */
export function turned(
  state: ServiceSession['state'],
  before: Session | undefined,
  after: Session,
): readonly string[] {
  return namesOf(after, (service) => {
    const known = before?.services[service.activation];
    return service.state === state && (known?.state !== state || known.number !== service.number);
  });
}

/** Those that are there no more. */
export function gone(before: Session | undefined, after: Session | undefined): readonly string[] {
  return namesOf(before, ({ activation, number }) => after?.services[activation]?.number !== number);
}

/** How often in a row the NAS was told in vain of the service that failed most often; undefined unless one failed just now. */
export function failedAttempts(before: Session | undefined, { services }: Session): number | undefined {
  const failed = Object.values(services).flatMap(({ activation, retry }) =>
    retry !== undefined && retry.attempts > (before?.services[activation]?.retry?.attempts ?? 0)
      ? [retry.attempts]
      : [],
  );
  return failed.length === 0 ? undefined : Math.max(...failed);
}

function namesOf(
  session: Session | undefined,
  isMeant: (service: ServiceSession) => boolean,
): readonly string[] {
  return Object.values(session?.services ?? {})
    .filter(isMeant)
    .sort((one, other) => one.number - other.number)
    .map(({ activation }) => activation);
}
