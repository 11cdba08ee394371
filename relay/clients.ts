// Who may ask. A client is known by where its datagrams come from (RFC 5176 section 2.3), the narrowest network first.
import { isIPv4 } from 'node:net';
import { ConfigurationError } from '../core/config/problems.ts';
import type { Network } from '../core/config/site-file.ts';
import type { Secret } from '../core/radius/authenticator.ts';

/** A client of the site file, its secrets resolved: the current one and, during a rotation, its predecessor. */
export interface Client {
  readonly name: string;
  readonly sources: readonly Network[];
  readonly secrets: readonly Secret[];
  readonly requireMessageAuthenticator: boolean;
  readonly requireEventTimestamp: boolean;
}

/** The client that sends from `address`, the longest prefix deciding. */
export type FindClient = (address: string) => Client | undefined;

/**
 * Prepares the search: one table per prefix length, so that its cost does not grow with the number of clients.
 * @throws ConfigurationError when two clients claim the same network.
 */
export function findClientBySource(clients: readonly Client[]): FindClient {
  const tables = new Map<number, Map<bigint, Client>>();
  for (const client of clients) {
    for (const { address, prefix, family } of client.sources) {
      const bits = family === 'ipv4' ? 96 + prefix : prefix;
      const table = tables.get(bits) ?? new Map<bigint, Client>();
      tables.set(bits, table);
      const network = networkNumber(addressNumber(address), bits);
      const other = table.get(network) ?? client;
      if (other !== client) {
        throw new ConfigurationError([
          `clients: ${address}/${prefix} belongs to both ${other.name} and ${client.name}`,
        ]);
      }
      table.set(network, client);
    }
  }
  const longestFirst = [...tables].sort(([a], [b]) => b - a);
  return (address) => {
    const number = addressNumber(address);
    for (const [bits, table] of longestFirst) {
      const client = table.get(networkNumber(number, bits));
      if (client !== undefined) return client;
    }
    return undefined;
  };
}

const networkNumber = (address: bigint, bits: number) => address >> BigInt(128 - bits);

/**
 * The 128 bits of an address. IPv4 is taken as its IPv4-mapped form ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), in
 * which a socket on [::] shows it, so that both spellings are one address.
 */
function addressNumber(address: string): bigint {
  const [text = ''] = (isIPv4(address) ? `::ffff:${address}` : address).split('%', 1);
  const [head = [], tail = []] = text.split('::').map(hexGroups);
  const zeros = Array<string>(8 - head.length - tail.length).fill('0000');
  return BigInt(`0x${[...head, ...zeros, ...tail].join('')}`);
}

function hexGroups(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [group.padStart(4, '0')];
    const [a, b, c, d] = group.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
    return [`${a}${b}`, `${c}${d}`];
  });
}
