// What the histories are played with: a NAS of each kind, and services that exclude one another in every way there is.
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import type { KnownNas } from '../../../core/nas.ts';
import type { ServiceTerms } from '../../../core/services/terms.ts';

/** Two groups and a service in both of them, one that refuses newcomers, one service in none, and one that ends. */
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
groups: { 3: { policy: refuse } }
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
] as const;

/** By the name of the site, which has one NAS. */
const NASES = {
  erx: 'dialect: erx, enforcement: coa',
  'erx-tags': 'dialect: erx, enforcement: coa, options: { tagDeactivations: true }',
  cisco: 'dialect: cisco, enforcement: coa',
  generic: 'dialect: generic, enforcement: coa',
  untold: 'enforcement: none',
} as const;
export type SiteName = keyof typeof NASES;
export const SITES = Object.keys(NASES) as SiteName[];

export const deployment = deploymentOf(
  parseServicesFile('services.yaml', SERVICES),
  SITES.map((site) =>
    parseSiteFile(
      `${site}.yaml`,
      `
site: ${site}
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.1, secret: a secret of twenty-four. }]
nases:
  - { name: bng-${site}, address: "192.0.2.1:3799", secret: none, identifiedBy: [bng-${site}], ${NASES[site]} }
`,
    ),
  ),
);

export function nasOf(site: SiteName): KnownNas['profile'] {
  const [nas] = deployment.nasesBySite[site] ?? [];
  if (nas === undefined) throw new Error(`the site ${site} has no NAS`);
  return nas.profile;
}

/** What the catalogue says of an activation. */
export function termsOf(activation: string): Pick<ServiceTerms, 'groups' | 'statistics' | 'timeoutSeconds'> {
  const terms = deployment.catalogue.services[activation.replace(/\(.*/, '')];
  if (terms === undefined) throw new Error(`there is no service ${activation}`);
  return terms;
}

/** Whether two services exclude one another; `among`: in these groups only. */
export function areExclusive(one: string, other: string, among?: readonly number[]): boolean {
  return termsOf(one).groups.some(
    (group) => termsOf(other).groups.includes(group) && (among?.includes(group) ?? true),
  );
}
