// Who may ask. A client is known by where its datagrams come from (RFC 5176 section 2.3), the narrowest network first.
import { type Network, networkBits, networkNumber } from '../../core/config/network.ts';
import type { Secret } from '../../core/radius/authenticator.ts';

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

/** Prepares the search: one table per prefix length, so that its cost does not grow with the number of clients. No two
 * clients have the same network. */
export function findClientBySource(clients: readonly Client[]): FindClient {
  const tables = new Map<number, Map<bigint, Client>>();
  for (const client of clients) {
    for (const source of client.sources) {
      const bits = networkBits(source);
      const table = tables.get(bits) ?? new Map<bigint, Client>();
      tables.set(bits, table);
      table.set(networkNumber(source.address, bits), client);
    }
  }
  const longestFirst = [...tables].sort(([a], [b]) => b - a);
  return (address) => {
    const number = networkNumber(address, 128);
    for (const [bits, table] of longestFirst) {
      const client = table.get(number >> BigInt(128 - bits));
      if (client !== undefined) return client;
    }
    return undefined;
  };
}
