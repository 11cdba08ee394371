// The relay: its parts, how it starts and how it stops.
import { QUEUES } from '../core/cloud/queues.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import type { Endpoint } from '../core/endpoint.ts';
import { formatEndpoint } from '../core/endpoint.ts';
import { AccountingClient, type AccountingTimings } from './accounting-client.ts';
import { AccountingDelivery } from './accounting-delivery.ts';
import { AccountingServers } from './accounting-servers.ts';
import type { Clock } from './clock.ts';
import { CloudClock } from './cloud-clock.ts';
import { CoaServer } from './coa-server.ts';
import { Commands } from './commands.ts';
import { FeedProxy, type ProxyTimings } from './feed/feed-proxy.ts';
import { FeedServer } from './feed/feed-server.ts';
import { KnownSessions } from './feed/known-sessions.ts';
import { StaleSessions } from './feed/stale-sessions.ts';
import { Tap } from './feed/tap.ts';
import { TapBuffer } from './feed/tap-buffer.ts';
import { HandledMessages } from './handled-messages.ts';
import { type CommandTimings, NasClient } from './nas-client.ts';
import { runOutbox } from './outbox.ts';
import { LONG_POLL_SECONDS } from './queues/consume.ts';
import { watchDates } from './queues/dates.ts';
import { Inbox } from './queues/inbox.ts';
import { Queue, type SqsClient } from './queues/queue.ts';
import { type IgnoredReply, RadiusClient } from './radius/client.ts';
import type { ServerEndpoint, Transport } from './radius/transport.ts';
import { findClientBySource } from './site/clients.ts';
import { type QueueUrls, queueBeside, type RelaySite } from './site/site.ts';
import { Counters } from './telemetry/counters.ts';
import type { Report } from './telemetry/events.ts';
import { problemsOf } from './telemetry/health.ts';
import type { ServeHttp } from './telemetry/http.ts';
import { countEvents, showLoad } from './telemetry/metrics.ts';

/** Less than the 10 s after which `docker stop` kills. */
const DRAIN_MS = 8_000;

/** How many records may wait for a call to SQS; beyond, their senders repeat them. */
const MAX_WAITING_RECORDS = 4096;

/** Replies and commands that are remembered, in 5 MB at most: those of three minutes at 60 switches a second. */
const HANDLED_MESSAGES = 32_768;

/** What a relay is made of. Everything that it has from outside is here. */
export interface RelayOptions {
  /** The result of `readSite`. Port 0 takes a free one. */
  readonly site: RelaySite;
  readonly queues: QueueUrls;
  readonly sqs: SqsClient;
  /** Carries RADIUS packets from and to clients, NASes and accounting servers. */
  readonly transport: Transport;
  readonly serveHttp: ServeHttp;
  readonly clock: Clock;
  /** Returns numbers from 0 up to 1. */
  readonly random: () => number;
  /** Returns a correlation id, unique over all relays of the site. */
  readonly newId: () => string;
  readonly report: Report;
  readonly timings?: {
    /** How long `drain` waits for what is in progress. @default 8000 */
    readonly drainMs?: number;
    readonly commands?: Partial<CommandTimings>;
    readonly outboxVisibilitySeconds?: number;
    readonly accounting?: Partial<AccountingTimings>;
    readonly accountingVisibilitySeconds?: number;
    readonly proxy?: Partial<ProxyTimings>;
  };
}

/** A relay that has been started. */
export interface Relay {
  /** The address and port for CoA-Requests that it listens on in fact. */
  readonly coaAddress: Endpoint;
  /** The address and port for Accounting-Requests that it listens on in fact, if it takes any. */
  readonly accountingAddress?: Endpoint;
  /** The address and port for HTTP that it listens on in fact. */
  readonly httpAddress: Endpoint;
  /** Discards new requests, waits up to 8 s for what is in progress, then closes everything. */
  drain(): Promise<void>;
}

