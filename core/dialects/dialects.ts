// How a NAS is told to activate and to deactivate services: a table, one entry per dialect.
import type { Attribute } from '../radius/codec.ts';
import type { IdentityAttribute, NasProfile, ServiceTerms } from '../session.ts';
import { erx } from './erx.ts';

/** What can tell a NAS which subscriber session a command is about. */
export type Identification =
  | 'Acct-Session-Id'
  | Exclude<IdentityAttribute, 'Chargeable-User-Identity'>
  | keyof NasProfile['identity'];

export interface Dialect {
  /** The attributes that identify the session, in this order; those that the session does not have are left out. */
  readonly identification: readonly Identification[];
  /** How many services one CoA-Request can carry. */
  readonly servicesPerCommand: { readonly activate: number; readonly deactivate: number };
  /** What follows the attributes that identify the session. Called with at most as many services as fit. */
  activate(services: readonly ServiceTerms[]): readonly Attribute[];
  deactivate(services: readonly ServiceTerms[]): readonly Attribute[];
  /** Error-Causes of a NAK that say that what had to be deactivated is not there: as good as an ACK. */
  readonly alreadyGone: readonly number[];
}

export const DIALECTS = { erx } as const satisfies Record<string, Dialect>;

export type DialectName = keyof typeof DIALECTS;
export const DIALECT_NAMES = Object.keys(DIALECTS) as DialectName[];
