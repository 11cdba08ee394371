// What the histories are played with: a NAS of each kind, and services that exclude one another in every way there is.
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { formatEndpoint } from '../../../core/endpoint.ts';
import type { KnownNas } from '../../../core/nas.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { nameOf, parseActivation } from '../../../core/services/activation.ts';
import type { ServiceTerms } from '../../../core/services/terms.ts';
import { type RelaySite, resolveSite } from '../../../relay/site/site.ts';

/**
 * Two groups and a service in both of them, one that refuses newcomers, one of which unknown members are deactivated, one
 * service in none, and one that ends.
 */
const SERVICES = `
services:
  gold: { mutexGroup: 1, statistics: time }
  silver: { mutexGroup: 1, statistics: time+volume }
  tiered: { mutexGroup: 1, parameters: [inputBW, outputBW], statistics: time }
  video: { mutexGroup: 2, statistics: time }
  trial: { mutexGroup: 2, statistics: time, timeoutSeconds: 120 }
  bundle: { mutexGroup: [1, 2] }
  voice: { statistics: time }
  static-ip: { mutexGroup: 3, statistics: time }
  public-ip: { mutexGroup: 3 }
  guest: { mutexGroup: 4 }
  portal: { mutexGroup: 4, statistics: time }
groups: { 3: { policy: refuse }, 4: { unknownMembers: deactivate } }
`;

export const ACTIVATIONS = [
  'gold',
  'silver',
  'tiered(1000,2000)',
  'tiered(3000,4000)',
  'video',
  'trial',
  'bundle',
  'voice',
  'static-ip',
  'public-ip',
  'guest',
  'portal',
] as const;

/** What an Access-Accept may have given, as the NAS spells it. The catalogue does not define the last one. */
export const FROM_LOG_IN = [
  'gold',
  'tiered(5000, 6000)',
  'video',
  'guest',
  'voice',
  'http(192.0.2.80, 80)',
] as const;

/** What a NAS does beyond its dialect. */
export interface NasManners {
  /** Refuses to activate what is there. */
  readonly isStrict?: true;
  /** Refuses to activate a second member of a mutex group. */
  readonly refusesCoexistence?: true;
  /** A bare name deactivates every service of that name, whatever its parameters. */
  readonly knowsBareNames?: true;
  /** Sends Acct-Start and Acct-Stop for the services that it has, and not for its subscriber sessions alone. */
  readonly accountsServices?: true;
  /** Has services from log-in. Where the dialect lists all that a session has, a NAS cannot have any besides. */
  readonly hasLogInServices?: true;
}

interface Manners extends NasManners {
  /** What the site file says of the NAS. */
  readonly file: string;
  /** What it says besides. */
  readonly site?: string;
}

/** By the name of the site, which has one NAS. */
const NASES = {
  erx: { file: 'dialect: erx, enforcement: coa', knowsBareNames: true, hasLogInServices: true },
  'erx-strict': {
    file: 'dialect: erx, enforcement: coa, options: { tagDeactivations: true }',
    isStrict: true,
    hasLogInServices: true,
  },
  'erx-together': { file: 'dialect: erx, enforcement: coa, order: together', hasLogInServices: true },
  'erx-alone': {
    file: 'dialect: erx, enforcement: coa, order: deactivate-first',
    refusesCoexistence: true,
    hasLogInServices: true,
  },
  cisco: { file: 'dialect: cisco, enforcement: coa', hasLogInServices: true },
  'cisco-alone': {
    file: 'dialect: cisco, enforcement: coa, order: deactivate-first',
    isStrict: true,
    refusesCoexistence: true,
    hasLogInServices: true,
  },
  generic: { file: 'dialect: generic, enforcement: coa' },
  'generic-together': { file: 'dialect: generic, enforcement: coa, order: together' },
  'generic-one': {
    file: 'dialect: generic, enforcement: coa, order: together, options: { oneAtATime: true }',
  },
  untold: { file: 'enforcement: none' },
} as const satisfies Readonly<Record<string, Manners>>;
/** As above, with NASes that send Interlock what they account. `site` goes into the site file. */
const ACCOUNTING_NASES = {
  fed: { file: 'dialect: erx, enforcement: coa', knowsBareNames: true, hasLogInServices: true },
  'fed-nas': {
    file: 'dialect: erx, enforcement: coa, serviceAccounting: nas',
    accountsServices: true,
    hasLogInServices: true,
  },
  'fed-opened': {
    file: 'dialect: erx, enforcement: coa, serviceAccounting: nas',
    site: 'sessions: accounting',
    accountsServices: true,
    hasLogInServices: true,
  },
  'fed-cisco': {
    file: 'dialect: cisco, enforcement: coa, serviceAccounting: nas',
    accountsServices: true,
    hasLogInServices: true,
  },
  'fed-generic': { file: 'dialect: generic, enforcement: coa', site: 'sessions: accounting' },
  'fed-untold': { file: 'enforcement: none' },
} as const satisfies Readonly<Record<string, Manners>>;
/** The Error-Cause with which a NAS refuses at will. */
export const NAS_REFUSAL = ERROR_CAUSE['Session-Context-Not-Removable'];

