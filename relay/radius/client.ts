// A RADIUS client: sends requests until they are answered, and believes only answers that are signed.
import type { Endpoint } from '../../core/endpoint.ts';
import { formatEndpoint } from '../../core/endpoint.ts';
import { type ReplyFailure, type Secret, signRequest, verifyReply } from '../../core/radius/authenticator.ts';
import { type Packet, type ParseFailure, parsePacket } from '../../core/radius/packet.ts';
import { Identifiers } from './identifiers.ts';
import { Pending, type RetransmissionPolicy } from './pending.ts';
import { type ConnectedSocket, connectSocket } from './udp.ts';

/** Each more socket to a server gives 256 more Identifiers. */
const MAX_CHANNELS = 16;

export interface RadiusServer extends Endpoint {
  readonly secret: Secret;
  /** Whether requests carry a Message-Authenticator. */
  readonly messageAuthenticator: boolean;
  /** Whether replies have to carry one. If they need not, a wrong one is still never accepted. */
  readonly requireMessageAuthenticator: boolean;
  /** Whether that of a reply may be computed over a zero authenticator, too, as FreeRADIUS 3.2 sometimes does. */
  readonly zeroAuthenticatorReplies: boolean;
}

export interface ExchangePolicy extends RetransmissionPolicy {
  /** Whether an ICMP port unreachable ends the exchange. If not, the server may come up while it goes on. */
  readonly endsWhenUnreachable: boolean;
}

/** `busy`: every Identifier of every socket to this server is taken. `aborted`: the caller lost interest. */
export type ExchangeResult =
  | { readonly kind: 'reply'; readonly packet: Packet; readonly latencyMs: number }
  | { readonly kind: 'timeout' | 'unreachable' | 'busy' | 'aborted' };

export type IgnoredReply = ParseFailure | ReplyFailure | 'nothing-pending';

/** One connected socket with its Identifiers: what is sent again comes from the same port (RFC 5176 section 2.3). */
interface Channel {
  /** Undefined when it could not be opened. */
  readonly socket: Promise<ConnectedSocket | undefined>;
  readonly identifiers: Identifiers;
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

export class RadiusClient {
  readonly #now: () => number;
  readonly #onIgnored: (server: Endpoint, reason: IgnoredReply) => void;
  readonly #pending: Pending<Exchange>;
  readonly #channels = new Map<string, Channel[]>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAtMs = Number.POSITIVE_INFINITY;

  /** `monotonicNow` in milliseconds, from any origin; `random` from 0 up to 1. */
  constructor({
    monotonicNow,
    random,
    onIgnored,
  }: {
    readonly monotonicNow: () => number;
    readonly random: () => number;
    readonly onIgnored: (server: Endpoint, reason: IgnoredReply) => void;
  }) {
    this.#now = monotonicNow;
    this.#onIgnored = onIgnored;
    this.#pending = new Pending(random);
  }

  /**
   * Sends a request and waits for its reply; repeats are byte-identical. `attributes` are encoded, without a
   * Message-Authenticator. `onSent` is told when the request has left for the first time.
   * @throws RangeError when they make no packet, or one of more than 4096 octets.
   */
  async exchange(
    { code, attributes }: { readonly code: number; readonly attributes: Uint8Array },
    server: RadiusServer,
    policy: ExchangePolicy,
    signal: AbortSignal,
    onSent: () => void = () => undefined,
  ): Promise<ExchangeResult> {
    if (signal.aborted) return { kind: 'aborted' };
    const place = this.#takeIdentifier(server);
    if (place === undefined) return { kind: 'busy' };
    const { channel, identifier } = place;
    try {
      const { messageAuthenticator } = server;
      const bytes = signRequest({ code, identifier, attributes }, server.secret, { messageAuthenticator });
      const parsed = parsePacket(bytes);
      if (!parsed.ok) throw new RangeError(`the attributes make no packet: ${parsed.reason}`);
      const { promise, resolve: settle } = Promise.withResolvers<ExchangeResult>();
      const exchange = {
        channel,
        server,
        request: parsed.packet,
        policy,
        startedAtMs: this.#now(),
        settle,
      };
      const abort = () => settle({ kind: 'aborted' });
      signal.addEventListener('abort', abort);
      channel.exchanges.set(identifier, exchange);
      this.#wakeAt(this.#pending.start(exchange, policy, exchange.startedAtMs));
      void this.#send(exchange).then((isSent) => isSent && onSent());
      const result = await promise;
      signal.removeEventListener('abort', abort);
      channel.exchanges.delete(identifier);
      this.#pending.end(exchange);
      return result;
    } finally {
      channel.identifiers.free(identifier);
    }
  }

  /** Closes its sockets. To be called when no exchange is under way. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const channels = [...this.#channels.values()].flat();
    this.#channels.clear();
    await Promise.all(channels.map(async ({ socket }) => (await socket)?.close()));
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
      void channel.socket.then((socket) => socket?.close());
      for (const { settle } of channel.exchanges.values()) settle({ kind: 'unreachable' });
      channel.exchanges.clear();
    };
    const channel: Channel = {
      socket: connectSocket(server, {
        onDatagram: (datagram) => this.#receive(channel, server, datagram),
        // Whatever else befalls a socket, its route or its own address may be gone for good. Another one finds anew.
        onError: ({ code }) => (code === 'ECONNREFUSED' ? refused(channel) : retire()),
      }).catch(() => {
        retire();
        return undefined;
      }),
      identifiers: new Identifiers(),
      exchanges: new Map(),
    };
    return channel;
  }

  /** Whether the request has left. It may be over by the time its socket is open, or has been closed. */
  async #send({ channel, request }: Exchange): Promise<boolean> {
    const socket = await channel.socket;
    if (socket === undefined || channel.exchanges.get(request.identifier)?.request !== request) return false;
    socket.send(request.bytes);
    return true;
  }

  #receive(channel: Channel, server: Endpoint, datagram: Uint8Array): void {
    const ignored = this.#settle(channel, datagram);
    if (ignored !== undefined) this.#onIgnored(server, ignored);
  }

  #settle({ exchanges }: Channel, datagram: Uint8Array): IgnoredReply | undefined {
    const parsed = parsePacket(datagram);
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
    settle({ kind: 'reply', packet, latencyMs: this.#now() - startedAtMs });
    return undefined;
  }

  #collect(): void {
    const { again, failed } = this.#pending.collect(this.#now());
    for (const exchange of again) void this.#send(exchange);
    for (const exchange of failed) exchange.settle({ kind: 'timeout' });
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
    this.#wakeAt(this.#pending.nextDeadlineMs());
  }

  /** Waking too early does no harm, so an exchange that is over leaves the timer as it is. */
  #wakeAt(deadlineMs: number): void {
    if (deadlineMs >= this.#wakesAtMs) return;
    clearTimeout(this.#timer);
    this.#wakesAtMs = deadlineMs;
    this.#timer = setTimeout(() => this.#collect(), Math.max(0, Math.ceil(deadlineMs - this.#now())));
  }
}

/** ICMP tells which port is unreachable, not which request met it: all on the channel are told. */
function refused({ exchanges }: Channel): void {
  for (const { policy, settle } of exchanges.values()) {
    if (policy.endsWhenUnreachable) settle({ kind: 'unreachable' });
  }
}
