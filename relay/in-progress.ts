// Requests that were forwarded and not answered yet. A client retransmits until it has a reply; the relay drops the
// retransmissions here (RFC 5080 section 2.2.2). After the reply, the same bytes may be a retransmission or a new
// request. Only the cloud can tell, so the relay remembers nothing of a request that it has answered.
//
// A request is known by its Request Authenticator, which all its octets and the secret of its client are in, and never by the
// port that it came from: the same bytes from another port are a repeat, too (RFC 5176 section 6.3).
import type { Packet } from '../core/radius/packet.ts';

/** A request without a reply. */
export interface RequestInProgress {
  readonly correlationId: string;
  /** Monotonic time at which it came, in milliseconds. */
  readonly beganAtMs: number;
}

/** The requests in progress of all clients. */
export class InProgress {
  /** By Request Authenticator, the oldest first. */
  readonly #entries = new Map<string, RequestInProgress>();
  readonly #expiresAfterMs: number;
  readonly #capacity: number;

  /**
   * A request is forgotten after `expiresAfterMs`, the time for which clients retransmit (RFC 5080 section 2.2.1: MRD
   * 30 s). If its reply was lost in the cloud, the next retransmission is then forwarded. Above `capacity` entries the
   * oldest is forgotten.
   */
  constructor({ expiresAfterMs = 30_000, capacity = 16_384 } = {}) {
    this.#expiresAfterMs = expiresAfterMs;
    this.#capacity = capacity;
  }

  /** How many requests are in progress at the monotonic time `nowMs`. */
  count(nowMs: number): number {
    this.#expire(nowMs);
    return this.#entries.size;
  }

  /**
   * Begins a request at the monotonic time `nowMs`. Returns the request in progress that it retransmits byte for byte,
   * if there is one.
   */
  begin(packet: Packet, correlationId: string, nowMs: number): RequestInProgress | undefined {
    this.#expire(nowMs);
    const key = keyOf(packet);
    const current = this.#entries.get(key);
    if (current !== undefined) return current;
    this.#entries.set(key, { correlationId, beganAtMs: nowMs });
    if (this.#entries.size > this.#capacity) this.#dropOldest();
    return undefined;
  }

  /** Ends a request and returns what was known of it; undefined when it is not in progress. */
  end(packet: Packet): RequestInProgress | undefined {
    const key = keyOf(packet);
    const entry = this.#entries.get(key);
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

/** As text, so that an entry does not keep the whole datagram in memory. */
const keyOf = ({ authenticator }: Packet) => Buffer.from(authenticator).toString('latin1');
