// What has to be true once all processes are healthy again and nothing is under way.

import { serviceSessionId } from '../../../core/service-accounting.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import type { NasRecord } from '../../../local/peers/scripted-nas.ts';
import type { Pair } from '../peers/pairs.ts';
import { GROUP, type Life, nameOf } from './lives.ts';

export interface Ended {
  readonly life: Life;
  readonly session: Session | undefined;
  /** What the NAS has. */
  readonly has: readonly string[];
  /** What the NAS was told, in order. */
  readonly told: readonly NasRecord[];
  /** The records of its services at the accounting server, in order. */
  readonly accounted: readonly (readonly Pair[])[];
}

/** Whether nothing is under way, and nothing is to be told the NAS any more. */
export function isAtRest(session: Session | undefined): boolean {
  if (session === undefined) return true;
  const { transition, waiting, services } = session;
  const isMoving = Object.values(services).some(
    ({ state }) => state === 'deactivating' || state === 'restoring',
  );
  return transition === undefined && waiting.length === 0 && !isMoving;
}

/** What is wrong with one subscriber session; nothing if all is as it has to be. */
export function* wrong(ended: Ended): Generator<string> {
  const { session, life, has } = ended;
  if (!isAtRest(session)) yield `does not come to rest: ${JSON.stringify(session)}`;
  const services = Object.values(session?.services ?? {});
  const active = services.filter(({ state }) => state === 'active').map(({ activation }) => activation);
  const unconfirmed = services
    .filter(({ state }) => state === 'unconfirmed')
    .map(({ activation }) => activation);
  if (
    active.some((name) => !has.includes(name)) ||
    has.some((name) => ![...active, ...unconfirmed].includes(name))
  )
    yield `the table has ${nameOf(active) || 'nothing'}, unconfirmed ${nameOf(unconfirmed) || 'nothing'}, and the NAS ${nameOf(has) || 'nothing'}`;
  if (!life.possible.has(nameOf(has)))
    yield `the NAS has ${nameOf(has) || 'nothing'}, and what was answered leaves open only: ${[...life.possible].join(' | ')}`;
  yield* without(ended);
  yield* wronglyAccounted(ended);
}

/** The subscriber is never without a service of the group once there has been one. */
function* without({ told }: Ended): Generator<string> {
  const ofGroup = (names: readonly string[]) =>
    names.filter((name) => (GROUP as readonly string[]).includes(name));
  let hadOne = false;
  for (const { operation, service, services } of told) {
    const hasOne = ofGroup(services).length > 0;
    if (hadOne && !hasOne && operation !== 'disconnect')
      yield `was without a service of the group after ${operation} ${service}`;
    hadOne = hasOne;
  }
}

/** What a server adds, and what differs in each attempt. */
const OF_THE_ATTEMPT =
  /^(Timestamp|Acct-Delay-Time|Packet-.*|Acct-Unique-Session-Id|Message-Authenticator|Proxy-State|Tmp-.*)$/;

function* wronglyAccounted({ life, session, accounted }: Ended): Generator<string> {
  const seen = new Map<string, string>();
  const started = new Map<string, string>();
  const stopped = new Set<string>();
  for (const record of accounted) {
    const {
      'Acct-Status-Type': status = '',
      'Acct-Session-Id': id = '',
      'ERX-Service-Session': service = '',
    } = Object.fromEntries(record);
    const content = JSON.stringify(record.filter(([name]) => !OF_THE_ATTEMPT.test(name)));
    const earlier = seen.get(`${id} ${status}`);
    if (earlier !== undefined && earlier !== content)
      yield `${status} of ${id} came twice, as ${earlier} and as ${content}`;
    seen.set(`${id} ${status}`, content);
    if (status === 'Start') {
      if (earlier === undefined && stopped.has(id)) yield `the Start of ${id} came after its Stop`;
      started.set(id, service);
    } else {
      if (!started.has(id)) yield `the Stop of ${id} came without a Start`;
      stopped.add(id);
    }
  }
  const open = Object.values(session?.services ?? {}).flatMap(({ account }) =>
    account === undefined ? [] : [serviceSessionId(life.acctSessionId, account.number)],
  );
  for (const [id, service] of started)
    if (!stopped.has(id) && !open.includes(id))
      yield `${service} (${id}) has a Start, no Stop, and is not active`;
  for (const id of open) {
    if (!started.has(id)) yield `${id} is active and has no Start`;
    if (stopped.has(id)) yield `${id} is active and has a Stop`;
  }
  const counts = Map.groupBy(started.values(), (service) => service);
  for (const [service, sent] of Object.entries(life.sent)) {
    const count = counts.get(service)?.length ?? 0;
    const made = life.made[service] ?? 0;
    if (count > sent || count < made)
      yield `${service} has ${count} Starts: it was activated ${sent} times, of which ${made} must have made a service session`;
  }
}
