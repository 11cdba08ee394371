// What a client may ask for (RFC 5176 section 6.1): at which NASes, for subscribers of which realms, which services and which
// operations. The relay says who asks, which it has verified; decide knows the session that is meant, and what it belongs to.
import type { IdentityAttribute } from './identity.ts';
import { nameOf } from './services/activation.ts';
import type { ServiceRequest, Session } from './subscriber/session.ts';

/** What a request may do. */
export const OPERATIONS = ['activate', 'deactivate', 'disconnect'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What a client may touch. What is absent is not restricted. */
export interface ClientRights {
  /** Names that NASes have today. */
  readonly nases?: readonly string[];
  /** Realms in lower case. */
  readonly realms?: readonly string[];
  /** Names of services, without parameters. */
  readonly services?: readonly string[];
  readonly operations?: readonly Operation[];
}

/** Why a request is discarded: its client may not touch the NAS or the realm, or is not known where others are restricted. */
export type Barrier = 'nas' | 'realm' | 'client';

/**
 * The realm of a User-Name, which is what follows its last "@" (RFC 7542 section 2.2), in lower case; undefined without one, and
 * where the name has a control character: a NAS that reads `bob@other.com`, NUL, `@isp1.com` up to the NUL means another realm.
 */
export function realmOf(userName: string | number | undefined): string | undefined {
  const name = String(userName ?? '');
  if (/\p{Cc}/u.test(name)) return undefined;
  const at = name.lastIndexOf('@');
  return at === -1 || at === name.length - 1 ? undefined : canonicalRealm(name.slice(at + 1));
}

/** A realm as it is compared: without regard to the case of ASCII letters, as DNS has it. A KELVIN SIGN is no k. */
export function canonicalRealm(realm: string): string {
  return realm.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Whether a client may touch the NAS that has this name today. */
export function mayTouchNas({ nases }: ClientRights, nas: string): boolean {
  return nases === undefined || nases.includes(nas);
}

/**
 * Whether a client may touch the subscriber whom all of `names` name: what the request says, and what is known of its session. It
 * may not where realms are set and none of these tells the realm.
 */
export function mayTouchRealm(
  { realms }: ClientRights,
  names: readonly (string | number | undefined)[],
): boolean {
  if (realms === undefined) return true;
  const given = names.filter((name) => name !== undefined).map(realmOf);
  return given.length > 0 && given.every((realm) => realm !== undefined && realms.includes(realm));
}

/** What keeps a client from a session that is stored, at the NAS that has this name today; undefined if nothing does. */
export function barrierTo(
  rights: ClientRights,
  nas: string,
  session: Pick<Session, 'identity'> | undefined,
  asked: Readonly<Partial<Record<IdentityAttribute, string | number>>> = {},
): Barrier | undefined {
  if (!mayTouchNas(rights, nas)) return 'nas';
  const names = [asked['User-Name'], session?.identity['User-Name']];
  return mayTouchRealm(rights, names) ? undefined : 'realm';
}

/** Which operation or service of a request its client may not ask for, in words; undefined if it may ask for all. */
export function prohibited(
  { operations, services }: ClientRights,
  { activate, deactivate, isDisconnect }: Pick<ServiceRequest, 'activate' | 'deactivate' | 'isDisconnect'>,
): string | undefined {
  const asked: Readonly<Record<Operation, boolean>> = {
    activate: activate.length > 0,
    deactivate: deactivate.length > 0,
    disconnect: isDisconnect === true,
  };
  const operation = OPERATIONS.find((one) => asked[one] && operations?.includes(one) === false);
  if (operation !== undefined) return `the client may not ${operation}`;
  const service = [...activate, ...deactivate].find(
    ({ activation }) => services?.includes(nameOf(activation)) === false,
  );
  return service && `the client may not touch the service ${nameOf(service.activation)}`;
}
