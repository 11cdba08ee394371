// What an operator should know of a configuration that is valid, of who may touch what. Every line is `file:line: path: what
// follows`.
import type { Catalogue } from '../services/catalogue.ts';
import type { ParsedFile } from './problems.ts';
import type { Site } from './site-file.ts';

const RIGHTS = ['nases', 'realms', 'services', 'operations'] as const;

/** Of each client that may touch everything, where the site has several. */
export function clientWarnings({ value: { clients }, problem }: ParsedFile<Site>): readonly string[] {
  if (clients.length < 2) return [];
  return clients.flatMap((client, index) =>
    RIGHTS.every((key) => client[key] === undefined)
      ? [
          problem(
            ['clients', index],
            `${client.name} may switch and disconnect every subscriber of the site: nases, realms, services and operations restrict a client`,
          ),
        ]
      : [],
  );
}

/** Of each service that a client may touch and the catalogue does not define: it may be one from log-in, or a mistake. */
export function unknownServiceWarnings(
  { value: { clients }, problem }: ParsedFile<Site>,
  { services }: Catalogue,
): readonly string[] {
  return clients.flatMap((client, index) =>
    (client.services ?? []).flatMap((name, position) =>
      Object.hasOwn(services, name)
        ? []
        : [
            problem(
              ['clients', index, 'services', position],
              `the catalogue has no service ${name}: ${client.name} may deactivate it where a NAS has it from log-in, and nothing else`,
            ),
          ],
    ),
  );
}
