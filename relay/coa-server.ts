// The site's side towards its clients: a datagram becomes a request in the inbox, a reply from the outbox becomes a
// datagram. It decides who may ask, and nothing about what is asked.
import type { Endpoint } from '../core/endpoint.ts';
import type { ReplyMessage } from '../core/messages.ts';
import type { Packet } from '../core/radius/packet.ts';
import { encodeReply } from '../core/requests/reply.ts';
import { InProgress, type RequestInProgress } from './in-progress.ts';
import { requestMessage, type TakenRequest } from './messages.ts';
import type { Inbox } from './queues/inbox.ts';
import { authenticate, checkRequest } from './radius/checks.ts';
import type { Client, FindClient } from './site/clients.ts';
import type { DiscardReason, Report } from './telemetry/events.ts';

export interface CoaServerOptions {
  /** What the cloud calls this relay. */
  readonly relay: string;
  readonly findClient: FindClient;
  readonly eventTimestampWindowSeconds: number;
  readonly inbox: Inbox;
  /** Sends a datagram from the port that clients ask (RFC 5176 section 2.3); rejects when it cannot leave. */
  readonly send: (datagram: Uint8Array, destination: Endpoint) => Promise<void>;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly now: () => number;
  /** Milliseconds since any moment, never set back. */
  readonly monotonicNow: () => number;
  /** A correlation id that no request had before. */
  readonly newId: () => string;
  readonly report: Report;
}

interface Discarded {
  readonly reason: DiscardReason;
  readonly correlationId?: string;
}

export class CoaServer {
  readonly #options: CoaServerOptions;
  readonly #inProgress = new InProgress();
  /** Set from `drain` on; called when the last request in progress is over. */
  #drained: (() => void) | undefined;

  constructor(options: CoaServerOptions) {
    this.#options = options;
  }

  /** How many requests wait for their reply. */
  get inProgress(): number {
    return this.#inProgress.count(this.#options.monotonicNow());
  }

  /** Takes a datagram that came to the CoA port: into the inbox, or nowhere. */
  receive(datagram: Uint8Array, source: Endpoint): void {
    const client = this.#options.findClient(source.address);
    const discarded = this.#takeOn(datagram, source, client);
    if (discarded === undefined) return;
    this.#options.report({
      kind: 'discarded',
      ...discarded,
      source,
      ...(client !== undefined && { client: client.name }),
    });
  }

  /**
   * Answers a client. Its request came along and is verified once more: this proves that the client did ask, picks
   * the secret to sign with, works in a relay that never saw the request, and needs no secret in the cloud.
   */
  async answer(message: ReplyMessage): Promise<void> {
    const { findClient, monotonicNow, send, report } = this.#options;
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
      ...(began !== undefined && { latencyMs: monotonicNow() - began.beganAtMs }),
    });
  }

  /** Takes on no more requests; resolves when those in progress have been answered, or `abandon` aborts. */
  drain(abandon: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      abandon.addEventListener('abort', () => resolve());
      this.#checkDrained();
    });
  }

  #takeOn(datagram: Uint8Array, source: Endpoint, client: Client | undefined): Discarded | undefined {
    const { relay, inbox, now, monotonicNow, newId, eventTimestampWindowSeconds } = this.#options;
    if (this.#drained !== undefined) return { reason: 'draining' };
    const receivedAtMs = now();
    const request = checkRequest(datagram, client, receivedAtMs, eventTimestampWindowSeconds);
    if (!request.ok) return { reason: request.reason };
    const { packet } = request;
    const correlationId = newId();
    const repeated = this.#inProgress.begin(source, packet, correlationId, monotonicNow());
    if (repeated !== undefined) {
      return { reason: 'repeat-in-progress', correlationId: repeated.correlationId };
    }
    const taken = { correlationId, receivedAtMs, client: request.client.name, source, packet };
    const forwarded = inbox.offer(requestMessage(relay, taken));
    if (forwarded === undefined) {
      this.#end(source, packet);
      return { reason: 'inbox-full', correlationId };
    }
    void forwarded.then((isForwarded) => this.#settle(taken, isForwarded));
    return undefined;
  }

  #settle({ correlationId, client, source, packet }: TakenRequest, isForwarded: boolean): void {
    const { report } = this.#options;
    if (isForwarded) {
      const { code, identifier } = packet;
      report({ kind: 'request-forwarded', correlationId, client, source, code, identifier });
    } else {
      // The client's next repeat is a new chance.
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
