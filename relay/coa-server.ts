// The RADIUS server of the site (RFC 5176 section 2.3): a request of a client goes to the inbox, a reply from the
// outbox goes to the client. It decides which clients may ask, and how much of it the cloud gets at a time. What a request means
// is decided in the cloud.
import { type Endpoint, formatEndpoint } from '../core/endpoint.ts';
import type { ReplyMessage } from '../core/messages.ts';
import { ERROR_CAUSE } from '../core/radius/attributes.ts';
import type { Secret } from '../core/radius/authenticator.ts';
import type { Packet } from '../core/radius/packet.ts';
import { requestGroup } from '../core/requests/identification.ts';
import { encodeReply } from '../core/requests/reply.ts';
import type { Clock, Timer } from './clock.ts';
import { InProgress, type RequestInProgress } from './in-progress.ts';
import { type AcceptedRequest, requestMessage } from './messages.ts';
import { CloudWindow } from './overload/cloud-window.ts';
import { RateLimit } from './overload/rate-limit.ts';
import { WaitingRoom } from './overload/waiting-room.ts';
import type { Inbox } from './queues/inbox.ts';
import { authenticate, checkRequest } from './radius/checks.ts';
import type { Client, FindClient } from './site/clients.ts';
import type { DiscardReason, RefusalReason, Report } from './telemetry/events.ts';

/** What a CoA server is made of. */
export interface CoaServerOptions {
  /** What the cloud calls this relay. */
  readonly relay: string;
  readonly findClient: FindClient;
  readonly eventTimestampWindowSeconds: number;
  readonly inbox: Inbox;
  /** Sends a packet from the port that clients ask (RFC 5176 section 2.3); rejects when it cannot leave. */
  readonly send: (packet: Uint8Array, destination: Endpoint) => Promise<void>;
  readonly clock: Clock;
  /** What this relay's clock is ahead of the cloud's, in milliseconds; undefined where it is not known yet. */
  readonly clockSkewMs: () => number | undefined;
  /** A correlation id, unique over all relays of the site. */
  readonly newId: () => string;
  readonly report: Report;
}

/** How many requests may wait for their turn to be forwarded. */
const MAX_WAITING = 1024;
/** A request waits for half of the time for which its client does, so that the cloud has the rest. */
const WAITING_SHARE = 1 / 2;
/** How often the relay looks for requests that have waited too long, while any wait. */
const CHECKED_EVERY_MS = 100;

/** A request in progress, with what its reply needs. */
interface Admitted extends AcceptedRequest {
  readonly untilMs: number;
  readonly secret: Secret;
  readonly clockSkewMs: number | undefined;
}

interface Discarded {
  readonly reason: DiscardReason;
  readonly correlationId?: string;
}

/** The relay as a Dynamic Authorization Server towards its clients (RFC 5176 section 1.3). */
export class CoaServer {
  readonly #options: CoaServerOptions;
  readonly #inProgress = new InProgress();
  readonly #window = new CloudWindow();
  readonly #waiting = new WaitingRoom<Admitted>(MAX_WAITING);
  readonly #rates = new RateLimit();
  #check: Timer | undefined;
  /** Set by `drain`; called when no request is in progress any more. */
  #drained: (() => void) | undefined;

  constructor(options: CoaServerOptions) {
    this.#options = options;
  }

  /** How many requests have no reply yet. */
  get inProgress(): number {
    return this.#inProgress.count(this.#options.clock.monotonicNow());
  }

  /** How many of them wait for their turn to be forwarded, by client. */
  get waiting(): readonly (readonly [client: string, waiting: number])[] {
    return this.#waiting.sizes;
  }

  /** A command that answers a request of this correlation id is sent to its NAS, or its outcome goes to the cloud. */
  commandAt(place: 'nas' | 'cloud', correlationId: string): void {
    const nowMs = this.#options.clock.monotonicNow();
    if (place === 'cloud') {
      this.#window.back(correlationId, nowMs);
      return;
    }
    this.#window.atNas(correlationId, nowMs);
    this.#forward();
  }

