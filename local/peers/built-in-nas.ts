// The built-in NAS, for a machine that has none.
import type { Nas } from '../../core/config/site-file.ts';
import type { Secret } from '../../core/radius/authenticator.ts';
import type { NasAccountingOptions } from './nas-accounting.ts';
import { type NasRecord, type ScriptedNas, startScriptedNas } from './scripted-nas.ts';
import { unlessTaken } from './unless-taken.ts';

export interface BuiltInNas extends ScriptedNas {
  /** Name of the NAS in the site file. */
  readonly name: string;
}

/**
 * Starts a NAS on the address of one in the site file, if that has `enforcement: coa` and a loopback address. It accounts
 * with `accounting`, if that is given.
 * @returns undefined for any other NAS, or when the port is in use.
 */
export async function startBuiltInNas(
  { name, address, enforcement, dialect, options }: Nas,
  secrets: readonly Secret[],
  onRecord: (entry: NasRecord) => void,
  accounting?: NasAccountingOptions,
): Promise<BuiltInNas | undefined> {
  if (enforcement !== 'coa' || !/^(127\.|::1$)/.test(address.address)) return undefined;
  const nas = await unlessTaken(
    startScriptedNas({
      address,
      secrets,
      dialect,
      dialectOptions: options,
      accounting,
      now: Date.now,
      onRecord,
    }),
  );
  return nas && { name, ...nas };
}
