// All files of a deployment together: the services file and the site files.
import type { Catalogue } from '../services/catalogue.ts';
import { nasAccountingWarnings, volumeWarnings } from './accounting-warnings.ts';
import { clientWarnings, unknownServiceWarnings } from './client-warnings.ts';
import { ConfigurationError } from './problems.ts';
import { parseServicesWithPlaces } from './services-file.ts';
import { parseSiteWithPlaces, type Site } from './site-file.ts';

/** A configuration file, read. */
export interface ConfigurationFile {
  /** Its path, for errors. */
  readonly file: string;
  readonly text: string;
  /** Of a site file, the name that its site must have, so that no two files describe one site. @default any */
  readonly site?: string;
}

/** What the files of a deployment say. */
export interface Configuration {
  readonly catalogue: Catalogue;
  /** In the order of the files. */
  readonly sites: readonly Site[];
  /** What an operator should know of it. Each is `file:line: path: what follows`. */
  readonly warnings: readonly string[];
}

/**
 * Parses the files of a deployment, each by itself and then together: the name of a NAS, and each that it had before, is
 * in the keys of its sessions, so it belongs to one NAS of all sites.
 * @throws ConfigurationError naming file, line, path and what was expected, for everything that is wrong.
 */
export function parseConfiguration(
  services: ConfigurationFile,
  siteFiles: readonly ConfigurationFile[],
): Configuration {
  const problems: string[] = [];
  const parsed = <T>(
    parse: (file: string, text: string) => T,
    { file, text }: ConfigurationFile,
  ): readonly T[] => {
    try {
      return [parse(file, text)];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  };
  const [catalogueFile] = parsed(parseServicesWithPlaces, services);
  const parsedSites = siteFiles.flatMap((one) => parsed(parseSiteWithPlaces, one));
  const sites = parsedSites.map(({ value }) => value);
  if (catalogueFile === undefined || problems.length > 0) throw new ConfigurationError(problems);
  for (const [index, { file, site: expected }] of siteFiles.entries()) {
    if (expected !== undefined && sites[index]?.site !== expected)
      problems.push(`${file}: site: expected ${expected}, like the file's name`);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);

  const holders = new Map<string, string>();
  for (const [index, { nases }] of sites.entries()) {
    const { file = '' } = siteFiles[index] ?? {};
    for (const name of nases.flatMap((nas) => [nas.name, ...nas.formerly])) {
      const holder = holders.get(name) ?? file;
      holders.set(name, holder);
      if (holder !== file) problems.push(`${file}: nases: the name ${name} is already taken in ${holder}`);
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return {
    catalogue: catalogueFile.value,
    sites,
    warnings: [
      ...volumeWarnings(catalogueFile, sites),
      ...parsedSites.flatMap(nasAccountingWarnings),
      ...parsedSites.flatMap(clientWarnings),
      ...parsedSites.flatMap((site) => unknownServiceWarnings(site, catalogueFile.value)),
    ],
  };
}
