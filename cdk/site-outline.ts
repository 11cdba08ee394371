import { parse } from 'yaml';
import { type Site, secretsOf, type Vpc } from '../core/config/site-file.ts';

/** What the stack needs of a site. It holds no secret. */
export interface SiteOutline {
  readonly name: string;
  /** The name of the IAM role of its relay, if it runs at the site. */
  readonly relayRole: string;
  /** The secrets of Secrets Manager that the site file refers to. */
  readonly secretArns: readonly string[];
  /**
   * The relay, if the stack runs it.
   * @default it runs at the site
   */
  readonly relay?: RelayInVpc;
}

export interface RelayInVpc {
  readonly vpc: Vpc;
  /** All of its secrets are references to Secrets Manager. */
  readonly site: Site;
  /** The site file as JSON, which is YAML too and has no comments. */
  readonly siteFile: string;
}

/** Takes from a site file, given parsed and as its text, which has been read before, what is not secret. */
export function outlineOf(site: Site, text: string): SiteOutline {
  const arns = secretsOf(site).flatMap(({ reference }) => (reference.kind === 'stored' ? reference.arn : []));
  const { vpc, role: relayRole = `interlock-relay-${site.site}` } = site.relay;
  return {
    name: site.site,
    relayRole,
    secretArns: [...new Set(arns)],
    ...(vpc !== undefined && {
      relay: { vpc, site, siteFile: JSON.stringify(parse(text, { uniqueKeys: false })) },
    }),
  };
}
