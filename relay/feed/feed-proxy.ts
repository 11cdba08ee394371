// Forwards Accounting-Requests to the site's accounting servers, byte for byte (RFC 2866 section 2.1). The NAS drives the
// repeats: the relay sends a request to the server as often as the NAS sends it to the relay.
import { signForwarded } from '../../core/radius/authenticator.ts';
import type { Packet } from '../../core/radius/packet.ts';
import type { AccountingServers } from '../accounting-servers.ts';
import type { ExchangePolicy, RadiusClient } from '../radius/client.ts';

/** Durations in milliseconds. */
export interface ProxyTimings {
  /** How long an answer of the only server is waited for (RFC 5080 section 2.2.1: MRD 30 s). */
  readonly answerMs: number;
  /** Where there are several servers: how long one has to answer before the next one gets what the NAS sends. */
  readonly attemptMs: number;
}

const TIMINGS: ProxyTimings = { answerMs: 30_000, attemptMs: 10_000 };

/** What became of a request. `busy`: 4096 are in progress at the server. `too-long`: it has no room for Proxy-State. */
export type Forwarded =
  | { readonly kind: 'reply'; readonly packet: Packet; readonly server: string; readonly latencyMs: number }
  | { readonly kind: 'timeout' | 'unreachable' | 'busy' | 'aborted' | 'too-long'; readonly server: string };

/** A request that was forwarded. */
export interface Forwarding {
  readonly done: Promise<Forwarded>;
  /** Sends it to the server once more. */
  readonly repeat: () => void;
}

const MARK = Buffer.from('IL');

/** A RADIUS proxy for accounting. */
export class FeedProxy {
  readonly #servers: AccountingServers;
  readonly #client: RadiusClient;
  readonly #policy: ExchangePolicy;
  readonly #abandon: AbortSignal;
  /** Begins each Proxy-State of this process. */
  readonly #mark: Buffer;
  #count = 0;
  /** How many requests have been answered, so that one without an answer can see that others had one. */
  #answers = 0;

  constructor(
    servers: AccountingServers,
    {
      client,
      random,
      abandon,
      timings = {},
    }: {
      readonly client: RadiusClient;
      /** Returns numbers from 0 up to 1. */
      readonly random: () => number;
      /** Ends what is in progress. */
      readonly abandon: AbortSignal;
      readonly timings?: Partial<ProxyTimings> | undefined;
    },
  ) {
    const { answerMs, attemptMs } = { ...TIMINGS, ...timings };
    const irtMs = servers.all.length > 1 ? attemptMs : answerMs;
    this.#servers = servers;
    this.#client = client;
    // One transmission of its own; the others are the NAS's.
    this.#policy = { irtMs, mrtMs: 0, mrc: 1, mrdMs: 0, endsWhenUnreachable: true };
    this.#abandon = abandon;
    const instance = Buffer.alloc(4);
    instance.writeUInt32BE(Math.floor(random() * 2 ** 32));
    this.#mark = Buffer.concat([MARK, instance]);
  }

  /** Whether this process has forwarded the request before: a server sends it back, and it would go round for ever. */
  hasForwarded(packet: Packet): boolean {
    return packet.attributes.some(
      ({ type, value }) => type === PROXY_STATE && this.#mark.equals(value.subarray(0, this.#mark.length)),
    );
  }

  /**
   * Sends a verified request to the server in use, and calls `onSent` when it has left. Where the host says that no server
   * listens, the next server gets it.
   */
  forward(packet: Packet, onSent: () => void): Forwarding {
    let retransmit = () => {};
    const done = this.#forward(packet, onSent, (again) => {
      retransmit = again;
    });
    return { done, repeat: () => retransmit() };
  }

  async #forward(
    packet: Packet,
    onSent: () => void,
    onBegun: (retransmit: () => void) => void,
  ): Promise<Forwarded> {
    const proxyState = this.#nextProxyState();
    for (let attempt = 1; ; attempt++) {
      const server = this.#servers.current;
      const { name } = server;
      const answersBefore = this.#answers;
      const sign = (identifier: number) => signForwarded(packet, { identifier, proxyState }, server.secret);
      try {
        const result = await this.#client.exchange(
          { sign },
          server,
          this.#policy,
          this.#abandon,
          onSent,
          onBegun,
        );
        if (result.kind === 'reply') this.#answers++;
        // A server that answers others is not away: it drops this one, and so would the next server.
        const isAway = result.kind === 'timeout' && this.#answers === answersBefore;
        if (isAway || result.kind === 'unreachable') this.#servers.turnFrom(server);
        if (result.kind !== 'unreachable' || attempt >= this.#servers.all.length)
          return { ...result, server: name };
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return { kind: 'too-long', server: name };
      }
    }
  }

  #nextProxyState(): Buffer {
    this.#count = (this.#count + 1) & 0xffff;
    return Buffer.concat([this.#mark, Buffer.of(this.#count >> 8, this.#count & 0xff)]);
  }
}

const PROXY_STATE = 33;
