// The clients that may send requests. A client is identified by the source address of its datagrams (RFC 5176 section
// 2.3).
import { type Network, networkBits, networkNumber } from '../../core/config/network.ts';
import type { Secret } from '../../core/radius/authenticator.ts';

/** A client of the site file with its secrets: the current one and, during a rotation, the previous one. */
export interface Client {
  readonly name: string;
  /** The networks that it sends from. */
  readonly sources: readonly Network[];
  readonly secrets: readonly Secret[];
  readonly requireMessageAuthenticator: boolean;
  readonly requireEventTimestamp: boolean;
  /** How long it waits for an answer. */
  readonly patienceSeconds: number;
  /** @default none: it may send as many as there is room for */
  readonly ratePerSecond?: number | undefined;
}

/** A source of Accounting-Requests in the site file, with its secrets as those of a client. */
export interface Feed {
  readonly name: string;
  readonly sources: readonly Network[];
  readonly secrets: readonly Secret[];
  /** `copy`: the relay answers. `proxy`: it forwards to the accounting servers, and these answer. */
  readonly mode: 'copy' | 'proxy';
}

/** Returns the one that sends from `address`: of several, the one with the longest prefix. */
export type FindBySource<C> = (address: string) => C | undefined;
export type FindClient = FindBySource<Client>;

/**
 * Prepares the search. There is one table for each prefix length, so that the cost does not grow with the number of
 * clients or feeds. No two of them have the same network.
 */
export function findClientBySource<C extends { readonly sources: readonly Network[] }>(
  clients: readonly C[],
): FindBySource<C> {
  const tables = new Map<number, Map<bigint, C>>();
  for (const client of clients) {
    for (const source of client.sources) {
      const bits = networkBits(source);
      const table = tables.get(bits) ?? new Map<bigint, C>();
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