  /** Takes a datagram that came to the CoA port. It goes to the inbox, is refused, or is discarded and reported. */
  receive(datagram: Uint8Array, source: Endpoint): void {
    const client = this.#options.findClient(source.address);
    const discarded = this.#accept(datagram, source, client);
    if (discarded === undefined) return;
    this.#options.report({
      kind: 'discarded',
      ...discarded,
      source,
      ...(client !== undefined && { client: client.name }),
    });
  }

  /**
   * Sends a reply to a client. The message carries the request, which is verified again: this proves that the client
   * has sent it, selects the secret to sign with, works in a relay that has never seen the request, and needs no secret
   * in the cloud. A reply that is not sent is reported.
   */
  async answer(message: ReplyMessage): Promise<void> {
    const { findClient, clock, report } = this.#options;
    const { correlationId, origin, answer, errorCause } = message;
    const { address, port } = origin.client;
    const destination = { address, port };
    const request = authenticate(Buffer.from(origin.packet, 'base64'), findClient(address));
    if (!request.ok) {
      report({ kind: 'reply-not-sent', correlationId, destination, reason: request.reason });
      return;
    }
    const { packet, secret, client } = request;
    const reply = encodeReply(packet, secret, answer, errorCause);
    const began = this.#end(packet);
    this.#leaveCloud(correlationId);
    const isSent = await this.#sendReply(reply, destination, correlationId);
    // Its client may have repeated it from another port since, as one does that was restarted.
    if (began !== undefined && formatEndpoint(began.source) !== formatEndpoint(destination))
      await this.#sendReply(reply, began.source, correlationId);
    if (!isSent) return;
    report({
      kind: 'reply-sent',
      correlationId,
      client: client.name,
      destination,
      code: reply[0] ?? 0,
      ...(answer === 'nak' && errorCause !== undefined && { errorCause }),
      ...(began !== undefined && { latencyMs: clock.monotonicNow() - began.beganAtMs }),
    });
  }

  /** Discards requests from now on. Resolves when those in progress are answered, or `abandon` aborts. */
  drain(abandon: AbortSignal): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#drained = resolve;
      abandon.addEventListener('abort', () => resolve());
      this.#checkDrained();
    }).finally(() => this.#check?.cancel());
  }

  /** Checks a datagram, and takes the request on or refuses it. Returns why it was discarded, if it was. */
  #accept(datagram: Uint8Array, source: Endpoint, client: Client | undefined): Discarded | undefined {
    const { clock, clockSkewMs, newId, eventTimestampWindowSeconds } = this.#options;
    if (this.#drained !== undefined) return { reason: 'draining' };
    const receivedAtMs = clock.now();
    const nowMs = clock.monotonicNow();
    const request = checkRequest(datagram, client, receivedAtMs, eventTimestampWindowSeconds);
    if (!request.ok) return { reason: request.reason };
    const { packet, secret } = request;
    const repeated = this.#inProgress.repeat(packet, source, nowMs);
    if (repeated !== undefined) {
      return { reason: 'repeat-in-progress', correlationId: repeated.correlationId };
    }
    const { name, patienceSeconds, ratePerSecond } = request.client;
    const admitted = {
      correlationId: newId(),
      receivedAtMs,
      clockSkewMs: clockSkewMs(),
      client: name,
      patienceSeconds,
      source,
      packet,
      group: requestGroup(packet),
      secret,
      untilMs: nowMs + patienceSeconds * 1000 * WAITING_SHARE,
    };
    if (ratePerSecond !== undefined && !this.#rates.allows(name, ratePerSecond, nowMs)) {
      this.#refuse(admitted, 'rate');
    } else if (!this.#inProgress.hasRoom(name, nowMs)) {
      this.#refuse(admitted, 'in-progress');
    } else {
      this.#inProgress.begin(packet, admitted, nowMs);
      const pushedOut = this.#waiting.enter(admitted);
      if (pushedOut !== undefined) this.#refuse(pushedOut, 'waiting');
      this.#forward();
    }
    return undefined;
  }

  /** Forwards what waits, as far as the cloud has room for it, and refuses what has waited too long. */
  #forward(): void {
    const nowMs = this.#options.clock.monotonicNow();
    for (const late of this.#waiting.expire(nowMs)) this.#refuse(late, 'waited');
    while (this.#waiting.size > 0 && this.#window.hasRoom(nowMs)) {
      const next = this.#waiting.next();
      // It has waited for so long that a retransmission has taken its place.
      if (next === undefined) continue;
      if (this.#inProgress.find(next.packet, nowMs)?.correlationId !== next.correlationId) continue;
      this.#send(next, nowMs);
    }
    if (this.#waiting.size === 0 || this.#check !== undefined) return;
    this.#check = this.#options.clock.setTimeout(() => {
      this.#check = undefined;
      this.#forward();
    }, CHECKED_EVERY_MS);
  }

  #send(request: Admitted, nowMs: number): void {
    const { relay, inbox } = this.#options;
    const { correlationId, group, clockSkewMs } = request;
    const forwarded = inbox.offer(requestMessage(relay, request, clockSkewMs));
    if (forwarded === undefined) {
      this.#refuse(request, 'waiting');
      return;
    }
    this.#window.sent(correlationId, group, nowMs);
    void forwarded.then((isForwarded) => this.#settle(request, isForwarded));
  }

  #settle({ correlationId, client, source, packet }: AcceptedRequest, isForwarded: boolean): void {
    const { report } = this.#options;
    if (isForwarded) {
      const { code, identifier } = packet;
      report({ kind: 'request-forwarded', correlationId, client, source, code, identifier });
    } else {
      // The client's next retransmission is forwarded.
      this.#end(packet);
      this.#leaveCloud(correlationId);
      report({ kind: 'discarded', reason: 'inbox-unavailable', source, client, correlationId });
    }
  }

  /** Answers a request that the cloud has not heard of. Nothing is remembered of it: a repeat is a new request. */
  #refuse({ correlationId, client, source, packet, secret }: Admitted, reason: RefusalReason): void {
    this.#end(packet);
    this.#options.report({ kind: 'request-refused', correlationId, client, reason, source });
    const reply = encodeReply(packet, secret, 'nak', ERROR_CAUSE['Resources-Unavailable']);
    void this.#sendReply(reply, source, correlationId);
  }

  /** Resolves to whether the reply has left; if not, that is reported. */
  async #sendReply(reply: Uint8Array, destination: Endpoint, correlationId: string): Promise<boolean> {
    const { send, report } = this.#options;
    try {
      await send(reply, destination);
      return true;
    } catch (error) {
      const reason = 'send-failed';
      report({ kind: 'reply-not-sent', correlationId, destination, reason, error: String(error) });
      return false;
    }
  }

  #leaveCloud(correlationId: string): void {
    this.#window.ended(correlationId, this.#options.clock.monotonicNow());
    this.#forward();
  }

  #end(packet: Packet): RequestInProgress | undefined {
    const ended = this.#inProgress.end(packet);
    this.#checkDrained();
    return ended;
  }

  #checkDrained(): void {
    if (this.inProgress === 0) this.#drained?.();
  }
}
