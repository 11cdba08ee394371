import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../core/config/problems.ts';
import { parseServicesFile } from '../core/config/services-file.ts';
import { parseSiteFile } from '../core/config/site-file.ts';
import { type Deployment, deploymentOf, sharedNasNames } from '../core/deployment.ts';
import { outlineOf, type SiteOutline } from './site-outline.ts';

export interface DeploymentAndSites {
  /** What decide is deployed with. */
  readonly deployment: Deployment;
  readonly sites: readonly SiteOutline[];
}

/**
 * Reads `services.yaml` and `sites/*.yaml` in `directory`. What it gives holds no secret.
 * @throws ConfigurationError naming file, line, path and what was expected.
 */
export function readDeployment(directory: string): DeploymentAndSites {
  const read = (file: string) => readWith((path) => readFileSync(path, 'utf8'), join(directory, file));
  const siteFiles = readWith((path) => readdirSync(path), join(directory, 'sites')).filter((file) =>
    file.endsWith('.yaml'),
  );
  const files = siteFiles.map((name) => {
    const file = join('sites', name);
    const text = read(file);
    const site = parseSiteFile(file, text);
    // So that no two files describe the same site.
    if (`${site.site}.yaml` !== name) {
      throw new ConfigurationError([`${file}: site: expected ${name.slice(0, -5)}, like the file's name`]);
    }
    return { site, text };
  });
  const sites = files.map(({ site }) => site);
  const shared = sharedNasNames(sites);
  if (shared.length > 0) {
    throw new ConfigurationError(shared.map((name) => `sites: the NAS name ${name} is used by two sites`));
  }
  return {
    deployment: deploymentOf(parseServicesFile('services.yaml', read('services.yaml')), sites),
    sites: files.map(({ site, text }) => outlineOf(site, text)),
  };
}

function readWith<T>(read: (path: string) => T, path: string): T {
  try {
    return read(path);
  } catch (error) {
    throw new ConfigurationError([`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`]);
  }
}
