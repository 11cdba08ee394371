// The metrics for Prometheus, made of events and of the relay's load.
import { errorCauseLabel } from '../../core/requests/describe-packet.ts';
import type { AccountingDelivery } from '../accounting-delivery.ts';
import type { CloudClock } from '../cloud-clock.ts';
import type { CoaServer } from '../coa-server.ts';
import type { Commands } from '../commands.ts';
import type { FeedServer } from '../feed/feed-server.ts';
import type { Inbox } from '../queues/inbox.ts';
import type { Queue } from '../queues/queue.ts';
import type { Counters } from './counters.ts';
import type { Report } from './events.ts';

/** A reply within 2 s comes before the client's first retransmission (RFC 5080 section 2.2.1: IRT 2 s). */
const LATENCY_BOUNDS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30];

/** Returns a sink that counts events into `counters`. */
export function countEvents(counters: Counters): Report {
  const forwarded = counters.counter(
    'interlock_relay_requests_forwarded_total',
    'Requests that reached the inbox, by client.',
  );
  const requestsRefused = counters.counter(
    'interlock_relay_requests_refused_total',
    'Requests that the relay itself answered with 506, by client and reason.',
  );
  const discarded = counters.counter(
    'interlock_relay_discarded_total',
    'Datagrams to the CoA port that got no further, by reason.',
  );
  const replies = counters.counter(
    'interlock_relay_replies_total',
    'Replies to clients, by RADIUS code and Error-Cause.',
  );
  const replyLatency = counters.histogram(
    'interlock_relay_reply_latency_seconds',
    'From a request to its reply.',
    LATENCY_BOUNDS_SECONDS,
  );
  const unsent = counters.counter(
    'interlock_relay_replies_not_sent_total',
    'Replies that could not be sent, by reason.',
  );
  const left = counters.counter(
    'interlock_relay_messages_left_total',
    'Messages left in their queue, by queue and reason.',
  );
  const repeated = counters.counter(
    'interlock_relay_messages_repeated_total',
    'Messages that said what was done already, by queue.',
  );
  const commands = counters.counter(
    'interlock_relay_commands_total',
    'Commands that were sent to a NAS, by NAS and result.',
  );
  const commandLatency = counters.histogram(
    'interlock_relay_command_latency_seconds',
    'From a CoA-Request to the CoA-ACK or CoA-NAK of its NAS.',
    LATENCY_BOUNDS_SECONDS,
  );
  const commandsNotSent = counters.counter(
    'interlock_relay_commands_not_sent_total',
    'Commands that were not sent, by reason.',
  );
  const records = counters.counter(
    'interlock_relay_accounting_answered_total',
    'Records that an accounting server acknowledged, by server.',
  );
  const recordLatency = counters.histogram(
    'interlock_relay_accounting_latency_seconds',
    'From an Accounting-Request to its response.',
    LATENCY_BOUNDS_SECONDS,
  );
  const unanswered = counters.counter(
    'interlock_relay_accounting_unanswered_total',
    'Attempts that a server left unanswered, by server and result.',
  );
  const unsendable = counters.counter(
    'interlock_relay_accounting_not_sent_total',
    'Records that fit into no packet, and were deleted from their queue.',
  );
  const ignored = counters.counter(
    'interlock_relay_replies_ignored_total',
    'Datagrams of a server that answered no request of ours, by server and reason.',
  );
  const refused = counters.counter(
    'interlock_relay_queue_entries_refused_total',
    'Entries of a batch that SQS refused, by queue.',
  );
  const socketErrors = counters.counter(
    'interlock_relay_socket_errors_total',
    'Errors of the sockets for requests.',
  );
  const feedReceived = counters.counter(
    'interlock_relay_feed_received_total',
    'Accounting-Requests that were verified and understood, by feed and status.',
  );
  const feedDiscarded = counters.counter(
    'interlock_relay_feed_discarded_total',
    'Datagrams to the accounting port that got no further, by reason.',
  );
  const feedRefused = counters.counter(
    'interlock_relay_feed_refused_total',
    'Accounting-Requests from which nothing can be learned, by feed and reason.',
  );
  const feedKept = counters.counter(
    'interlock_relay_feed_kept_total',
    'Accounting-Requests that are not for the cloud, by feed and reason.',
  );
  const feedQueued = counters.counter(
    'interlock_relay_feed_queued_total',
    'Accounting-Requests, and stale sessions, that the cloud was told of, by feed and status.',
  );
  const feedDropped = counters.counter(
    'interlock_relay_feed_dropped_total',
    'Forwarded Accounting-Requests that the cloud was not told of, by feed.',
  );
  const feedWrongClock = counters.counter(
    'interlock_relay_feed_wrong_clock_total',
    'Accounting-Requests whose Event-Timestamp is too far from their arrival, by feed and NAS.',
  );
  const feedForwarded = counters.counter(
    'interlock_relay_feed_forwarded_total',
    'Accounting-Requests that were sent to an accounting server, repeats included, by feed.',
  );
  const feedAnswered = counters.counter(
    'interlock_relay_feed_answered_total',
    'Answers to Accounting-Requests and Status-Servers, by feed.',
  );
  const feedUnanswered = counters.counter(
    'interlock_relay_feed_unanswered_total',
    'Accounting-Requests that got no answer, by feed and reason.',
  );
  const feedLatency = counters.histogram(
    'interlock_relay_feed_latency_seconds',
    'From an Accounting-Request of a feed to its answer.',
    LATENCY_BOUNDS_SECONDS,
  );

  return (event) => {
    switch (event.kind) {
      case 'request-forwarded':
        return forwarded({ client: event.client });
      case 'request-refused':
        return requestsRefused({ client: event.client, reason: event.reason });
      case 'discarded':
        return discarded({ reason: event.reason });
      case 'reply-sent':
        if (event.latencyMs !== undefined) replyLatency(event.latencyMs / 1000);
        return replies({
          code: String(event.code),
          error_cause: event.errorCause === undefined ? '' : errorCauseLabel(event.errorCause),
        });
      case 'reply-not-sent':
        return unsent({ reason: event.reason });
      case 'message-left':
        return left({ queue: event.queue, reason: event.reason });
      case 'message-repeated':
        return repeated({ queue: event.queue });
      case 'command-answered':
        commandLatency(event.latencyMs / 1000);
        return commands({ nas: event.nas, result: event.result });
      case 'command-unanswered':
        return commands({ nas: event.nas, result: event.result });
      case 'command-not-sent':
        return commandsNotSent({ reason: event.reason });
      case 'accounting-answered':
        recordLatency(event.latencyMs / 1000);
        return records({ server: event.server });
      case 'accounting-unanswered':
        return unanswered({ server: event.server, result: event.result });
      case 'accounting-not-sent':
        return unsendable();
      case 'reply-ignored':
        return ignored({ server: event.server, reason: event.reason });
      case 'queue-entry-refused':
        return refused({ queue: event.queue });
      case 'socket-error':
        return socketErrors();
      case 'feed-received':
        return feedReceived({ feed: event.feed, status: event.status });
      case 'feed-discarded':
        return feedDiscarded({ reason: event.reason });
      case 'feed-refused':
        return feedRefused({ feed: event.feed, reason: event.reason });
      case 'feed-kept':
        return feedKept({ feed: event.feed, reason: event.reason });
      case 'feed-queued':
        return feedQueued({ feed: event.feed, status: event.status });
      case 'feed-dropped':
        return feedDropped({ feed: event.feed });
      case 'feed-wrong-clock':
        return feedWrongClock({ feed: event.feed, nas: event.nas });
      case 'feed-forwarded':
        return feedForwarded({ feed: event.feed });
      case 'feed-answered':
        feedLatency(event.latencyMs / 1000);
        return feedAnswered({ feed: event.feed });
      case 'feed-unanswered':
        return feedUnanswered({ feed: event.feed, reason: event.reason });
    }
  };
}

