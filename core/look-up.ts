// Which subscriber session a request means that does not name it by Acct-Session-Id (RFC 5176 section 3).
import type { Barrier } from './client-rights.ts';
import type { IndexedAttribute } from './cloud/table.ts';
import { canonicalIdentity, type Identity, unmatched } from './identity.ts';
import { type Reading, type Refusal, refused } from './requests/reading.ts';
import type { Session } from './subscriber/session.ts';

/** An identification attribute by which a session is found, besides Acct-Session-Id, which is its key at its NAS. */
export type LookUpAttribute = Exclude<IndexedAttribute, 'Acct-Session-Id'>;

/** All of them. The one that the fewest sessions of a NAS share comes first: it is asked for first. */
export const LOOK_UP_ATTRIBUTES: readonly LookUpAttribute[] = [
  'Acct-Multi-Session-Id',
  'Framed-IP-Address',
  'Framed-IPv6-Address',
  'Delegated-IPv6-Prefix',
  'Framed-IPv6-Prefix',
  'Calling-Station-Id',
  'Chargeable-User-Identity',
  'User-Name',
  // A NAS may have one for all the subscribers of an access node.
  'NAS-Port-Id',
];

/** A value of an identification attribute as the text that its index has. */
export interface LookUpKey {
  readonly attribute: IndexedAttribute;
  readonly key: string;
}

/** What a session is to have. */
export interface SoughtValues {
  readonly identity: Identity;
  readonly acctSessionId?: string;
}

/**
 * What to look for where a session is to have all of these values; none where that does not identify a subscriber: NAS-Port,
 * Framed-Interface-Id, Called-Station-Id and ERX-Virtual-Router-Name do not by themselves.
 */
export function lookUpKeys({ identity, acctSessionId }: SoughtValues): readonly LookUpKey[] {
  const ofSession =
    acctSessionId === undefined ? [] : [{ attribute: 'Acct-Session-Id', key: acctSessionId } as const];
  return [...ofSession, ...keysOf(identity)];
}

interface IdentityKey extends LookUpKey {
  readonly attribute: LookUpAttribute;
}

function keysOf(identity: Identity): readonly IdentityKey[] {
  return LOOK_UP_ATTRIBUTES.flatMap((attribute) => {
    const value = identity[attribute];
    return value === undefined ? [] : [{ attribute, key: canonicalIdentity(attribute, value) }];
  });
}

/** The text that the index of an attribute has for a value that a client has claimed. Requests do not look for it. */
export function claimedKey(key: string): string {
  return `unchecked ${key}`;
}

/**
 * The text that the index of an attribute has for a value of a session that is closed. Requests do not look for it: the
 * sessions of a line that redials every 20 s would else be more than a look-up reads.
 */
export function closedKey(key: string): string {
  return `closed ${key}`;
}

/** What the indexes have of a session. */
export function indexedKeys({
  identity,
  claimed,
  life,
}: Pick<Session, 'identity' | 'claimed' | 'life'>): readonly IdentityKey[] {
  const isClosed = life?.closed !== undefined;
  const known = keysOf(identity).map(({ attribute, key }) => ({
    attribute,
    key: isClosed ? closedKey(key) : key,
  }));
  const unchecked = keysOf(claimed).filter(({ attribute }) => !(attribute in identity));
  return [...known, ...unchecked.map(({ attribute, key }) => ({ attribute, key: claimedKey(key) }))];
}

/** Sessions that share one value at a NAS, of which a look-up reads no more than so many. */
export const MAX_CANDIDATES = 25;

/**
 * How a session stands in a look-up: `unheard` ones give way to `open` ones, and `stale` ones to both, because one of which the end
 * was lost must not lock its subscriber out; `closed` ones are not there.
 */
export type Standing = 'open' | 'unheard' | 'stale' | 'closed';
/** The standing of a session. */
export type StandingOf = (session: Session) => Standing;

/** What keeps the client of a request from a session; undefined if nothing does. */
export type BarrierOf = (session: Session) => Barrier | undefined;

/** What was found; or the refusal; or, with it, that the client may touch none of what was found, so that it gets no answer. */
export type Found<T> =
  | Reading<T>
  | { readonly ok: false; readonly refusal: Refusal; readonly barrier: Barrier };

/**
 * The one of `candidates` that has all of these values, as the NAS has confirmed it. Refused with Session-Context-Not-Found where
 * none has, and with Multiple-Session-Selection-Unsupported where several have. Of several, those count that the client may touch.
 */
export function choose(
  candidates: readonly Session[],
  sought: SoughtValues,
  standingOf: StandingOf = () => 'open',
  barrierOf: BarrierOf = () => undefined,
): Found<Session> {
  const { identity, acctSessionId } = sought;
  const all = candidates.filter(
    (session) =>
      standingOf(session) !== 'closed' &&
      !session.isForgotten &&
      unmatched(identity, session.identity) === undefined &&
      (acctSessionId === undefined || session.acctSessionId === acctSessionId),
  );
  const matching = all.filter((session) => barrierOf(session) === undefined);
  const barrier = all[0] && barrierOf(all[0]);
  if (matching.length === 0 && barrier !== undefined) {
    const reason = `the client may not touch the session that has ${describe(sought)}`;
    return { ok: false, refusal: { errorCause: 'Administratively-Prohibited', reason }, barrier };
  }
  const [session, ...others] =
    (['open', 'unheard', 'stale'] as const)
      .map((standing) => matching.filter((session) => standingOf(session) === standing))
      .find(({ length }) => length > 0) ?? [];
  if (session === undefined)
    return refused('Session-Context-Not-Found', `no session has ${describe(sought)}`);
  return others.length === 0
    ? { ok: true, value: session }
    : refused(
        'Multiple-Session-Selection-Unsupported',
        `${others.length + 1} sessions have ${describe(sought)}`,
      );
}

/** The refusal where each value that a request gives is one that more than MAX_CANDIDATES sessions share. */
export function tooMany(sought: SoughtValues): Reading<never> {
  return refused(
    'Multiple-Session-Selection-Unsupported',
    `more than ${MAX_CANDIDATES} sessions have ${describe(sought)}`,
  );
}

function describe({ identity, acctSessionId }: SoughtValues): string {
  const id = acctSessionId === undefined ? {} : { 'Acct-Session-Id': acctSessionId };
  return Object.entries({ ...id, ...identity })
    .map(([name, value]) => `${name} ${value}`)
    .join(' and ');
}
