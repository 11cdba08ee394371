// How a NAS is told to activate and to deactivate services: a table, one entry per dialect. Nothing else in Interlock
// knows what a NAS understands; a new kind of NAS is a new entry.
import type { Attribute } from '../radius/codec.ts';
import type { IdentityAttribute, NasProfile, ServiceTerms } from '../subscriber/session.ts';
import { cisco } from './cisco.ts';
import { erx } from './erx.ts';
import { generic } from './generic.ts';

/** What can tell a NAS which subscriber session a command is about. */
export type Identification =
  | 'Acct-Session-Id'
  | Exclude<IdentityAttribute, 'Chargeable-User-Identity'>
  | keyof NasProfile['identity'];

export interface DialectContext {
  /** What the session has besides the services of the command and is to keep. */
  readonly staying: readonly ServiceTerms[];
  /** Give each deactivation a tag of its own. */
  readonly tagDeactivations: boolean;
}

export interface Dialect {
  /** The attributes that identify the session, in this order; those that the session does not have are left out. */
  readonly identification: readonly Identification[];
  /** How many services one CoA-Request can carry. */
  readonly servicesPerCommand: { readonly activate: number; readonly deactivate: number };
  /** What follows the identification. Called with at most as many services as fit. */
  activate(services: readonly ServiceTerms[], context: DialectContext): readonly Attribute[];
  deactivate(services: readonly ServiceTerms[], context: DialectContext): readonly Attribute[];
  /** Error-Causes of a NAK that say that what had to be deactivated is not there: as good as an ACK. */
  readonly alreadyGone: readonly number[];
}

export const DIALECTS = { erx, cisco, generic } as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof DIALECTS;
export const DIALECT_NAMES = Object.keys(DIALECTS) as DialectName[];
