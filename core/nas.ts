// A NAS as the cloud knows it. Its address and secret stay at the site, with the relay.

import type { DialectOptions } from './dialects/dialect.ts';
import type { DialectName } from './dialects/dialects.ts';
import type { NasIdentity } from './identity.ts';

/**
 * What decide needs to know of a NAS. A copy is stored with each session, so that a deployment does not affect a
 * transition under way.
 */
export interface NasProfile {
  readonly site: string;
  readonly name: string;
  /** The first configured value of each attribute: how commands and accounting name this NAS. */
  readonly identity: NasIdentity;
  /** `coa`: the NAS gets commands and confirms them. `none`: state and accounting only. */
  readonly enforcement: 'none' | 'coa';
  readonly dialect: DialectName;
  /** What the schema of that dialect has read from the site file. */
  readonly options: DialectOptions;
  /** How long the relay repeats a command before its outcome counts as unknown. */
  readonly answerTimeoutSeconds: number;
}

/** A NAS of one site, and every value of a NAS identification attribute (RFC 5176 section 3) that means it. */
export interface KnownNas {
  readonly profile: NasProfile;
  readonly identifiedBy: readonly string[];
}
