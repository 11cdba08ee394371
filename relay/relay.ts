// The relay: what it is made of, how it starts and how it stops.
import type { SQSClient } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../core/config/problems.ts';
import type { Endpoint } from '../core/messages.ts';
import { Accounting } from './accounting.ts';
import { AccountingServers, type AccountingTimings } from './accounting-servers.ts';
import { findClientBySource } from './clients.ts';
import { CoaServer } from './coa-server.ts';
import { Counters } from './counters.ts';
import { formatEndpoint } from './endpoint.ts';
import type { Report } from './events.ts';
import { serveHttp } from './http.ts';
import { countEvents } from './metrics.ts';
import { runOutbox } from './outbox.ts';
import { Queue } from './queue.ts';
import { RadiusClient } from './radius-client.ts';
import type { QueueUrls, RelaySite } from './site.ts';
import { bindSocket } from './sockets.ts';

/** Below the ten seconds that `docker stop` gives. */
const DRAIN_MS = 8_000;
/** A failed call says nothing about a queue that nobody had to use for so long. */
const TROUBLE_MS = 60_000;

export interface RelayOptions {
  /** As `readSite` gives it. Port 0 takes a free one. */
  readonly site: RelaySite;
  readonly queues: QueueUrls;
  readonly sqs: SQSClient;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly now: () => number;
  /** Milliseconds since any moment, never set back: a step of the clock must not stop accounting. */
  readonly monotonicNow: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** A correlation id that no request had before, in any relay of the site. */
  readonly newId: () => string;
  readonly report: Report;
  readonly timings?: {
    /** How long `drain` waits for answers. @default 8000 */
    readonly drainMs?: number;
    readonly accounting?: Partial<AccountingTimings>;
    readonly accountingVisibilitySeconds?: number;
  };
}

export interface Relay {
  /** Where it listens in fact. */
  readonly coaAddress: Endpoint;
  readonly httpAddress: Endpoint;
  /** Takes on nothing new, waits some seconds for what is under way, then closes everything. */
  drain(): Promise<void>;
}

/** Starts a relay. @throws ConfigurationError when it cannot listen where the site file says. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { site, queues, now, monotonicNow, random, newId, timings = {} } = options;
  const counters = new Counters();
  const count = countEvents(counters);
  const report: Report = (event) => {
    count(event);
    options.report(event);
  };

  const inbox = new Queue('inbox', queues.inbox, { ...options, report });
  const outbox = new Queue('outbox', queues.outbox, { ...options, report });
  const accountingQueue = new Queue('accounting', queues.accounting, { ...options, report });
  const coaServer = new CoaServer({
    findClient: findClientBySource(site.clients),
    eventTimestampWindowSeconds: site.eventTimestampWindowSeconds,
    inbox,
    send: (datagram, destination) => socket.send(datagram, destination),
    now,
    monotonicNow,
    newId,
    report,
  });
  const radiusClient = new RadiusClient({
    monotonicNow,
    random,
    onIgnored: (server, reason) => report({ kind: 'reply-ignored', server: formatEndpoint(server), reason }),
  });
  const hasAccounting = site.accounting.length > 0;
  const accounting = new Accounting({
    queue: accountingQueue,
    servers: new AccountingServers(site.accounting, {
      client: radiusClient,
      report,
      timings: timings.accounting,
    }),
    monotonicNow,
    report,
    visibilitySeconds: timings.accountingVisibilitySeconds,
  });
  const queuesInUse = hasAccounting ? [inbox, outbox, accountingQueue] : [inbox, outbox];
  gauges(counters, { coaServer, accounting, queuesInUse });

  const socket = await bindSocket(site.coa, {
    onDatagram: (datagram, source) => coaServer.receive(datagram, source),
    onError: (error) => report({ kind: 'socket-error', error: error.message }),
  }).catch(cannotListen('RADIUS', site.coa));
  let isDraining = false;
  const http = await serveHttp(site.http, {
    problems: () => [
      ...(isDraining ? ['the relay is draining'] : []),
      ...queuesInUse.flatMap((queue) => problemOf(queue, now())),
    ],
    metrics: () => counters.render(),
  }).catch(async (error) => {
    await socket.close();
    return cannotListen('HTTP', site.http)(error);
  });

  const { local: coa, receiveBufferBytes } = socket;
  report({ kind: 'listening', coa, http: http.local, receiveBufferBytes });
  if (!hasAccounting) report({ kind: 'accounting-not-configured' });

  const noMoreReplies = new AbortController();
  const noMoreRecords = new AbortController();
  const abandon = new AbortController();
  const outboxRun = runOutbox(outbox, { coaServer, report, stopping: noMoreReplies.signal });
  const accountingRun = hasAccounting
    ? accounting.run(noMoreRecords.signal, abandon.signal)
    : Promise.resolve();

  async function drain(): Promise<void> {
    report({ kind: 'draining' });
    isDraining = true;
    const patience = setTimeout(() => abandon.abort(), timings.drainMs ?? DRAIN_MS);
    noMoreRecords.abort();
    await coaServer.drain(abandon.signal);
    noMoreReplies.abort();
    await Promise.all([outboxRun, accountingRun]);
    clearTimeout(patience);
    await Promise.all([socket.close(), http.close(), radiusClient.close()]);
    report({ kind: 'stopped' });
  }
  let drained: Promise<void> | undefined;
  return {
    coaAddress: coa,
    httpAddress: http.local,
    drain: () => {
      drained ??= drain();
      return drained;
    },
  };
}

function gauges(
  counters: Counters,
  {
    coaServer,
    accounting,
    queuesInUse,
  }: {
    readonly coaServer: CoaServer;
    readonly accounting: Accounting;
    readonly queuesInUse: readonly Queue[];
  },
): void {
  counters.gauge('interlock_relay_requests_in_progress', 'Requests without a reply so far.', () => [
    [{}, coaServer.load.inProgress],
  ]);
  counters.gauge('interlock_relay_inbox_waiting', 'Requests that wait for a call to SQS.', () => [
    [{}, coaServer.load.waiting],
  ]);
  counters.gauge('interlock_relay_accounting_held', 'Records without an Accounting-Response so far.', () => [
    [{}, accounting.size],
  ]);
  counters.gauge('interlock_relay_queue_reachable', 'Whether the last call to the queue succeeded.', () =>
    queuesInUse.map(({ name, health }) => [{ queue: name }, health.state === 'reachable' ? 1 : 0]),
  );
}

/** The inbox is called only when there is a request; nothing can be said of it before. */
function problemOf({ name, health }: Queue, nowMs: number): string[] {
  if (health.state === 'unknown' && name !== 'inbox') return [`${name}: not reached yet`];
  if (health.state === 'unreachable' && nowMs - health.atMs < TROUBLE_MS) return [`${name}: ${health.error}`];
  return [];
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
