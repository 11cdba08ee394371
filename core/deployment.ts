// The configuration that decide is deployed with. Secrets and addresses stay at the sites.
import type { ClientRights } from './client-rights.ts';
import type { Client, Nas, Site } from './config/site-file.ts';
import { NAS_IDENTITY_ATTRIBUTES, type NasIdentity, nasIdentityAttributeOf } from './identity.ts';
import type { KnownNas, NasProfile } from './nas.ts';
import type { Catalogue } from './services/catalogue.ts';

/** The catalogue, the NASes of each site, and what its clients may touch. */
export interface Deployment {
  readonly catalogue: Catalogue;
  readonly nasesBySite: Readonly<Record<string, readonly KnownNas[]>>;
  /** `false`: no name or address of a subscriber is logged. The functions serve all sites, so one of them says so for all. */
  readonly logIdentity?: false;
  /** By site, and then by the name of each client. Absent of a site that restricts none. */
  readonly rightsBySite?: Readonly<Record<string, Readonly<Record<string, ClientRights>>>>;
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
    rightsBySite: Object.fromEntries(
      sites.flatMap((site) => {
        const rights = site.clients.map((client) => [client.name, rightsIn(client, site.nases)] as const);
        const isRestricted = rights.some(([, one]) => Object.keys(one).length > 0);
        return isRestricted ? [[site.site, Object.fromEntries(rights)] as const] : [];
      }),
    ),
  };
}

/** A NAS may be listed by a name that it had before. */
function rightsIn({ nases, realms, services, operations }: Client, known: readonly Nas[]): ClientRights {
  const today = known
    .filter(({ name, formerly }) => [name, ...formerly].some((one) => nases?.includes(one)))
    .map(({ name }) => name);
  return {
    ...(nases !== undefined && { nases: today }),
    ...(realms !== undefined && { realms }),
    ...(services !== undefined && { services }),
    ...(operations !== undefined && { operations }),
  };
}

/** What a client of a site may touch; undefined if it is none of those that the site file named when it was deployed. */
export function rightsOf(
  { rightsBySite }: Pick<Deployment, 'rightsBySite'>,
  site: string,
  client: string,
): ClientRights | undefined {
  const clients = rightsBySite && Object.hasOwn(rightsBySite, site) ? rightsBySite[site] : undefined;
  if (clients === undefined) return {};
  return Object.hasOwn(clients, client) ? clients[client] : undefined;
}

/** The name of each NAS today, by each name under which its sessions may be stored. */
export const nasNames = byStoredName((_, today) => today);

/** The site of each NAS today, by each name under which its sessions may be stored. */
export const nasSites = byStoredName((site) => site);

type NasesBySite = Deployment['nasesBySite'];

/** Made once for a deployment: each message needs one, and each session that a look-up finds. */
function byStoredName(pick: (site: string, today: string) => string) {
  const made = new WeakMap<NasesBySite, ReadonlyMap<string, string>>();
  return ({ nasesBySite }: Pick<Deployment, 'nasesBySite'>): ReadonlyMap<string, string> => {
    const known = made.get(nasesBySite);
    if (known !== undefined) return known;
    const values = new Map(
      Object.entries(nasesBySite).flatMap(([site, nases]) =>
        nases.flatMap(({ profile: { name }, formerly }) =>
          [name, ...formerly].map((stored) => [stored, pick(site, name)] as const),
        ),
      ),
    );
    made.set(nasesBySite, values);
    return values;
  };
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
