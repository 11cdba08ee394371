// A NAS for a machine that has none.
import type { Nas } from '../../core/config/site-file.ts';
import type { Secret } from '../../core/radius/authenticator.ts';
import { type NasRecord, type ScriptedNas, startScriptedNas } from './scripted-nas.ts';
import { unlessTaken } from './unless-taken.ts';

export interface BuiltInNas extends ScriptedNas {
  /** Of the NAS in the site file whose place it takes. */
  readonly name: string;
}

/**
 * Takes the place of a NAS of the site file that has to be told and would be on this machine, on a loopback address.
 * @returns undefined when it is another kind of NAS, or when somebody listens there.
 */
export async function startBuiltInNas(
  { name, address, enforcement, dialect }: Nas,
  secrets: readonly Secret[],
  onRecord: (entry: NasRecord) => void,
): Promise<BuiltInNas | undefined> {
  if (enforcement !== 'coa' || !/^(127\.|::1$)/.test(address.address)) return undefined;
  const nas = await unlessTaken(startScriptedNas({ address, secrets, dialect, now: Date.now, onRecord }));
  return nas && { name, ...nas };
}
