// A RADIUS client: sends a request until it has a reply, and takes only replies that are signed. It knows packets and
// channels, but no socket.
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import { type ReplyFailure, type Secret, signRequest, verifyReply } from '../../core/radius/authenticator.ts';
import { type Packet, type ParseFailure, parsePacket } from '../../core/radius/packet.ts';
import type { MonotonicClock, Timer } from '../clock.ts';
import { Identifiers } from './identifiers.ts';
import { Pending, type RetransmissionPolicy } from './pending.ts';
import type { ClientChannel, Transport } from './transport.ts';

/** Each channel to a server has 256 Identifiers. */
const MAX_CHANNELS = 16;

/** A server and how its packets are signed. */
export interface RadiusServer extends Endpoint {
  readonly secret: Secret;
  /** Whether requests carry a Message-Authenticator. */
  readonly messageAuthenticator: boolean;
  /** Whether replies have to carry one. A wrong one is never accepted. */
  readonly requireMessageAuthenticator: boolean;
  /** Whether that of a reply may be computed over a zero authenticator, as FreeRADIUS 3.2 does in some cases. */
  readonly zeroAuthenticatorReplies: boolean;
}

/**
 * What to send: a code with encoded attributes, without a Message-Authenticator; or how to make the signed packet with
 * the Identifier that it gets.
 */
export type ClientRequest =
  | { readonly code: number; readonly attributes: Uint8Array }
  | { readonly sign: (identifier: number, server: RadiusServer) => Uint8Array };

/** When to retransmit, and when an exchange ends without a reply. */
export interface ExchangePolicy extends RetransmissionPolicy {
  /** Whether an ICMP port unreachable ends the exchange. Otherwise it goes on: the server may start meanwhile. */
  readonly endsWhenUnreachable: boolean;
  /** Asked before each transmission. Once it says no, the exchange ends as `aborted`. @default always */
  readonly mayTransmit?: () => boolean;
}

/**
 * How an exchange ended. `latencyMs` counts from the first transmission. `busy`: every Identifier of every channel to
 * this server is in use. `aborted`: the caller's signal aborted, or the request may not be transmitted any more.
 */
export type ExchangeResult =
  | { readonly kind: 'reply'; readonly packet: Packet; readonly latencyMs: number }
  | { readonly kind: 'timeout' | 'unreachable' | 'busy' | 'aborted' };

/** Why a packet that came from a server is no reply to a request. */
export type IgnoredReply = ParseFailure | ReplyFailure | 'nothing-pending';

/** A channel with its Identifiers. A retransmission leaves from the same port as the request (RFC 5176 section 2.3). */
interface Channel {
  /** Undefined when it could not be opened. */
  readonly opening: Promise<ClientChannel | undefined>;
  readonly identifiers: Identifiers;
  /** By Identifier. */
  readonly exchanges: Map<number, Exchange>;
}

interface Exchange {
  readonly channel: Channel;
  readonly server: RadiusServer;
  readonly request: Packet;
  readonly policy: ExchangePolicy;
  readonly startedAtMs: number;
  readonly settle: (result: ExchangeResult) => void;
}

/** A client of any number of servers. Each has up to 16 channels, and so 4096 requests at a time. */
export class RadiusClient {
  readonly #transport: Transport;
  readonly #clock: MonotonicClock;
  readonly #onIgnored: (server: Endpoint, reason: IgnoredReply) => void;
  readonly #pending: Pending<Exchange>;
  /** By address and port of the server. */
  readonly #channels = new Map<string, Channel[]>();
  #timer: Timer | undefined;
  #wakesAtMs = Number.POSITIVE_INFINITY;

  /** `random` returns numbers from 0 up to 1. */
  constructor({
    transport,
    clock,
    random,
    onIgnored,
  }: {
    readonly transport: Transport;
    readonly clock: MonotonicClock;
    readonly random: () => number;
    readonly onIgnored: (server: Endpoint, reason: IgnoredReply) => void;
  }) {
    this.#transport = transport;
    this.#clock = clock;
    this.#onIgnored = onIgnored;
    this.#pending = new Pending(random);
  }

