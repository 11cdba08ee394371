// Peers are other people's programs on this machine that a test speaks with. Where one is missing, its tests are
// skipped and say so; with INTERLOCK_REQUIRE_PEERS=1, as in CI, it has to be there.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Peer {
  readonly skip: boolean;
  /** The name of a test or suite, with the reason when it is skipped. */
  title(text: string): string;
}

/**
 * To be used as `describe.skipIf(radclient.skip)(radclient.title('encodes like radclient'), …)`.
 * @throws Error when the peer is missing and INTERLOCK_REQUIRE_PEERS=1.
 */
export function peer(name: string, isPresent: boolean): Peer {
  if (!isPresent && process.env['INTERLOCK_REQUIRE_PEERS'] === '1') {
    throw new Error(`INTERLOCK_REQUIRE_PEERS=1, but there is no ${name} on this machine`);
  }
  return { skip: !isPresent, title: (text) => (isPresent ? text : `${text} (skipped: needs ${name})`) };
}

/** Whether `command` can be run from the PATH. */
export function isInstalled(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
