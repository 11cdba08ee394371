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

/** What became of the session itself, as its accounting says. */
export function lived(
  before: Session | undefined,
  after: Session,
): 'opened' | 'closed' | 'replaced' | 'stale' | undefined {
  const [earlier, later] = [before?.life, after.life];
  if (later === undefined || (earlier === later && before !== undefined)) return undefined;
  if (later.closed !== undefined) return earlier?.closed === undefined ? 'closed' : undefined;
  if (earlier === undefined || earlier.closed !== undefined) return 'opened';
  // A session that goes on keeps its beginning, or gets an earlier one.
  const isLater = (later.began?.atMs ?? 0) > (earlier.began?.atMs ?? Number.POSITIVE_INFINITY);
  if (isLater) return 'replaced';
  return hasBecomeStale(before, after) ? 'stale' : undefined;
}

/** Whether the relay has said that an open session has no records any more. */
export function hasBecomeStale(
  before: Pick<Session, 'life'> | undefined,
  after: Pick<Session, 'life'>,
): boolean {
  return after.life?.staleSinceMs !== undefined && before?.life?.staleSinceMs === undefined;
}

/** Services that contradict the table and did not before. */
export function drifted(before: Session | undefined, after: Session): readonly string[] {
  return Object.keys(after.drift ?? {}).filter((name) => before?.drift?.[name] === undefined);
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
