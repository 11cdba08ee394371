import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../core/config/problems.ts';
import { parseServicesFile } from '../core/config/services-file.ts';
import { parseSiteFile } from '../core/config/site-file.ts';
import { type Deployment, deploymentOf, sharedNasNames } from '../core/deployment.ts';

/**
 * Reads `services.yaml` and `sites/*.yaml` in `directory`. What it gives holds no secret.
 * @throws ConfigurationError naming file, line, path and what was expected.
 */
export function readDeployment(directory: string): Deployment {
  const read = (file: string) => readFileSync(join(directory, file), 'utf8');
  const siteFiles = readdirSync(join(directory, 'sites')).filter((file) => file.endsWith('.yaml'));
  const sites = siteFiles.map((name) => {
    const file = join('sites', name);
    const site = parseSiteFile(file, read(file));
    // So that no two files describe the same site.
    if (`${site.site}.yaml` !== name) {
      throw new ConfigurationError([`${file}: site: expected ${name.slice(0, -5)}, like the file's name`]);
    }
    return site;
  });
  const shared = sharedNasNames(sites);
  if (shared.length > 0) {
    throw new ConfigurationError(shared.map((name) => `sites: the NAS name ${name} is used by two sites`));
  }
  return deploymentOf(parseServicesFile('services.yaml', read('services.yaml')), sites);
}
