// A first CoA-Request for whoever has just started Interlock.

import type { Client } from '../../core/config/site-file.ts';
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import type { KnownNas } from '../../core/nas.ts';
import type { Catalogue } from '../../core/services/catalogue.ts';

export interface ExampleOptions {
  readonly coaAddress: Endpoint;
  readonly catalogue: Catalogue;
  /** Of the site. */
  readonly nases: readonly KnownNas[];
  /** Who asks, where the site has a client that may ask from this machine. */
  readonly client: Client | undefined;
}

/**
 * A line for the shell of this machine that activates a service with radclient. Of the client's secret it has what the
 * site file says in plain text, or else the word SECRET.
 */
export function exampleRequest({ coaAddress, catalogue, nases, client }: ExampleOptions): string {
  const attributes = [
    'User-Name = "client1@isp1.com"',
    'Acct-Session-Id = "0001"',
    ...nasIdentification(nases),
    `ERX-Service-Activate:1 += "${anyService(catalogue)}"`,
  ];
  const [secret] = client?.secret ?? [];
  const spoken = secret?.kind === 'text' ? shellWord(secret.text) : 'SECRET';
  const destination = formatEndpoint(reachable(coaAddress));
  return `printf '%s\\n' ${attributes.map(shellWord).join(' ')} | radclient -x ${destination} coa ${spoken}`;
}

/** Where a program on this machine reaches who listens on `address`. */
export function reachable({ address, port }: Endpoint): Endpoint {
  return { address: address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address, port };
}

/** The only NAS of a site needs no name. */
function nasIdentification(nases: readonly KnownNas[]): readonly string[] {
  const [nas, ...others] = nases;
  if (nas === undefined || others.length === 0) return [];
  return Object.entries(nas.profile.identity)
    .slice(0, 1)
    .map(([attribute, value]) => `${attribute} = ${JSON.stringify(value)}`);
}

/** Preferably one without parameters: what would be right values is not known here. */
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
