// Accounting-Requests that are in progress or were answered just now. A client repeats a request until it has an answer
// (RFC 5080 section 2.2.2): a repeat of what is in progress is not taken twice, and one of what was answered gets the
// same answer.
import type { Endpoint } from '../../core/endpoint.ts';
import type { Packet } from '../../core/radius/packet.ts';

/** A request that has come before. */
export interface RecentRequest {
  /** Monotonic time of its arrival, or of its answer, in milliseconds. */
  readonly atMs: number;
  /** The octets of the answer; absent while it is in progress. */
  readonly answer?: Uint8Array;
  /** Called when the client repeats it while it is in progress. */
  readonly onRepeat?: () => void;
}

interface Entry extends RecentRequest {
  readonly authenticator: string;
}

export class RecentRequests {
  /** By address, port and Identifier of the client, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #expiresAfterMs: number;
  readonly #capacity: number;
  #inProgress = 0;

  /** A request is forgotten after `expiresAfterMs`, and the oldest one above `capacity`. */
  constructor({ expiresAfterMs = 30_000, capacity = 16_384 } = {}) {
    this.#expiresAfterMs = expiresAfterMs;
    this.#capacity = capacity;
  }

  /** How many are in progress. */
  get inProgress(): number {
    return this.#inProgress;
  }

  /** The request that `packet` repeats byte for byte. */
  find(source: Endpoint, packet: Packet, nowMs: number): RecentRequest | undefined {
    for (const [key, { atMs, answer }] of this.#entries) {
      if (nowMs - atMs < this.#expiresAfterMs) break;
      if (answer === undefined) this.#inProgress--;
      this.#entries.delete(key);
    }
    const entry = this.#entries.get(keyOf(source, packet));
    return entry?.authenticator === authenticatorOf(packet) ? entry : undefined;
  }

  /** The request is in progress from now on. */
  begin(source: Endpoint, packet: Packet, nowMs: number, onRepeat?: () => void): void {
    this.#put(source, packet, { atMs: nowMs, ...(onRepeat && { onRepeat }) });
  }

  /** It was answered so. */
  answered(source: Endpoint, packet: Packet, nowMs: number, answer: Uint8Array): void {
    this.#put(source, packet, { atMs: nowMs, answer });
  }

  /** It will not be answered: the next repeat is taken. */
  forget(source: Endpoint, packet: Packet): void {
    const key = keyOf(source, packet);
    if (this.#entries.get(key)?.authenticator === authenticatorOf(packet)) this.#remove(key);
  }

  #put(source: Endpoint, packet: Packet, request: RecentRequest): void {
    const key = keyOf(source, packet);
    this.#remove(key);
    this.#entries.set(key, { ...request, authenticator: authenticatorOf(packet) });
    if (request.answer === undefined) this.#inProgress++;
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#remove(oldest);
      return;
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.answer === undefined) this.#inProgress--;
    this.#entries.delete(key);
  }
}

const keyOf = ({ address, port }: Endpoint, { identifier }: Packet) => `${address} ${port} ${identifier}`;

/** As text, so that an entry does not keep the whole datagram in memory. */
const authenticatorOf = ({ authenticator }: Packet) => Buffer.from(authenticator).toString('latin1');
