// What an operator should know of a configuration that is valid, of who accounts services. Every line is
// `file:line: path: what follows`.
import { tellsStatistics } from '../dialects/dialects.ts';
import type { Catalogue } from '../services/catalogue.ts';
import { ConfigurationError, type ParsedFile } from './problems.ts';
import type { Site } from './site-file.ts';

/** Of each NAS that accounts its services itself. */
export function nasAccountingWarnings({ value: { nases }, problem }: ParsedFile<Site>): readonly string[] {
  return nases.flatMap((nas, index) => {
    if (nas.serviceAccounting !== 'nas') return [];
    const consequences = [
      `Interlock sends no Acct-Start and no Acct-Stop for ${nas.name}`,
      'does not see those of the NAS',
      ...(tellsStatistics(nas) ? [] : ['cannot tell it of statistics, interval or volume']),
    ];
    return [problem(['nases', index, 'serviceAccounting'], consequences.join(', and '))];
  });
}

/**
 * Of each service with a volume and each NAS that is not told of it, where an activation is refused.
 * @throws ConfigurationError with the same lines where that is every NAS.
 */
export function volumeWarnings(
  { value: { services }, problem }: ParsedFile<Catalogue>,
  sites: readonly Site[],
): readonly string[] {
  const nases = sites.flatMap((site) => site.nases);
  const untold = nases.filter((nas) => nas.serviceAccounting !== 'nas' || !tellsStatistics(nas));
  const limited = Object.entries(services).filter(([, { volumeMegabytes }]) => volumeMegabytes > 0);
  const warnings = limited.flatMap(([name]) =>
    untold.map((nas) =>
      problem(
        ['services', name, 'volumeMegabytes'],
        `${nas.name} is not told of it (${whyUntold(nas)}), so that its activation there gets CoA-NAK 501`,
      ),
    ),
  );
  if (warnings.length > 0 && untold.length === nases.length) throw new ConfigurationError(warnings);
  return warnings;
}

function whyUntold({ serviceAccounting, enforcement, dialect }: Site['nases'][number]): string {
  if (serviceAccounting === 'interlock') return 'serviceAccounting: interlock';
  return enforcement === 'none' ? 'enforcement: none' : `dialect: ${dialect}`;
}
