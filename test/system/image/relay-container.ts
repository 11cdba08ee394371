// The relay in its container, with as little as it can live on.
import { readFile } from 'node:fs/promises';
import type { Podman } from './podman.ts';
import { RELAY_IMAGE } from './relay-image.ts';

const NAME = 'interlock-relay-test';

const CONFINEMENT = [
  '--network=host',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  '--memory=128m',
  '--pids-limit=64',
  '--read-only',
  // Podman would add a /tmp to write to and an /etc/passwd with the user. Docker does not.
  '--read-only-tmpfs=false',
  '--passwd=false',
  // The usual ones are more than a container can give that is in a container itself.
  '--ulimit=nofile=1024:1024',
  '--ulimit=nproc=1024:1024',
  // Podman has systemd ask how it is. Where there is none, whoever wants to know asks.
  '--no-healthcheck',
];

/** Arguments of Podman that run the relay with a site file. `options` are more of `podman run`. */
export function runRelay(siteFile: string, options: readonly string[]): readonly string[] {
  const volume = `--volume=${siteFile}:/etc/interlock/site.yaml:ro`;
  return ['run', '--rm', `--name=${NAME}`, ...CONFINEMENT, volume, ...options, RELAY_IMAGE];
}

/** Runs one more command in the container. @throws Error with the exit code and what was printed when it fails. */
export async function execInRelay(
  podman: Podman,
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`);
  await podman.call('exec', ...env, NAME, ...command);
}

/** What the kernel says of the relay's process, by the names in proc_pid_status(5). */
export async function relayStatus(podman: Podman): Promise<ReadonlyMap<string, string>> {
  const pid = await podman.call('inspect', '--format={{.State.Pid}}', NAME);
  const status = await readFile(`/proc/${pid.trim()}/status`, 'utf8');
  return new Map([...status.matchAll(/^(\w+):\s+(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
}
