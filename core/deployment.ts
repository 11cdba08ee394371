// What the cloud knows of the sites and services that it serves: the part of the two kinds of file that decide needs.
// Secrets, addresses and clients stay at the sites.

import type { Nas, Site } from './config/site-file.ts';
import { isIpv6 } from './radius/value-types.ts';
import type { Catalogue } from './services/catalogue.ts';
import type { NasProfile } from './subscriber/session.ts';

/** A NAS of one site, and all the NAS-IP-Address, NAS-IPv6-Address and NAS-Identifier values that mean it. */
export interface KnownNas {
  readonly profile: NasProfile;
  readonly identifiedBy: readonly string[];
}

export interface Deployment {
  readonly catalogue: Catalogue;
  readonly nasesBySite: Readonly<Record<string, readonly KnownNas[]>>;
}

/** Puts together what decide is deployed with. */
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

/** A session's key holds the name of its NAS, so two sites must not use the same one. */
export function sharedNasNames(sites: readonly Site[]): readonly string[] {
  const names = sites.flatMap(({ nases }) => nases.map(({ name }) => name));
  return [...new Set(names.filter((name, index) => names.indexOf(name) < index))];
}

function profileOf(site: string, nas: Nas): NasProfile {
  const first = (kind: keyof NasProfile['identity']) => {
    const value = nas.identifiedBy.find((candidate) => identityKind(candidate) === kind);
    return value === undefined ? {} : { [kind]: value };
  };
  const { name, enforcement, dialect, tagDeactivations, answerTimeoutSeconds } = nas;
  const identity = { ...first('NAS-IP-Address'), ...first('NAS-IPv6-Address'), ...first('NAS-Identifier') };
  return { site, name, identity, enforcement, dialect, tagDeactivations, answerTimeoutSeconds };
}

function identityKind(value: string): keyof NasProfile['identity'] {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(value)) return 'NAS-IP-Address';
  return isIpv6(value) ? 'NAS-IPv6-Address' : 'NAS-Identifier';
}
