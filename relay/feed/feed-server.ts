// The accounting server of the site towards its feeds (RFC 2866). What comes is checked, answered or forwarded, and what
// matters of it goes to the cloud.
import type { Endpoint } from '../../core/endpoint.ts';
import { CODE, type Packet } from '../../core/radius/packet.ts';
import { encodeAccountingResponse } from '../../core/requests/reply.ts';
import type { MonotonicClock } from '../clock.ts';
import type { Inbox } from '../queues/inbox.ts';
import { type AuthenticRequest, authenticateAccounting } from '../radius/checks.ts';
import type { Feed, FindBySource } from '../site/clients.ts';
import type { FeedDiscardReason, Report, UnansweredReason } from '../telemetry/events.ts';
import type { FeedProxy, Forwarded } from './feed-proxy.ts';
import type { Arrival } from './known-sessions.ts';
import { RecentRequests } from './recent-requests.ts';
import type { Tap } from './tap.ts';
import type { TapBuffer } from './tap-buffer.ts';

export interface FeedServerOptions {
  readonly findFeed: FindBySource<Feed>;
  readonly tap: Tap;
  /** To the feed queue, without waiting for SQS: for `copy`. */
  readonly queue: Inbox;
  /** To the same queue, as long as it takes: for `proxy`. */
  readonly buffer: TapBuffer;
  readonly proxy: FeedProxy;
  /** Sends a packet from the port that the feeds ask; rejects when it cannot leave. */
  readonly send: (packet: Uint8Array, destination: Endpoint) => Promise<void>;
  readonly clock: MonotonicClock;
  /** Milliseconds since 1970-01-01 UTC by the cloud's clock, as far as it is known. */
  readonly now: () => number;
  readonly report: Report;
}

interface FeedRequest extends AuthenticRequest<Feed> {
  readonly source: Endpoint;
  /** When the first of its repeats arrived, milliseconds since 1970-01-01 UTC. */
  readonly arrivedAtMs: number;
  /** When this one arrived, in monotonic time. */
  readonly beganAtMs: number;
}

/** Takes Accounting-Requests and Status-Servers. */
export class FeedServer {
  readonly #options: FeedServerOptions;
  readonly #recent = new RecentRequests();
  /** Set by `drain`; called when no request is in progress any more. */
  #drained: (() => void) | undefined;

  constructor(options: FeedServerOptions) {
    this.#options = options;
  }

  /** How many requests have no answer yet. */
  get inProgress(): number {
    return this.#recent.inProgress;
  }

  /** How many messages wait for SQS after their request was forwarded. */
  get buffered(): number {
    return this.#options.buffer.size;
  }

  /** How many sessions and services the relay remembers. */
  get known(): number {
    return this.#options.tap.known;
  }

  /** Takes a datagram that came to the accounting port. */
  receive(datagram: Uint8Array, source: Endpoint): void {
    const { findFeed, report } = this.#options;
    const feed = findFeed(source.address);
    const reason = this.#accept(datagram, source, feed);
    if (reason === undefined) return;
    report({ kind: 'feed-discarded', reason, source, ...(feed !== undefined && { feed: feed.name }) });
  }