  /**
   * Sends a request and waits for its reply. Retransmissions are byte-identical (RFC 5080 section 2.2.1). `onSent` is
   * called when the request has left for the first time. `onBegun` gets a function that retransmits it at once, for a
   * caller who knows when to.
   * @throws RangeError when the attributes are malformed, or the packet would exceed 4096 octets.
   */
  async exchange(
    toSend: ClientRequest,
    server: RadiusServer,
    policy: ExchangePolicy,
    signal: AbortSignal,
    onSent: () => void = () => undefined,
    onBegun: (retransmit: () => void) => void = () => undefined,
  ): Promise<ExchangeResult> {
    if (signal.aborted) return { kind: 'aborted' };
    const place = this.#takeIdentifier(server);
    if (place === undefined) return { kind: 'busy' };
    const { channel, identifier } = place;
    try {
      const bytes = signed(toSend, identifier, server);
      const parsed = parsePacket(bytes);
      if (!parsed.ok) throw new RangeError(`the attributes make no packet: ${parsed.reason}`);
      const { promise, resolve: settle } = Promise.withResolvers<ExchangeResult>();
      const exchange = {
        channel,
        server,
        request: parsed.packet,
        policy,
        startedAtMs: this.#clock.monotonicNow(),
        settle,
      };
      const abort = () => settle({ kind: 'aborted' });
      signal.addEventListener('abort', abort);
      channel.exchanges.set(identifier, exchange);
      this.#wakeAt(this.#pending.start(exchange, policy, exchange.startedAtMs));
      void this.#transmit(exchange).then((isSent) => isSent && onSent());
      onBegun(() => void this.#retransmit(exchange));
      const result = await promise;
      signal.removeEventListener('abort', abort);
      channel.exchanges.delete(identifier);
      this.#pending.end(exchange);
      return result;
    } finally {
      channel.identifiers.free(identifier);
    }
  }

  /** Closes its channels. To be called when no exchange is pending. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    const channels = [...this.#channels.values()].flat();
    this.#channels.clear();
    await Promise.all(channels.map(async ({ opening }) => (await opening)?.close()));
  }

  #takeIdentifier(server: RadiusServer): { channel: Channel; identifier: number } | undefined {
    const key = formatEndpoint(server);
    const channels = this.#channels.get(key) ?? [];
    this.#channels.set(key, channels);
    for (const channel of channels) {
      const identifier = channel.identifiers.take();
      if (identifier !== undefined) return { channel, identifier };
    }
    if (channels.length === MAX_CHANNELS) return undefined;
    channels.push(this.#openChannel(server, channels));
    return this.#takeIdentifier(server);
  }

  #openChannel(server: Endpoint, siblings: Channel[]): Channel {
    const retire = () => {
      if (!siblings.includes(channel)) return;
      siblings.splice(siblings.indexOf(channel), 1);
      void channel.opening.then((opened) => opened?.close());
      for (const { settle } of channel.exchanges.values()) settle({ kind: 'unreachable' });
      channel.exchanges.clear();
    };
    const channel: Channel = {
      opening: this.#transport
        .connect(server, {
          onPacket: (packet) => this.#receive(channel, server, packet),
          onRefused: () => refused(channel),
          // The next exchange opens another channel, which finds its route anew.
          onFailure: retire,
        })
        .catch(() => {
          retire();
          return undefined;
        }),
      identifiers: new Identifiers(),
      exchanges: new Map(),
    };
    return channel;
  }

  /** Whether the request has left. By the time its channel is open, the exchange may have ended. */
  async #transmit({ channel, request, policy, settle }: Exchange): Promise<boolean> {
    const opened = await channel.opening;
    if (opened === undefined || channel.exchanges.get(request.identifier)?.request !== request) return false;
    if (policy.mayTransmit?.() === false) {
      settle({ kind: 'aborted' });
      return false;
    }
    opened.send(request.bytes);
    return true;
  }

  async #retransmit(exchange: Exchange): Promise<void> {
    if ((await exchange.channel.opening)?.isReliable === false) await this.#transmit(exchange);
  }

  #receive(channel: Channel, server: Endpoint, packet: Uint8Array): void {
    const ignored = this.#settle(channel, packet);
    if (ignored !== undefined) this.#onIgnored(server, ignored);
  }

  #settle({ exchanges }: Channel, bytes: Uint8Array): IgnoredReply | undefined {
    const parsed = parsePacket(bytes);
    if (!parsed.ok) return parsed.reason;
    const { packet } = parsed;
    const exchange = exchanges.get(packet.identifier);
    if (exchange === undefined) return 'nothing-pending';
    const { request, server, startedAtMs, settle } = exchange;
    const verified = verifyReply(packet, request, server.secret, {
      requireMessageAuthenticator: server.requireMessageAuthenticator,
      zeroAuthenticator: server.zeroAuthenticatorReplies,
    });
    if (!verified.ok) return verified.reason;
    settle({ kind: 'reply', packet, latencyMs: this.#clock.monotonicNow() - startedAtMs });
    return undefined;
  }

  #collect(): void {
    const { due, failed } = this.#pending.collect(this.#clock.monotonicNow());
    for (const exchange of due) void this.#retransmit(exchange);
    for (const exchange of failed) exchange.settle({ kind: 'timeout' });
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
    this.#wakeAt(this.#pending.nextDeadlineMs());
  }

  /** An exchange that ends leaves the timer as it is: `#collect` finds nothing to do then. */
  #wakeAt(deadlineMs: number): void {
    if (deadlineMs >= this.#wakesAtMs) return;
    this.#timer?.cancel();
    this.#wakesAtMs = deadlineMs;
    const delayMs = Math.max(0, Math.ceil(deadlineMs - this.#clock.monotonicNow()));
    this.#timer = this.#clock.setTimeout(() => this.#collect(), delayMs);
  }
}

function signed(request: ClientRequest, identifier: number, server: RadiusServer): Uint8Array {
  if ('sign' in request) return request.sign(identifier, server);
  const { messageAuthenticator } = server;
  return signRequest({ ...request, identifier }, server.secret, { messageAuthenticator });
}

/** ICMP says which port is unreachable, not which request met it: it concerns all exchanges on the channel. */
function refused({ exchanges }: Channel): void {
  for (const { policy, settle } of exchanges.values()) {
    if (policy.endsWhenUnreachable) settle({ kind: 'unreachable' });
  }
}
