// The dialects by name. A new make of NAS is a new file and a new entry here, with a NAS of that make in
// local/peers/nas-dialects.ts.

import { cisco } from './cisco.ts';
import type { Dialect } from './dialect.ts';
import { erx } from './erx.ts';
import { generic } from './generic.ts';

const TABLE = { erx, cisco, generic } as const;

/** The value of `nases[].dialect` in a site file. */
export type DialectName = keyof typeof TABLE;
/** All names, in the order in which errors list them. */
export const DIALECT_NAMES = Object.keys(TABLE) as DialectName[];

/** Each dialect takes the options that its own schema has read. */
export const DIALECTS: Readonly<Record<DialectName, Dialect>> = TABLE;

/** Whether commands to a NAS say what it is to account: statistics, volume and interval. */
export function tellsStatistics(nas: {
  readonly enforcement: 'none' | 'coa';
  readonly dialect: DialectName;
}): boolean {
  return nas.enforcement === 'coa' && DIALECTS[nas.dialect].tellsStatistics;
}
