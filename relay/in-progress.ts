// Requests that have been taken on and not yet answered. A client repeats itself until it is answered; the repeats
// are dropped here (RFC 5080 section 2.2.2). After the answer a repeat may just as well be a new request with the
// same bytes, which only the cloud can tell, so nothing is remembered of what has been answered.
import type { Endpoint } from '../core/endpoint.ts';
import type { Packet } from '../core/radius/packet.ts';

export interface RequestInProgress {
  readonly correlationId: string;
  readonly beganAtMs: number;
}

interface Entry extends RequestInProgress {
  readonly authenticator: string;
}

export class InProgress {
  /** By client address, port and Identifier, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #expiresAfterMs: number;
  readonly #capacity: number;

  /**
   * A request whose answer got lost is forgotten after `expiresAfterMs`, the span in which clients retransmit
   * (RFC 5080: MRD 30 s), so that its next repeat is taken on again. Above `capacity` the oldest go first.
   */
  constructor({ expiresAfterMs = 30_000, capacity = 16_384 } = {}) {
    this.#expiresAfterMs = expiresAfterMs;
    this.#capacity = capacity;
  }

  /** How many requests are in progress at `nowMs`. */
  count(nowMs: number): number {
    this.#expire(nowMs);
    return this.#entries.size;
  }

  /**
   * Takes a request on, or gives the one in progress that it repeats byte for byte. The same Identifier with
   * another Request Authenticator is a new request: the client has given the old one up (RFC 5080 section 2.2.2).
   */
  begin(
    source: Endpoint,
    packet: Packet,
    correlationId: string,
    nowMs: number,
  ): RequestInProgress | undefined {
    this.#expire(nowMs);
    const key = keyOf(source, packet);
    const authenticator = authenticatorOf(packet);
    const current = this.#entries.get(key);
    if (current?.authenticator === authenticator) return current;
    this.#entries.delete(key);
    this.#entries.set(key, { correlationId, beganAtMs: nowMs, authenticator });
    if (this.#entries.size > this.#capacity) this.#dropOldest();
    return undefined;
  }

  /** Forgets a request and gives what was known of it; undefined when it is not in progress, or not any more. */
  end(source: Endpoint, packet: Packet): RequestInProgress | undefined {
    const key = keyOf(source, packet);
    const entry = this.#entries.get(key);
    if (entry?.authenticator !== authenticatorOf(packet)) return undefined;
    this.#entries.delete(key);
    return entry;
  }

  #expire(nowMs: number): void {
    for (const { beganAtMs } of this.#entries.values()) {
      if (nowMs - beganAtMs < this.#expiresAfterMs) return;
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}

const keyOf = ({ address, port }: Endpoint, { identifier }: Packet) => `${address} ${port} ${identifier}`;

/** As text, so that an entry does not keep the whole datagram alive. */
const authenticatorOf = ({ authenticator }: Packet) => Buffer.from(authenticator).toString('latin1');
