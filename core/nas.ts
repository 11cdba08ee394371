// A NAS as the functions know it. Its address and secret stay at the site, with the relay.

import type { DialectOptions } from './dialects/dialect.ts';
import type { DialectName } from './dialects/dialects.ts';
import type { NasIdentity } from './identity.ts';

/**
 * The order of the commands of a switch. `activate-first`: the newcomer, then what it replaces. `together`: both in one
 * CoA-Request. `deactivate-first`: what is replaced, then the newcomer, for a NAS that refuses the two side by side.
 */
export const ORDERS = ['activate-first', 'together', 'deactivate-first'] as const;
export type Order = (typeof ORDERS)[number];

/**
 * Who sends Acct-Start and Acct-Stop of the services. `interlock`: Interlock does, and the NAS is told to account none of
 * them. `nas`: the NAS does, by what it is told of statistics, interval and volume.
 */
export const SERVICE_ACCOUNTING = ['interlock', 'nas'] as const;
export type ServiceAccounting = (typeof SERVICE_ACCOUNTING)[number];

/**
 * What opens a session. `implicit`: the first request that the NAS acknowledges, or a record of its accounting.
 * `accounting`: a record alone; a request for a session that none has opened is refused without asking the NAS.
 */
export const SESSIONS = ['implicit', 'accounting'] as const;
export type Sessions = (typeof SESSIONS)[number];

/**
 * What decide needs to know of a NAS. A copy is stored with each session, so that a deployment does not affect a
 * transition under way.
 */
export interface NasProfile {
  /** The site whose relay sends it commands. */
  readonly site: string;
  /** Unique in the deployment. */
  readonly name: string;
  /** The first configured value of each attribute. Commands and accounting identify the NAS by these. */
  readonly identity: NasIdentity;
  /** `coa`: the NAS gets commands and confirms them. `none`: state and accounting only. */
  readonly enforcement: 'none' | 'coa';
  readonly dialect: DialectName;
  /** The order of the commands of a switch. */
  readonly order: Order;
  /** Who accounts services from their activation on. One that is active keeps what was so then. */
  readonly serviceAccounting: ServiceAccounting;
  /** What opens a session of it. */
  readonly sessions: Sessions;
  /** Options of the dialect, as its schema has read them from the site file. */
  readonly options: DialectOptions;
  /** How long the relay retransmits a command before it reports a timeout. */
  readonly answerTimeoutSeconds: number;
}

/** A NAS of one site, with all by which a request or a stored session may name it. */
export interface KnownNas {
  readonly profile: NasProfile;
  /** Every value of a NAS identification attribute (RFC 5176 section 3) that identifies it. */
  readonly identifiedBy: readonly string[];
  /** The names that it had before. */
  readonly formerly: readonly string[];
}
