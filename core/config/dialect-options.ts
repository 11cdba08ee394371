// `nases[].options`: the dialect of the NAS defines which options there are.
import * as v from 'valibot';
import type { DialectOptions } from '../dialects/dialect.ts';
import { DIALECT_NAMES, DIALECTS, type DialectName } from '../dialects/dialects.ts';
import { defaultReason } from './problems.ts';

/** The schema of `options` at a NAS of that dialect. Without a known dialect no option can be checked. */
export function optionsSchema(dialect: DialectName | undefined): v.GenericSchema<unknown, DialectOptions> {
  if (dialect === undefined)
    return v.optional(
      v.custom<DialectOptions>(() => true),
      {},
    );
  const { options } = DIALECTS[dialect];
  return v.optional(
    v.strictObject(options, (issue) => unknownOption(dialect, issue)),
    {},
  );
}

function unknownOption(dialect: DialectName, issue: v.StrictObjectIssue): string {
  const name = unknownKey(issue);
  if (name === undefined) return defaultReason(issue);
  const owner = ownerOf(name);
  if (owner !== undefined) return `this is an option of the dialect ${owner}, and the NAS has ${dialect}`;
  const known = Object.keys(DIALECTS[dialect].options);
  return `the dialect ${dialect} has ${known.length === 0 ? 'no options' : `only ${known.join(', ')}`}`;
}

/** The reason for a key that a NAS cannot have. The option of a dialect belongs under `options`. */
export function unknownNasKey(issue: v.StrictObjectIssue): string {
  const name = unknownKey(issue);
  const owner = name === undefined ? undefined : ownerOf(name);
  if (owner === undefined) return defaultReason(issue);
  return `this is an option of the dialect ${owner}: write options: { ${name}: … }`;
}

function ownerOf(option: string): DialectName | undefined {
  return DIALECT_NAMES.find((dialect) => Object.hasOwn(DIALECTS[dialect].options, option));
}

function unknownKey({ expected, path }: v.StrictObjectIssue): string | undefined {
  return expected === 'never' ? String(path?.at(-1)?.key) : undefined;
}
