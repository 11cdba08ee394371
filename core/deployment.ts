// The configuration that decide is deployed with. Secrets, addresses and clients stay at the sites.

import type { Nas, Site } from './config/site-file.ts';
import { NAS_IDENTITY_ATTRIBUTES, type NasIdentity, nasIdentityAttributeOf } from './identity.ts';
import type { KnownNas, NasProfile } from './nas.ts';
import type { Catalogue } from './services/catalogue.ts';

/** The catalogue, and the NASes of each site. */
export interface Deployment {
  readonly catalogue: Catalogue;
  readonly nasesBySite: Readonly<Record<string, readonly KnownNas[]>>;
  /** `false`: no name or address of a subscriber is logged. The functions serve all sites, so one of them says so for all. */
  readonly logIdentity?: false;
}

/** The part of the catalogue and of the site files that decide needs. */
export function deploymentOf(catalogue: Catalogue, sites: readonly Site[]): Deployment {
  return {
    catalogue,
    nasesBySite: Object.fromEntries(
      sites.map(({ site, sessions, nases }) => [
        site,
        nases.map((nas) => ({
          profile: { ...profileOf(site, nas), sessions },
          identifiedBy: nas.identifiedBy,
          formerly: nas.formerly,
        })),
      ]),
    ),
    ...(sites.some(({ logIdentity }) => !logIdentity) && { logIdentity: false }),
  };
}

/** The name of each NAS today, by each name under which its sessions may be stored. */
export function nasNames({ nasesBySite }: Deployment): ReadonlyMap<string, string> {
  return new Map(
    Object.values(nasesBySite).flatMap((nases) =>
      nases.flatMap(({ profile: { name }, formerly }) =>
        [name, ...formerly].map((stored) => [stored, name] as const),
      ),
    ),
  );
}

/** The site of each NAS today, by each name under which its sessions may be stored. */
export function nasSites({ nasesBySite }: Pick<Deployment, 'nasesBySite'>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(nasesBySite).flatMap(([site, nases]) =>
      nases.flatMap(({ profile: { name }, formerly }) =>
        [name, ...formerly].map((stored) => [stored, site] as const),
      ),
    ),
  );
}

function profileOf(site: string, nas: Nas): Omit<NasProfile, 'sessions'> {
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
