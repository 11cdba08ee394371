// The RADIUS server of the site (RFC 5176 section 2.3): a request of a client goes to the inbox, a reply from the
// outbox goes to the client. It decides which clients may ask. What a request means is decided in the cloud.
import type { Endpoint } from '../core/endpoint.ts';
import type { ReplyMessage } from '../core/messages.ts';
import type { Packet } from '../core/radius/packet.ts';
import { requestGroup } from '../core/requests/identification.ts';
import { encodeReply } from '../core/requests/reply.ts';
import type { Clock } from './clock.ts';
import { InProgress, type RequestInProgress } from './in-progress.ts';
import { type AcceptedRequest, requestMessage } from './messages.ts';
import type { Inbox } from './queues/inbox.ts';
import { authenticate, checkRequest } from './radius/checks.ts';
import type { Client, FindClient } from './site/clients.ts';
import type { DiscardReason, Report } from './telemetry/events.ts';

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

interface Discarded {
  readonly reason: DiscardReason;
  readonly correlationId?: string;
}

/** The relay as a Dynamic Authorization Server towards its clients (RFC 5176 section 1.3). */
export class CoaServer {
  readonly #options: CoaServerOptions;
  readonly #inProgress = new InProgress();
  /** Set by `drain`; called when no request is in progress any more. */
  #drained: (() => void) | undefined;

  constructor(options: CoaServerOptions) {
    this.#options = options;
  }

  /** How many requests have no reply yet. */
  get inProgress(): number {
    return this.#inProgress.count(this.#options.clock.monotonicNow());
  }

  /** Takes a datagram that came to the CoA port. It goes to the inbox, or is discarded and reported. */
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
    const { findClient, clock, send, report } = this.#options;
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
    const began = this.#end(destination, packet);
    try {
      await send(reply, destination);
    } catch (error) {
      report({
        kind: 'reply-not-sent',
        correlationId,
        destination,
        reason: 'send-failed',
        error: String(error),
      });
      return;
    }
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
    return new Promise((resolve) => {
      this.#drained = resolve;
      abandon.addEventListener('abort', () => resolve());
      this.#checkDrained();
    });
  }

  /** Checks a datagram and offers the request to the inbox. Returns why it was discarded, if it was. */
  #accept(datagram: Uint8Array, source: Endpoint, client: Client | undefined): Discarded | undefined {
    const { relay, inbox, clock, clockSkewMs, newId, eventTimestampWindowSeconds } = this.#options;
    if (this.#drained !== undefined) return { reason: 'draining' };
    const nowMs = clock.now();
    const request = checkRequest(datagram, client, nowMs, eventTimestampWindowSeconds);
    if (!request.ok) return { reason: request.reason };
    const { packet } = request;
    const correlationId = newId();
    const repeated = this.#inProgress.begin(source, packet, correlationId, clock.monotonicNow());
    if (repeated !== undefined) {
      return { reason: 'repeat-in-progress', correlationId: repeated.correlationId };
    }
    const group = requestGroup(packet);
    const { name, patienceSeconds } = request.client;
    const accepted = {
      correlationId,
      receivedAtMs: nowMs,
      client: name,
      patienceSeconds,
      source,
      packet,
      group,
    };
    const forwarded = inbox.offer(requestMessage(relay, accepted, clockSkewMs()));
    if (forwarded === undefined) {
      this.#end(source, packet);
      return { reason: 'inbox-full', correlationId };
    }
    void forwarded.then((isForwarded) => this.#settle(accepted, isForwarded));
    return undefined;
  }

  #settle({ correlationId, client, source, packet }: AcceptedRequest, isForwarded: boolean): void {
    const { report } = this.#options;
    if (isForwarded) {
      const { code, identifier } = packet;
      report({ kind: 'request-forwarded', correlationId, client, source, code, identifier });
    } else {
      // The client's next retransmission is forwarded.
      this.#end(source, packet);
      report({ kind: 'discarded', reason: 'inbox-unavailable', source, client, correlationId });
    }
  }

  #end(source: Endpoint, packet: Packet): RequestInProgress | undefined {
    const ended = this.#inProgress.end(source, packet);
    this.#checkDrained();
    return ended;
  }

  #checkDrained(): void {
    if (this.inProgress === 0) this.#drained?.();
  }
}
