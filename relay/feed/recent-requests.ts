// Accounting-Requests of the last half minute. A client repeats a request until it has an answer (RFC 5080 section
// 2.2.2). A repeat of what is in progress is not taken twice, and one of what was answered gets the same answer. One of
// what could not be answered is taken anew, and reports what happened when the first of them arrived.
import type { Endpoint } from '../../core/endpoint.ts';
import type { Packet } from '../../core/radius/packet.ts';

/** A request that has come before. */
export type RecentRequest = {
  /** Its first arrival, milliseconds since 1970-01-01 UTC. */
  readonly arrivedAtMs: number;
} & (
  | { readonly state: 'in-progress'; readonly onRepeat?: () => void }
  | { readonly state: 'answered'; readonly answer: Uint8Array }
  | { readonly state: 'unanswered' }
);

interface Entry {
  readonly request: RecentRequest;
  /** Monotonic time of its latest change, in milliseconds. */
  readonly atMs: number;
  readonly authenticator: string;
}

export class RecentRequests {
  /** By address, port and Identifier of the client, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #expiresAfterMs: number;
  readonly #capacity: number;
  #inProgress = 0;

  /**
   * A request is forgotten `expiresAfterMs` after it has come for the last time or was answered, the time for which
   * clients repeat one (RFC 5080 section 2.2.1: MRD 30 s). So is the oldest one above `capacity`: 2,000 requests a second,
   * in about 20 MB.
   */
  constructor({ expiresAfterMs = 30_000, capacity = 65_536 } = {}) {
    this.#expiresAfterMs = expiresAfterMs;
    this.#capacity = capacity;
  }

  /** How many are in progress. */
  get inProgress(): number {
    return this.#inProgress;
  }

  /** The request that `packet` repeats byte for byte, at the monotonic time `nowMs`. */
  find(source: Endpoint, packet: Packet, nowMs: number): RecentRequest | undefined {
    for (const [key, { atMs }] of this.#entries) {
      if (nowMs - atMs < this.#expiresAfterMs) break;
      this.#remove(key);
    }
    const entry = this.#entries.get(keyOf(source, packet));
    return entry?.authenticator === authenticatorOf(packet) ? entry.request : undefined;
  }

  /**
   * Remembers what has become of a request. Another request with the same Identifier takes the place of the former: the
   * client has given that up. What becomes of the former then is not remembered.
   */
  put(source: Endpoint, packet: Packet, nowMs: number, request: RecentRequest): void {
    const key = keyOf(source, packet);
    const authenticator = authenticatorOf(packet);
    const current = this.#entries.get(key);
    const isFormer = current !== undefined && current.authenticator !== authenticator;
    if (isFormer && request.state !== 'in-progress' && current.request.state === 'in-progress') return;
    this.#remove(key);
    this.#entries.set(key, { request, atMs: nowMs, authenticator });
    if (request.state === 'in-progress') this.#inProgress++;
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#remove(oldest);
      return;
    }
  }

  #remove(key: string): void {
    if (this.#entries.get(key)?.request.state === 'in-progress') this.#inProgress--;
    this.#entries.delete(key);
  }
}

const keyOf = ({ address, port }: Endpoint, { identifier }: Packet) => `${address} ${port} ${identifier}`;

/** As text, so that an entry does not keep the whole datagram in memory. */
const authenticatorOf = ({ authenticator }: Packet) => Buffer.from(authenticator).toString('latin1');
