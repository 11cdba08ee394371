import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfiguration } from '../core/config/configuration.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { type Deployment, deploymentOf } from '../core/deployment.ts';
import { outlineOf, type SiteOutline } from './site-outline.ts';

export interface DeploymentAndSites {
  /** What decide is deployed with. */
  readonly deployment: Deployment;
  readonly sites: readonly SiteOutline[];
}

/** What the configuration describes, and what an operator should know of it. */
export interface ReadDeployment extends DeploymentAndSites {
  /** `file:line: path: what follows`. */
  readonly warnings: readonly string[];
}

/**
 * Reads `services.yaml` and `sites/*.yaml` in `directory`. The result holds no secret. Any other file in `sites` is
 * refused, except hidden ones: a site that is overlooked would lose its queues.
 * @throws ConfigurationError naming file, line, path and what was expected.
 */
export function readDeployment(directory: string): ReadDeployment {
  const folder = join(directory, 'sites');
  const names = readWith((path) => readdirSync(path), folder).filter((name) => !name.startsWith('.'));
  const others = names.filter((name) => !name.endsWith('.yaml'));
  if (others.length > 0) {
    throw new ConfigurationError(
      others.map((name) => `${join(folder, name)}: expected nothing but site files, such as demo.yaml`),
    );
  }
  if (names.length === 0) {
    throw new ConfigurationError([`${folder}: expected at least one site file, such as demo.yaml`]);
  }
  const services = join(directory, 'services.yaml');
  const files = names.map((name) => {
    const file = join(folder, name);
    return { file, text: read(file), site: name.slice(0, -'.yaml'.length) };
  });
  const { catalogue, sites, warnings } = parseConfiguration({ file: services, text: read(services) }, files);
  return {
    deployment: deploymentOf(catalogue, sites),
    warnings,
    sites: sites.map((site, index) => outlineOf(site, files[index]?.text ?? '')),
  };
}

const read = (path: string) => readWith((path) => readFileSync(path, 'utf8'), path);

function readWith<T>(read: (path: string) => T, path: string): T {
  try {
    return read(path);
  } catch (error) {
    throw new ConfigurationError([`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`]);
  }
}
