// Items that earlier releases wrote. Each shape that there has been has a function to the next one, and an image in the
// tests; only the newest is known elsewhere.
import { settleAccounts } from './accounts.ts';
import type { Session } from './session.ts';
import { checkSession } from './stored-session.ts';

/** The shape of the items that this code writes. An item of 0.1.0 has none, which counts as 0. */
export const SHAPE = 1;

/** An item that cannot be read: of a later shape, or not what any release wrote. Reading it again may succeed once the
 * code has been updated, so the message or record is delivered again. */
export class UnreadableItem extends Error {
  override readonly name = 'UnreadableItem';
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The session in an item of any shape up to this one. `item` has the attributes that the session is made of, and
 * `shape`; keys and attributes of indexes have been taken out. `key` names the item in an error.
 * @throws UnreadableItem naming the shape, or the first path that does not fit.
 */
export function upgrade({ shape = 0, ...item }: Json, key: string): Session {
  if (typeof shape !== 'number' || shape > SHAPE) {
    throw new UnreadableItem(
      `${key}: shape ${shape} is later than ${SHAPE}, the latest that this release reads`,
    );
  }
  const checked = checkSession(withoutRetired(shape === 0 ? from010(item) : item));
  if (!checked.ok) throw new UnreadableItem(`${key}: ${checked.problem}`);
  const { session } = checked;
  // Where nothing says with what the Starts were made, it was with what the session has.
  return item['accountedAs'] === undefined
    ? settleAccounts(undefined, { session, effects: [], nowMs: session.changedAtMs })
    : session;
}

/**
 * 0.1.0 had one number, `version`, for what are now `version` and `revision`; `client`, `packet`, `key` and `timestamped`
 * of a request where its `origin` is now, without the client's name; one option of the dialect erx for every NAS; one
 * order; times of the relay's clock; services that were `active` or `deactivating`, with one pause for all of a session; and two steps, whose victims
 * included what a request deactivated by name.
 */
function from010({
  nas,
  identity,
  services,
  transition,
  waiting,
  answered,
  recentEvents,
  retry,
  ...item
}: Json): Json {
  return {
    ...item,
    nas: nasFrom010(nas),
    identity,
    claimed: {},
    services: servicesFrom010(services, retry),
    clearedGroups: [],
    revision: item['version'],
    ...(isObject(transition) && { transition: transitionFrom010(transition) }),
    waiting: list(waiting).map(requestFrom010),
    answered: list(answered).map(({ receivedAtMs: _, ...given }) => given),
    recentEvents: list(recentEvents).map((event) => ({
      ...event,
      effects: list(event['effects']).map((effect) =>
        effect['kind'] === 'reply' ? { ...effectFrom010(effect) } : effect,
      ),
    })),
  };
}

/**
 * Before accounts were kept, items had `wasAccounted`, and services `claimed`. Keys of requests had the client's address, port and
 * Identifier before the Request Authenticator.
 */
function withoutRetired({ wasAccounted: _, services, ...rest }: Json): Json {
  const item: Json = {
    ...rest,
    ...(isObject(rest['life']) && { life: lifeWithoutRetired(rest['life']) }),
    answered: each(rest['answered'], keyedByAuthenticator),
    waiting: each(rest['waiting'], requestByAuthenticator),
    ...(isObject(rest['transition']) && { transition: transitionByAuthenticator(rest['transition']) }),
  };
  if (item['accountedAs'] !== undefined || !isObject(services)) return { ...item, services };
  const entries = Object.entries(services).map(([activation, service]) => {
    if (!isObject(service)) return [activation, service];
    const { claimed: __, ...kept } = service;
    return [activation, kept];
  });
  return { ...item, services: Object.fromEntries(entries) };
}

function keyedByAuthenticator(keyed: Json): Json {
  const key = keyed['key'];
  return typeof key === 'string' ? { ...keyed, key: key.replace(/^\S+ \d+ \d+ /, '') } : keyed;
}

function requestByAuthenticator(request: Json): Json {
  const origin = request['origin'];
  return isObject(origin) ? { ...request, origin: keyedByAuthenticator(origin) } : request;
}

function transitionByAuthenticator({ request, job, owed, ...step }: Json): Json {
  const under = (one: Json) =>
    isObject(one['request']) ? { ...one, request: requestByAuthenticator(one['request']) } : one;
  return {
    ...step,
    ...(isObject(request) && { request: requestByAuthenticator(request) }),
    ...(isObject(job) && { job: under(job) }),
    ...(isObject(owed) && { owed: under(owed) }),
  };
}

/** That an interval is known means that there were Interim-Updates. */
function lifeWithoutRetired({ interimIntervalSeconds, ...life }: Json): Json {
  return { ...life, ...(interimIntervalSeconds !== undefined && { hasInterims: true }) };
}

function servicesFrom010(services: unknown, retry: unknown): unknown {
  if (!isObject(services) || !isObject(retry)) return services;
  return Object.fromEntries(
    Object.entries(services).map(([activation, service]) => [
      activation,
      isObject(service) && service['state'] === 'deactivating' ? { ...service, retry } : service,
    ]),
  );
}

function transitionFrom010(transition: Json): Json {
  const { step, request, planned, confirmed, victims, owed, failed: _, ...rest } = transition;
  const under = { ...rest, isConfirmed: true };
  if (step === 'activate' && isObject(request)) {
    const job = { request: requestFrom010(request), planned, explicit: [], victims, confirmed, ended: [] };
    return { step, ...under, job, along: [], otherwise: [] };
  }
  return {
    step: step === 'deactivate' ? 'exclude' : step,
    ...under,
    ...(isObject(owed) && {
      owed: { ...owed, ...(isObject(owed['request']) && { request: requestFrom010(owed['request']) }) },
    }),
  };
}

function requestFrom010({ nas, receivedAtMs, activate, deactivate, ...request }: Json): Json {
  return {
    ...effectFrom010(request),
    nas: nasFrom010(nas),
    queuedAtMs: receivedAtMs,
    activate: list(activate).map((one) => ({ ...one, unknownMembers: [] })),
    deactivate: (Array.isArray(deactivate) ? deactivate : []).map((activation) => ({
      activation,
      spelling: activation,
      groups: [],
      isDefined: true,
    })),
  };
}

/** What a request and a reply have in common. A reply had neither `key` nor `timestamped`: they matter to a request. */
function effectFrom010({ client, packet, key = '', timestamped = false, ...rest }: Json): Json {
  const { address, port } = isObject(client) ? client : {};
  const origin = { kind: 'radius', client: { name: address, address, port }, packet, key, timestamped };
  return { ...rest, origin };
}

function nasFrom010(nas: unknown): unknown {
  if (!isObject(nas)) return nas;
  const { tagDeactivations, ...rest } = nas;
  const options = rest['dialect'] === 'erx' ? { tagDeactivations } : {};
  return { ...rest, order: 'activate-first', options };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

/** A list with each object in it changed; what is no list stays, and is refused later. */
function each(value: unknown, change: (one: Json) => Json): unknown {
  return Array.isArray(value) ? value.map((one) => (isObject(one) ? change(one) : one)) : value;
}

/** The objects in a list; an absent list is an empty one. */
function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