/** Starts a relay. @throws ConfigurationError when it cannot listen on the addresses of the site file. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { site, queues, sqs, transport, clock, random, newId, timings = {} } = options;
  const runId = newId();
  const counters = new Counters();
  const count = countEvents(counters);
  const report: Report = (event) => {
    count(event);
    options.report(event);
  };

  const cloudClock = new CloudClock({ clock, report });
  watchDates(sqs, clock, (response) => cloudClock.observe(response));
  const inboxQueue = new Queue('inbox', queues.inbox, { sqs, clock, report });
  const outbox = new Queue('outbox', queues.outbox, { sqs, clock, report });
  const accountingQueue = new Queue('accounting', queues.accounting, { sqs, clock, report });
  const inbox = new Inbox(inboxQueue, { clock });
  const outcomesUrl = queues.outcomes ?? queueBeside(queues.inbox, site.name, 'outcomes');
  const outcomesQueue =
    outcomesUrl === undefined ? undefined : new Queue('outcomes', outcomesUrl, { sqs, clock, report });
  // Never full: no more commands are held than that.
  const outcomes = outcomesQueue && new Inbox(outcomesQueue, { clock, maxWaiting: MAX_WAITING_RECORDS });
  const coaServer = new CoaServer({
    relay: site.name,
    findClient: findClientBySource(site.clients),
    eventTimestampWindowSeconds: site.eventTimestampWindowSeconds,
    inbox,
    send: (packet, destination) => endpoint.send(packet, destination),
    clock,
    clockSkewMs: () => cloudClock.skew?.skewMs,
    newId,
    report,
  });
  const onIgnored = (server: Endpoint, reason: IgnoredReply) =>
    report({ kind: 'reply-ignored', server: formatEndpoint(server), reason });
  const radiusClient = new RadiusClient({ transport, clock, random, onIgnored });
  const { outboxVisibilitySeconds: visibilitySeconds = QUEUES.outbox.visibilityTimeoutSeconds } = timings;
  const knownSessions = new KnownSessions();
  const handled = new HandledMessages(HANDLED_MESSAGES);
  const commands = new Commands({
    outbox,
    outcomes: outcomes ?? inbox,
    inbox,
    handled,
    nases: site.nases.map(
      (nas) => new NasClient(nas, { client: radiusClient, clock, report, timings: timings.commands }),
    ),
    clock,
    cloudClock,
    onGone: (session) => knownSessions.doubt(session, cloudClock.now()),
    report,
    onPlace: (place, correlationId) => coaServer.commandAt(place, correlationId),
    visibilitySeconds,
  });
  const servers = new AccountingServers(site.accounting, report);
  const accountingClient = new AccountingClient(servers, {
    client: radiusClient,
    clock,
    report,
    timings: timings.accounting,
  });
  const accounting =
    site.accounting.length === 0
      ? undefined
      : new AccountingDelivery({
          queue: accountingQueue,
          client: accountingClient,
          clock,
          report,
          runId,
          visibilitySeconds: timings.accountingVisibilitySeconds,
        });
  const abandon = new AbortController();
  const { intake } = site;
  const feedQueue = intake && new Queue('feed', feedUrl(queues, site.name), { sqs, clock, report });
  // Apart from the other client: a burst of NASes must not take the Identifiers of Interlock's own records.
  const proxyClient = new RadiusClient({ transport, clock, random, onIgnored });
  const feedInbox = feedQueue && new Inbox(feedQueue, { clock, maxWaiting: MAX_WAITING_RECORDS });
  const feedServer = feedInbox && feedServerOf(feedInbox);
  const queuesInUse = [
    inboxQueue,
    ...(outcomesQueue === undefined ? [] : [outcomesQueue]),
    outbox,
    ...(accounting === undefined ? [] : [accountingQueue]),
    ...(feedQueue === undefined ? [] : [feedQueue]),
  ];
  showLoad(counters, { coaServer, inbox, commands, accounting, feedServer, queues: queuesInUse, cloudClock });

  const onError = (error: Error) => report({ kind: 'socket-error', error: error.message });
  const endpoint = await transport
    .bind(site.coa, { onPacket: (packet, source) => coaServer.receive(packet, source), onError })
    .catch(cannotListen('RADIUS', site.coa));
  const feedEndpoint =
    intake &&
    (await transport
      .bind(intake.address, { onPacket: (packet, source) => feedServer?.receive(packet, source), onError })
      .catch(async (error) => {
        await endpoint.close();
        return cannotListen('accounting', intake.address)(error);
      }));
  let isDraining = false;
  const http = await options
    .serveHttp(site.http, {
      problems: () => [
        ...(isDraining ? ['the relay is draining'] : []),
        ...queuesInUse.flatMap((queue) => problemsOf(queue, clock.monotonicNow())),
      ],
      metrics: () => counters.render(),
    })
    .catch(async (error) => {
      await Promise.all([endpoint.close(), feedEndpoint?.close()]);
      return cannotListen('HTTP', site.http)(error);
    });

  const { local: coa, receiveBufferBytes } = endpoint;
  const accountingAddress = feedEndpoint && { accounting: feedEndpoint.local };
  report({
    kind: 'listening',
    site: site.name,
    coa,
    http: http.local,
    ...accountingAddress,
    receiveBufferBytes,
  });
  if (accounting === undefined) report({ kind: 'accounting-not-configured' });

  const stopOutbox = new AbortController();
  const stopAccounting = new AbortController();
  const outboxRun = runOutbox(outbox, {
    coaServer,
    commands,
    handled,
    report,
    clock,
    stopping: stopOutbox.signal,
    abandon: abandon.signal,
    visibilitySeconds,
    runId,
  });
  const accountingRun = accounting?.run(stopAccounting.signal, abandon.signal);
  const stopSearch =
    feedInbox &&
    new StaleSessions({
      known: knownSessions,
      relay: site.name,
      queue: feedInbox,
      clock,
      now: cloudClock.now,
      newId,
      report,
    }).start();

  async function drain(): Promise<void> {
    report({ kind: 'draining' });
    isDraining = true;
    stopSearch?.();
    const { drainMs = DRAIN_MS } = timings;
    // The last calls to the outbox have to end by themselves before what is in progress is abandoned.
    const lastCallMs = Math.max(0, drainMs - LONG_POLL_SECONDS * 1000);
    const lastCall = clock.setTimeout(() => stopOutbox.abort(), lastCallMs);
    const deadline = clock.setTimeout(() => abandon.abort(), drainMs);
    stopAccounting.abort();
    // Until then commands are carried out, too. Requests in progress may need them, and no other relay would send a
    // command that was received once.
    const feedDrained = feedServer?.drain(abandon.signal);
    await coaServer.drain(stopOutbox.signal);
    stopOutbox.abort();
    await Promise.all([outboxRun, accountingRun, feedDrained]);
    lastCall.cancel();
    deadline.cancel();
    await Promise.all([
      endpoint.close(),
      feedEndpoint?.close(),
      http.close(),
      radiusClient.close(),
      proxyClient.close(),
    ]);
    report({ kind: 'stopped' });
  }

  function feedServerOf(queue: Inbox): FeedServer {
    const { feeds = [], nases = [] } = intake ?? {};
    return new FeedServer({
      findFeed: findClientBySource(feeds),
      tap: new Tap({
        relay: site.name,
        nases,
        windowSeconds: site.eventTimestampWindowSeconds,
        known: knownSessions,
        newId,
        report,
      }),
      queue,
      buffer: new TapBuffer(queue, { clock }),
      proxy: new FeedProxy(servers, {
        client: proxyClient,
        random,
        abandon: abandon.signal,
        timings: timings.proxy,
      }),
      send: (packet, destination) => (feedEndpoint as ServerEndpoint).send(packet, destination),
      clock,
      now: cloudClock.now,
      report,
    });
  }

  let drained: Promise<void> | undefined;
  return {
    coaAddress: coa,
    ...(feedEndpoint !== undefined && { accountingAddress: feedEndpoint.local }),
    httpAddress: http.local,
    drain: () => {
      drained ??= drain();
      return drained;
    },
  };
}

/** @throws ConfigurationError when there is none. */
function feedUrl({ inbox, ...urls }: QueueUrls, site: string): string {
  const feed = urls.feed ?? queueBeside(inbox, site, 'feed');
  if (feed !== undefined) return feed;
  throw new ConfigurationError([
    'queues: expected feed, the URL of the queue for what accountingFrom brings',
  ]);
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is already in use',
  EADDRNOTAVAIL: 'this machine does not have the address',
  EACCES: 'the port needs privileges that this process does not have',
};

const cannotListen = (what: string, endpoint: Endpoint) => (error: NodeJS.ErrnoException) => {
  const reason = LISTEN_ERRORS[error.code ?? ''] ?? error.message;
  throw new ConfigurationError([`cannot listen for ${what} on ${formatEndpoint(endpoint)}: ${reason}`]);
};