  /** Begins with a request. Returns why it is discarded, if it is. */
  #accept(datagram: Uint8Array, source: Endpoint, feed: Feed | undefined): FeedDiscardReason | undefined {
    const { clock, now, proxy } = this.#options;
    if (this.#drained !== undefined) return 'draining';
    const authentic = authenticateAccounting(datagram, feed);
    if (!authentic.ok) return authentic.reason;
    const { packet, client } = authentic;
    const beganAtMs = clock.monotonicNow();
    const recent = this.#recent.find(source, packet, beganAtMs);
    const request = { ...authentic, source, arrivedAtMs: recent?.arrivedAtMs ?? now(), beganAtMs };
    if (packet.code === CODE.StatusServer) {
      void this.#send(request, encode(packet, authentic.secret, undefined));
      return undefined;
    }
    if (recent?.state === 'answered') {
      void this.#send(request, recent.answer);
      return undefined;
    }
    if (recent?.state === 'in-progress') {
      recent.onRepeat?.();
      return 'repeat-in-progress';
    }
    if (client.mode === 'proxy' && proxy.hasForwarded(packet)) return 'loop';
    void (client.mode === 'copy' ? this.#takeCopy(request) : this.#forward(request));
    return undefined;
  }

  /** Discards requests from now on. Resolves when those in progress are answered, or `abandon` aborts. */
  async drain(abandon: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      abandon.addEventListener('abort', () => resolve());
      if (abandon.aborted || this.inProgress === 0) resolve();
    });
    await this.#options.buffer.drain(abandon);
  }

  /** Answers when SQS has what matters of the request. Without an answer the client repeats it. */
  async #takeCopy(request: FeedRequest): Promise<void> {
    const { tap, queue } = this.#options;
    const taken = tap.take(request.packet, arrivalOf(request), (message) => queue.offer(message));
    if (taken === 'full') return this.#leave(request, 'queue-full');
    if (taken === 'stays') return this.#answer(request, undefined);
    this.#begin(request);
    if (await taken) return this.#answer(request, undefined);
    this.#leave(request, 'queue-unavailable');
  }

  /** Answers when the server has. The request leaves before the tap looks at it, and the tap is not waited for. */
  async #forward(request: FeedRequest): Promise<void> {
    const { tap, buffer, proxy, report } = this.#options;
    const { packet, client } = request;
    const feed = client.name;
    const onSent = () => report({ kind: 'feed-forwarded', feed });
    const { done, repeat } = proxy.forward(packet, onSent);
    this.#begin(request, () => {
      repeat();
      onSent();
    });
    const taken = tap.take(packet, arrivalOf(request), (message) => buffer.offer(message));
    if (taken === 'full') report({ kind: 'feed-dropped', feed });
    const forwarded = await done;
    if (forwarded.kind === 'reply') return this.#answer(request, forwarded.packet);
    this.#leave(request, REASONS[forwarded.kind], forwarded.server);
  }

  #begin({ source, packet, arrivedAtMs, beganAtMs }: FeedRequest, onRepeat?: () => void): void {
    const repeat = onRepeat && { onRepeat };
    this.#recent.put(source, packet, beganAtMs, { state: 'in-progress', arrivedAtMs, ...repeat });
  }

  async #answer(request: FeedRequest, answerOfServer: Packet | undefined): Promise<void> {
    const { packet, secret, source, arrivedAtMs } = request;
    const answer = encode(packet, secret, answerOfServer);
    const nowMs = this.#options.clock.monotonicNow();
    this.#recent.put(source, packet, nowMs, { state: 'answered', arrivedAtMs, answer });
    this.#checkDrained();
    await this.#send(request, answer);
  }

  /** Leaves a request without an answer: the next repeat is taken. */
  #leave(
    { source, packet, client, arrivedAtMs }: FeedRequest,
    reason: UnansweredReason,
    server?: string,
  ): void {
    const nowMs = this.#options.clock.monotonicNow();
    this.#recent.put(source, packet, nowMs, { state: 'unanswered', arrivedAtMs });
    this.#checkDrained();
    this.#reportUnanswered(client, reason, server);
  }

  async #send({ client, source, beganAtMs }: FeedRequest, response: Uint8Array): Promise<void> {
    const { send, clock, report } = this.#options;
    try {
      await send(response, source);
    } catch {
      this.#reportUnanswered(client, 'send-failed');
      return;
    }
    report({ kind: 'feed-answered', feed: client.name, latencyMs: clock.monotonicNow() - beganAtMs });
  }

  #reportUnanswered({ name }: Feed, reason: UnansweredReason, server?: string): void {
    const detail = server !== undefined && { server };
    this.#options.report({ kind: 'feed-unanswered', feed: name, reason, ...detail });
  }

  #checkDrained(): void {
    if (this.inProgress === 0) this.#drained?.();
  }
}

function arrivalOf({ client, beganAtMs, arrivedAtMs }: FeedRequest): Arrival {
  return { feed: client.name, atMs: beganAtMs, receivedAtMs: arrivedAtMs };
}

const REASONS: Readonly<Record<Exclude<Forwarded['kind'], 'reply'>, UnansweredReason>> = {
  timeout: 'server-timeout',
  unreachable: 'server-unreachable',
  busy: 'server-busy',
  aborted: 'draining',
  'too-long': 'too-long',
};

/** What the server has said besides is left out where it does not fit: the answer matters more. */
function encode(packet: Packet, secret: FeedRequest['secret'], answer: Packet | undefined): Uint8Array {
  try {
    return encodeAccountingResponse(packet, secret, answer);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return encodeAccountingResponse(packet, secret);
  }
}
