// Requests that were forwarded and not answered yet. A client retransmits until it has a reply; the relay drops the
// retransmissions here (RFC 5080 section 2.2.2). After the reply, the same bytes may be a retransmission or a new
// request. Only the cloud can tell, so the relay remembers nothing of a request that it has answered.
//
// A request is known by its Request Authenticator, which all its octets and the secret of its client are in, and never by the
// port that it came from: the same bytes from another port are a repeat, too (RFC 5176 section 6.3).
import type { Endpoint } from '../core/endpoint.ts';
import type { Packet } from '../core/radius/packet.ts';

/** A request without a reply. */
export interface RequestInProgress {
  readonly correlationId: string;
  /** Monotonic time at which it came, in milliseconds. */
  readonly beganAtMs: number;
  /** Where it, or its latest repeat, came from. */
  readonly source: Endpoint;
}

interface Entry extends RequestInProgress {
  readonly client: string;
  source: Endpoint;
}

/** The requests in progress of all clients. */
export class InProgress {
  /** By Request Authenticator, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** How many, by client. */
  readonly #counts = new Map<string, number>();
  readonly #expiresAfterMs: number;
  readonly #capacity: number;

  /**
   * A request is forgotten after `expiresAfterMs`, the time for which clients retransmit (RFC 5080 section 2.2.1: MRD
   * 30 s). If its reply was lost in the cloud, the next retransmission is then forwarded. There are `capacity` at most, but
   * for the shares of clients that come when others have taken all.
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

  /** Whether `client` may begin another one: while there is room, and then up to an equal share of it. */
  hasRoom(client: string, nowMs: number): boolean {
    this.#expire(nowMs);
    if (this.#entries.size < this.#capacity) return true;
    const own = this.#counts.get(client) ?? 0;
    const clients = this.#counts.size + (own === 0 ? 1 : 0);
    return own < this.#capacity / clients;
  }

  /** The request in progress that a packet from `source` retransmits byte for byte, if there is one: its reply goes there, too. */
  repeat(packet: Packet, source: Endpoint, nowMs: number): RequestInProgress | undefined {
    this.#expire(nowMs);
    const entry = this.#entries.get(keyOf(packet));
    if (entry !== undefined) entry.source = source;
    return entry;
  }

  /** The request in progress that has the bytes of `packet`, if there is one. */
  find(packet: Packet, nowMs: number): RequestInProgress | undefined {
    this.#expire(nowMs);
    return this.#entries.get(keyOf(packet));
  }

  /**
   * Begins a request at the monotonic time `nowMs`. One in progress with the same Identifier goes on: it still has an answer.
   */
  begin(
    packet: Packet,
    { correlationId, client, source }: Pick<Entry, 'correlationId' | 'client' | 'source'>,
    nowMs: number,
  ): void {
    const key = keyOf(packet);
    this.#remove(key);
    this.#entries.set(key, { correlationId, client, source, beganAtMs: nowMs });
    this.#counts.set(client, (this.#counts.get(client) ?? 0) + 1);
  }

  /** Ends a request and returns what was known of it; undefined when it is not in progress. */
  end(packet: Packet): RequestInProgress | undefined {
    const key = keyOf(packet);
    const entry = this.#entries.get(key);
    this.#remove(key);
    return entry;
  }

  #expire(nowMs: number): void {
    for (const [key, { beganAtMs }] of this.#entries) {
      if (nowMs - beganAtMs < this.#expiresAfterMs) return;
      this.#remove(key);
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const left = (this.#counts.get(entry.client) ?? 0) - 1;
    if (left > 0) this.#counts.set(entry.client, left);
    else this.#counts.delete(entry.client);
  }
}

/** As text, so that an entry does not keep the whole datagram in memory. */
const keyOf = ({ authenticator }: Packet) => Buffer.from(authenticator).toString('latin1');
