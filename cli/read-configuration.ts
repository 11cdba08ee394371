// Reads the configuration files of a deployment, or those that a running system was started with.
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type Configuration,
  type ConfigurationFile,
  parseConfiguration,
} from '../core/config/configuration.ts';
import { ConfigurationError } from '../core/config/problems.ts';

/** Paths of a services file and of site files; of a site file also the name that its site must have, if it must. */
export interface ConfigurationPaths {
  readonly services: string;
  readonly sites: readonly Pick<ConfigurationFile, 'file' | 'site'>[];
}

/** `services.yaml` and `sites/*.yaml` in a directory. @throws ConfigurationError when it cannot be read */
export async function pathsIn(directory: string): Promise<ConfigurationPaths> {
  const folder = join(directory, 'sites');
  const names = await readdir(folder).catch((error) => cannotRead(folder, error));
  const sites = names
    .filter((name) => name.endsWith('.yaml') && !name.startsWith('.'))
    .sort()
    .map((name) => ({ file: join(folder, name), site: basename(name, '.yaml') }));
  if (sites.length === 0) {
    throw new ConfigurationError([`${folder}: expected at least one site file, such as demo.yaml`]);
  }
  return { services: join(directory, 'services.yaml'), sites };
}

/** @throws ConfigurationError naming file, line, path and what was expected, for everything that is wrong */
export async function readConfiguration({ services, sites }: ConfigurationPaths): Promise<Configuration> {
  const read = async ({ file, ...named }: Pick<ConfigurationFile, 'file' | 'site'>) => ({
    file,
    text: await readFile(file, 'utf8').catch((error) => cannotRead(file, error)),
    ...named,
  });
  return parseConfiguration(await read({ file: services }), await Promise.all(sites.map(read)));
}

function cannotRead(path: string, { code }: NodeJS.ErrnoException): never {
  throw new ConfigurationError([`${path}: cannot be read (${code})`]);
}
