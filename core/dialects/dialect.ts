// What a dialect is: how one make of NAS gets the commands to activate and to deactivate services. Types only; each
// make has a file of its own, and dialects.ts has the table of them.

import type * as v from 'valibot';
import type { IdentityAttribute, NasIdentityAttribute } from '../identity.ts';
import type { Attribute } from '../radius/codec.ts';
import type { ServiceTerms } from '../services/terms.ts';
import type { ReadServiceRecord } from './service-records.ts';

/** An attribute with which a command can name its subscriber session. */
export type Identification =
  | 'Acct-Session-Id'
  | Exclude<IdentityAttribute, 'Chargeable-User-Identity'>
  | NasIdentityAttribute;

/** What an operator sets for a NAS of one dialect in `nases[].options`. It is stored with the session, as JSON. */
export type DialectOptions = Readonly<Record<string, boolean | number | string>>;

/** Of a dialect that has none. */
export type NoOptions = Readonly<Record<never, never>>;

/** The terms of a service, and what the NAS calls it where that is not the canonical activation string. */
export interface TermsAtNas extends ServiceTerms {
  readonly spelling?: string;
  /** The NAS may have thresholds of it from an earlier activation: it is told also of those that are 0 now. */
  readonly isRefresh?: true;
}

/** What a NAK to a command says. */
export interface NasRefusal {
  /** Error-Cause (RFC 5176 section 3.5); JunosE leaves it out for a failure without a code of its own. */
  readonly errorCause?: number | undefined;
  /** Reply-Message or the vendor's text, such as Action-Reason of Junos OS. */
  readonly text?: string | undefined;
}

export interface CommandContext<Options> {
  /** What the session has besides the services of the command and is to keep. */
  readonly staying: readonly TermsAtNas[];
  readonly options: Options;
}

export interface Dialect<Options = DialectOptions> {
  /** The schema of each option. Every one has a default. */
  readonly options: { readonly [Name in keyof Options]: v.GenericSchema<unknown, Options[Name]> };
  /** The attributes that identify the session, in this order. Those that the session does not have are left out. */
  readonly identification: readonly Identification[];
  /**
   * A command names every service that the session is to have, and replaces all others. Such a NAS cannot be asked about a
   * service that the table does not know.
   */
  readonly replacesAll?: true;
  /** Whether an activation says what the NAS is to account: statistics, volume and interval. */
  readonly tellsStatistics: boolean;
  /** How many services one CoA-Request can carry. */
  readonly servicesPerCommand: { readonly activate: number; readonly deactivate: number };
  /** How many services a session can have at the NAS, where the number is limited. */
  capacity?(options: Options): number;
  /** The attributes that follow the identification, for at most as many services as one CoA-Request can carry. */
  activate(services: readonly TermsAtNas[], context: CommandContext<Options>): readonly Attribute[];
  /** `names` are activation strings as the NAS spells them. */
  deactivate(names: readonly string[], context: CommandContext<Options>): readonly Attribute[];
  /** Both in one CoA-Request; absent where a CoA-Request of this make carries a single command. */
  together?(
    services: readonly TermsAtNas[],
    names: readonly string[],
    context: CommandContext<Options>,
  ): readonly Attribute[];
  /** Whether a NAK says that the service to deactivate is not there, which is as good as an ACK. */
  isGone(refusal: NasRefusal): boolean;
  /** Whether a NAK may say so, and may mean something else: believed when it comes three times. */
  mayBeGone(refusal: NasRefusal): boolean;
  /** Whether a NAK says that the service to activate is there already, which is as good as an ACK. */
  isThere(refusal: NasRefusal): boolean;
  /** Reads which service an Accounting-Request of such a NAS accounts; undefined where it accounts no services. */
  serviceRecords(options: Options): ReadServiceRecord | undefined;
}
