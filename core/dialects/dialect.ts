// What a dialect is: how one make of NAS gets the commands to activate and to deactivate services. Types only; each
// make has a file of its own, and dialects.ts has the table of them.

import type * as v from 'valibot';
import type { IdentityAttribute, NasIdentityAttribute } from '../identity.ts';
import type { Attribute } from '../radius/codec.ts';
import type { ServiceTerms } from '../services/terms.ts';

/** An attribute with which a command can name its subscriber session. */
export type Identification =
  | 'Acct-Session-Id'
  | Exclude<IdentityAttribute, 'Chargeable-User-Identity'>
  | NasIdentityAttribute;

/** What an operator sets for a NAS of one dialect in `nases[].options`. It is stored with the session, as JSON. */
export type DialectOptions = Readonly<Record<string, boolean | number | string>>;

/** Of a dialect that has none. */
export type NoOptions = Readonly<Record<never, never>>;

export interface CommandContext<Options> {
  /** The active services of the session besides those of the command. */
  readonly staying: readonly ServiceTerms[];
  readonly options: Options;
}

export interface Dialect<Options = DialectOptions> {
  /** The schema of each option. Every one has a default. */
  readonly options: { readonly [Name in keyof Options]: v.GenericSchema<unknown, Options[Name]> };
  /** The attributes that identify the session, in this order. Those that the session does not have are left out. */
  readonly identification: readonly Identification[];
  /** How many services one CoA-Request can carry. */
  readonly servicesPerCommand: { readonly activate: number; readonly deactivate: number };
  /** The attributes that follow the identification, for at most as many services as one CoA-Request can carry. */
  activate(services: readonly ServiceTerms[], context: CommandContext<Options>): readonly Attribute[];
  deactivate(services: readonly ServiceTerms[], context: CommandContext<Options>): readonly Attribute[];
  /** Error-Causes (RFC 5176 section 3.5) with which the NAS says that the service to deactivate is not there. */
  readonly alreadyGone: readonly number[];
}
