// Items that earlier releases wrote. Each shape that there has been has a function to the next one, and an image in the
// tests; only the newest is known elsewhere.
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
  const checked = checkSession(shape === 0 ? from010(item) : item);
  if (!checked.ok) throw new UnreadableItem(`${key}: ${checked.problem}`);
  return checked.session;
}

/**
 * 0.1.0 had one number, `version`, for what are now `version` and `revision`; `client`, `packet`, `key` and `timestamped`
 * of a request where its `origin` is now, without the client's name; and one option of the dialect erx for every NAS.
 */
function from010({ transition, waiting, recentEvents, ...item }: Json): Json {
  return {
    ...item,
    nas: nasFrom010(item['nas']),
    revision: item['version'],
    ...(isObject(transition) && { transition: transitionFrom010(transition) }),
    waiting: list(waiting).map(requestFrom010),
    recentEvents: list(recentEvents).map((event) => ({
      ...event,
      effects: list(event['effects']).map((effect) =>
        effect['kind'] === 'reply' ? requestFrom010(effect) : effect,
      ),
    })),
  };
}

function transitionFrom010({ request, owed, ...step }: Json): Json {
  return {
    ...step,
    ...(isObject(request) && { request: requestFrom010(request) }),
    ...(isObject(owed) && {
      owed: { ...owed, ...(isObject(owed['request']) && { request: requestFrom010(owed['request']) }) },
    }),
  };
}

/** A request, or a reply, which had neither `key` nor `timestamped`: they matter to a request alone. */
function requestFrom010({ client, packet, key = '', timestamped = false, nas, ...rest }: Json): Json {
  const { address, port } = isObject(client) ? client : {};
  const origin = { kind: 'radius', client: { name: address, address, port }, packet, key, timestamped };
  return { ...rest, ...(nas !== undefined && { nas: nasFrom010(nas) }), origin };
}

function nasFrom010(nas: unknown): unknown {
  if (!isObject(nas)) return nas;
  const { tagDeactivations, ...rest } = nas;
  return { ...rest, options: rest['dialect'] === 'erx' ? { tagDeactivations } : {} };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

/** The objects in a list; an absent list is an empty one. */
function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