export type SiteName = keyof typeof NASES | keyof typeof ACCOUNTING_NASES;
export const SITES = Object.keys(NASES) as SiteName[];
/** Those whose NAS sends what it accounts. */
export const SITES_WITH_A_FEED = Object.keys(ACCOUNTING_NASES) as SiteName[];
const ALL_NASES: Readonly<Record<SiteName, Manners>> = { ...NASES, ...ACCOUNTING_NASES };
const ALL_SITES = [...SITES, ...SITES_WITH_A_FEED];

/** Whether the NAS of a site sends what it accounts. */
export const hasFeed = (site: SiteName): boolean => SITES_WITH_A_FEED.includes(site);

/** Addresses of RFC 5737. */
export const HOSTS = {
  relay: { address: '192.0.2.10', port: 3799 },
  standBy: { address: '192.0.2.11', port: 3799 },
  client: { address: '198.51.100.7', port: 4000 },
  relayAccounting: { address: '192.0.2.10', port: 1813 },
  nas: { address: '203.0.113.1', port: 3799 },
  nasAccounting: { address: '203.0.113.1', port: 1646 },
  accounting: { address: '203.0.113.9', port: 1813 },
} as const;
const SECRETS = {
  client: 'a secret of twenty-four.',
  nas: 'between relay and NAS...',
  accounting: 'between relay and server',
  feed: 'from the NAS to the relay',
} as const;
export const SECRET = {
  client: prepareSecret(SECRETS.client),
  nas: prepareSecret(SECRETS.nas),
  accounting: prepareSecret(SECRETS.accounting),
  feed: prepareSecret(SECRETS.feed),
} as const;

const feedText = `  accounting: "${formatEndpoint(HOSTS.relayAccounting)}"
accountingFrom: [{ name: nas, source: ${HOSTS.nasAccounting.address}, secret: ${SECRETS.feed}, mode: copy }]`;

/** Sites whose clients give up soon. Where all did, most requests would do nothing: a message that fails comes late. */
const IMPATIENT: readonly SiteName[] = ['erx', 'cisco-alone', 'generic-one', 'fed'];

const siteText = (site: SiteName) => `
site: ${site}
clientPatienceSeconds: ${IMPATIENT.includes(site) ? 10 : 120}
relay:
  coa: "${formatEndpoint(HOSTS.relay)}"
  http: "192.0.2.10:9464"
${hasFeed(site) ? feedText : ''}
${ALL_NASES[site].site ?? ''}
clients: [{ name: policy, source: ${HOSTS.client.address}, secret: ${SECRETS.client} }]
accounting: [{ address: "${formatEndpoint(HOSTS.accounting)}", secret: ${SECRETS.accounting} }]
nases:
  - name: bng-${site}
    address: "${formatEndpoint(HOSTS.nas)}"
    secret: ${SECRETS.nas}
    identifiedBy: [bng-${site}]
    ${ALL_NASES[site].file.replaceAll(', ', '\n    ')}
`;

export const deployment = deploymentOf(
  parseServicesFile('services.yaml', SERVICES),
  ALL_SITES.map((site) => parseSiteFile(`${site}.yaml`, siteText(site))),
);

const noStoredSecrets = () => Promise.reject(new Error('there are no stored secrets'));
const relaySites = new Map<string, RelaySite>(
  await Promise.all(
    ALL_SITES.map(
      async (site) =>
        [
          site,
          await resolveSite(`${site}.yaml`, siteText(site), {}, () => undefined, noStoredSecrets),
        ] as const,
    ),
  ),
);

/** The site file as the relay of the site reads it. */
export function relaySiteOf(site: SiteName): RelaySite {
  const relaySite = relaySites.get(site);
  if (relaySite === undefined) throw new Error(`there is no site ${site}`);
  return relaySite;
}

export function nasOf(site: SiteName): KnownNas['profile'] {
  const [nas] = deployment.nasesBySite[site] ?? [];
  if (nas === undefined) throw new Error(`the site ${site} has no NAS`);
  return nas.profile;
}

export function mannersOf(site: SiteName): NasManners {
  const { file: _, site: __, ...manners } = ALL_NASES[site];
  return manners;
}

/** The canonical form of an activation string. */
export function canonical(spelling: string): string {
  const parsed = parseActivation(spelling);
  if (!parsed.ok) throw new Error(`${spelling}: ${parsed.reason}`);
  return parsed.activation.canonical;
}

const UNDEFINED = { groups: [], statistics: 'off', timeoutSeconds: 0 } as const;

/** What the catalogue says of an activation: nothing where it does not define the service. */
export function termsOf(activation: string): Pick<ServiceTerms, 'groups' | 'statistics' | 'timeoutSeconds'> {
  return deployment.catalogue.services[nameOf(activation)] ?? UNDEFINED;
}

/** Whether two services exclude one another; `among`: in these groups only. */
export function areExclusive(one: string, other: string, among?: readonly number[]): boolean {
  return termsOf(one).groups.some(
    (group) => termsOf(other).groups.includes(group) && (among?.includes(group) ?? true),
  );
}
