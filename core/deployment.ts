// What decide is deployed with: the catalogue, and the NASes of each site. Secrets, addresses and clients stay at the
// sites.

import type { Nas, Site } from './config/site-file.ts';
import { NAS_IDENTITY_ATTRIBUTES, type NasIdentity, nasIdentityAttributeOf } from './identity.ts';
import type { KnownNas, NasProfile } from './nas.ts';
import type { Catalogue } from './services/catalogue.ts';

export interface Deployment {
  readonly catalogue: Catalogue;
  readonly nasesBySite: Readonly<Record<string, readonly KnownNas[]>>;
}

/** Takes from the site files what decide needs. */
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

/** The NAS names that occur more than once. The key of a session has the name of its NAS, so each must be unique. */
export function sharedNasNames(sites: readonly Site[]): readonly string[] {
  const names = sites.flatMap(({ nases }) => nases.map(({ name }) => name));
  return [...new Set(names.filter((name, index) => names.indexOf(name) < index))];
}

function profileOf(site: string, nas: Nas): NasProfile {
  const { name, identifiedBy, enforcement, dialect, options, answerTimeoutSeconds } = nas;
  return {
    site,
    name,
    identity: identityOf(identifiedBy),
    enforcement,
    dialect,
    options,
    answerTimeoutSeconds,
  };
}

/** The first value of each attribute. */
function identityOf(identifiedBy: readonly string[]): NasIdentity {
  return Object.fromEntries(
    NAS_IDENTITY_ATTRIBUTES.flatMap((attribute) => {
      const value = identifiedBy.find((candidate) => nasIdentityAttributeOf(candidate) === attribute);
      return value === undefined ? [] : [[attribute, value]];
    }),
  );
}
