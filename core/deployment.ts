// The configuration that decide is deployed with. Secrets, addresses and clients stay at the sites.

import type { Nas, Site } from './config/site-file.ts';
import { NAS_IDENTITY_ATTRIBUTES, type NasIdentity, nasIdentityAttributeOf } from './identity.ts';
import type { KnownNas, NasProfile } from './nas.ts';
import type { Catalogue } from './services/catalogue.ts';

/** The catalogue, and the NASes of each site. */
export interface Deployment {
  readonly catalogue: Catalogue;
  readonly nasesBySite: Readonly<Record<string, readonly KnownNas[]>>;
}

/** The part of the catalogue and of the site files that decide needs. */
export function deploymentOf(catalogue: Catalogue, sites: readonly Site[]): Deployment {
  return {
    catalogue,
    nasesBySite: Object.fromEntries(
      sites.map(({ site, nases }) => [
        site,
        nases.map((nas) => ({ profile: profileOf(site, nas), identifiedBy: nas.identifiedBy })),
      ]),
    ),
  };
}

/**
 * The names that several NASes have, each once. The key of a session contains the name of its NAS, so the name must be
 * unique in the deployment.
 */
export function sharedNasNames(sites: readonly Site[]): readonly string[] {
  const names = sites.flatMap(({ nases }) => nases.map(({ name }) => name));
  return [...new Set(names.filter((name, index) => names.indexOf(name) < index))];
}

function profileOf(site: string, nas: Nas): NasProfile {
  const {
    name,
    identifiedBy,
    enforcement,
    dialect,
    order,
    serviceAccounting,
    options,
    answerTimeoutSeconds,
  } = nas;
  return {
    site,
    name,
    identity: identityOf(identifiedBy),
    enforcement,
    dialect,
    order,
    serviceAccounting,
    options,
    answerTimeoutSeconds,
  };
}

/** The first value of each NAS identification attribute. */
function identityOf(identifiedBy: readonly string[]): NasIdentity {
  return Object.fromEntries(
    NAS_IDENTITY_ATTRIBUTES.flatMap((attribute) => {
      const value = identifiedBy.find((candidate) => nasIdentityAttributeOf(candidate) === attribute);
      return value === undefined ? [] : [[attribute, value]];
    }),
  );
}