/** Adds gauges to `counters` that show at each scrape how many things the parts of a relay hold. */
export function showLoad(
  counters: Counters,
  {
    coaServer,
    inbox,
    commands,
    accounting,
    feedServer,
    queues,
    cloudClock,
  }: {
    readonly coaServer: CoaServer;
    readonly inbox: Inbox;
    readonly commands: Commands;
    readonly accounting: AccountingDelivery | undefined;
    readonly feedServer: FeedServer | undefined;
    readonly queues: readonly Queue[];
    readonly cloudClock: CloudClock;
  },
): void {
  counters.gauge('interlock_relay_requests_in_progress', 'Requests without a reply so far.', () => [
    [{}, coaServer.inProgress],
  ]);
  counters.gauge(
    'interlock_relay_requests_waiting',
    'Requests that wait for their turn to be forwarded, by client.',
    () => coaServer.waiting.map(([client, waiting]) => [{ client }, waiting]),
  );
  counters.gauge('interlock_relay_inbox_waiting', 'Messages that wait for a call to SQS.', () => [
    [{}, inbox.size],
  ]);
  counters.gauge('interlock_relay_commands_in_flight', 'Commands without an answer so far, by NAS.', () =>
    commands.inFlight.map(([nas, inFlight]) => [{ nas }, inFlight]),
  );
  counters.gauge('interlock_relay_commands_held', 'Commands whose outcome the cloud does not have.', () => [
    [{}, commands.size],
  ]);
  counters.gauge('interlock_relay_accounting_held', 'Records without an Accounting-Response so far.', () => [
    [{}, accounting?.size ?? 0],
  ]);
  counters.gauge(
    'interlock_relay_feed_in_progress',
    'Accounting-Requests of feeds without an answer so far.',
    () => [[{}, feedServer?.inProgress ?? 0]],
  );
  counters.gauge(
    'interlock_relay_feed_buffered',
    'Messages about forwarded Accounting-Requests that wait for SQS.',
    () => [[{}, feedServer?.buffered ?? 0]],
  );
  counters.gauge(
    'interlock_relay_feed_sessions_known',
    'Sessions and services whose unchanged Interim-Updates stay at the site.',
    () => [[{}, feedServer?.known ?? 0]],
  );
  counters.gauge('interlock_relay_queue_reachable', 'Whether the last call to the queue succeeded.', () =>
    queues.map(({ name, health }) => [{ queue: name }, health.state === 'reachable' ? 1 : 0]),
  );
  counters.gauge(
    'interlock_relay_clock_skew_seconds',
    "What the clock of this machine is ahead of the cloud's; negative when it is behind.",
    () => (cloudClock.skew === undefined ? [] : [[{}, cloudClock.skew.skewMs / 1000]]),
  );
}
