// The requests that `npm start` suggests, as shell commands.

import type { Client, Feed } from '../../core/config/site-file.ts';
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import type { KnownNas } from '../../core/nas.ts';
import type { Catalogue } from '../../core/services/catalogue.ts';

export interface ExampleOptions {
  readonly coaAddress: Endpoint;
  readonly catalogue: Catalogue;
  /** The NASes of the site. */
  readonly nases: readonly KnownNas[];
  /** The client that requests from this machine belong to, if the site has one. */
  readonly client: Client | undefined;
}

/**
 * A shell command that activates a service with radclient. It has the client's secret if that is plain text in the site
 * file, else the word SECRET.
 */
export function exampleRequest({ coaAddress, catalogue, nases, client }: ExampleOptions): string {
  const attributes = [
    'User-Name = "client1@isp1.com"',
    'Acct-Session-Id = "0001"',
    ...nasIdentification(nases),
    `ERX-Service-Activate:1 += ${JSON.stringify(anyService(catalogue))}`,
  ];
  return command(attributes, coaAddress, 'coa', client?.secret);
}

export interface LogOnOptions {
  readonly accountingAddress: Endpoint;
  /** The NASes of the site. */
  readonly nases: readonly KnownNas[];
  /** The feed that records from this machine belong to, if the site has one. */
  readonly feed: Feed | undefined;
}

/** A shell command that logs a subscriber on with radclient, in the name of the first NAS. The secret is that of the feed. */
export function exampleLogOn({ accountingAddress, nases, feed }: LogOnOptions): string {
  const attributes = [
    'Acct-Status-Type = Start',
    'Acct-Session-Id = "a1"',
    'User-Name = "ann@isp"',
    ...nasIdentification(nases),
  ];
  return command(attributes, accountingAddress, 'acct', feed?.secret);
}

function command(
  attributes: readonly string[],
  destination: Endpoint,
  type: 'coa' | 'acct',
  [secret]: Client['secret'] = [],
): string {
  const spoken = secret?.kind === 'text' ? shellWord(secret.text) : 'SECRET';
  const to = formatEndpoint(reachable(destination));
  return `printf '%s\\n' ${attributes.map(shellWord).join(' ')} | radclient -x ${to} ${type} ${spoken}`;
}

/** The address at which a program on this machine reaches a server that listens on `address`. */
export function reachable({ address, port }: Endpoint): Endpoint {
  return { address: address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address, port };
}

/** Nothing where the site has one NAS only: a request need not name it. */
function nasIdentification(nases: readonly KnownNas[]): readonly string[] {
  const [nas, ...others] = nases;
  if (nas === undefined || others.length === 0) return [];
  return Object.entries(nas.profile.identity)
    .slice(0, 1)
    .map(([attribute, value]) => `${attribute} = ${JSON.stringify(value)}`);
}

/** Preferably a service without parameters: their values are not known here. */
function anyService({ services }: Catalogue): string {
  const entries = Object.entries(services);
  const [name, definition] =
    entries.find(([, { parameters }]) => parameters.length === 0) ?? entries[0] ?? [];
  const parameters = definition?.parameters ?? [];
  return parameters.length === 0 ? `${name}` : `${name}(${parameters.join(',')})`;
}

function shellWord(text: string): string {
  return /^[\w.@%+:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
