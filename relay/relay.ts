// The relay: what it is made of, how it starts and how it stops.
import type { SQSClient } from '@aws-sdk/client-sqs';
import { QUEUES } from '../core/cloud/queues.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import type { Endpoint } from '../core/endpoint.ts';
import { formatEndpoint } from '../core/endpoint.ts';
import { AccountingServers, type AccountingTimings } from './accounting-client.ts';
import { Accounting } from './accounting-delivery.ts';
import { CoaServer } from './coa-server.ts';
import { Commands } from './commands.ts';
import { type CommandTimings, NasClient } from './nas-client.ts';
import { runOutbox } from './outbox.ts';
import { LONG_POLL_SECONDS } from './queues/consume.ts';
import { Inbox } from './queues/inbox.ts';
import { Queue } from './queues/queue.ts';
import { RadiusClient } from './radius/client.ts';
import { bindSocket } from './radius/udp.ts';
import { findClientBySource } from './site/clients.ts';
import type { QueueUrls, RelaySite } from './site/site.ts';
import { Counters } from './telemetry/counters.ts';
import type { Report } from './telemetry/events.ts';
import { problemsOf } from './telemetry/health.ts';
import { serveHttp } from './telemetry/http.ts';
import { countEvents, showLoad } from './telemetry/metrics.ts';

/** Below the ten seconds that `docker stop` gives. */
const DRAIN_MS = 8_000;

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
    readonly commands?: Partial<CommandTimings>;
    readonly outboxVisibilitySeconds?: number;
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
  const { site, queues, sqs, now, monotonicNow, random, newId, timings = {} } = options;
  const counters = new Counters();
  const count = countEvents(counters);
  const report: Report = (event) => {
    count(event);
    options.report(event);
  };

  const inboxQueue = new Queue('inbox', queues.inbox, { sqs, now, report });
  const outbox = new Queue('outbox', queues.outbox, { sqs, now, report });
  const accountingQueue = new Queue('accounting', queues.accounting, { sqs, now, report });
  const inbox = new Inbox(inboxQueue);
  const coaServer = new CoaServer({
    relay: site.name,
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
  const { outboxVisibilitySeconds: visibilitySeconds = QUEUES.outbox.visibilityTimeoutSeconds } = timings;
  const commands = new Commands({
    outbox,
    inbox,
    nases: site.nases.map(
      (nas) => new NasClient(nas, { client: radiusClient, now, report, timings: timings.commands }),
    ),
    now,
    monotonicNow,
    report,
    visibilitySeconds,
  });
  const servers = new AccountingServers(site.accounting, {
    client: radiusClient,
    monotonicNow,
    report,
    timings: timings.accounting,
  });
  const accounting =
    site.accounting.length === 0
      ? undefined
      : new Accounting({
          queue: accountingQueue,
          servers,
          monotonicNow,
          report,
          visibilitySeconds: timings.accountingVisibilitySeconds,
        });
  const queuesInUse = accounting === undefined ? [inboxQueue, outbox] : [inboxQueue, outbox, accountingQueue];
  showLoad(counters, { coaServer, inbox, commands, accounting, queues: queuesInUse });

  const socket = await bindSocket(site.coa, {
    onDatagram: (datagram, source) => coaServer.receive(datagram, source),
    onError: (error) => report({ kind: 'socket-error', error: error.message }),
  }).catch(cannotListen('RADIUS', site.coa));
  let isDraining = false;
  const http = await serveHttp(site.http, {
    problems: () => [
      ...(isDraining ? ['the relay is draining'] : []),
      ...queuesInUse.flatMap((queue) => problemsOf(queue, now())),
    ],
    metrics: () => counters.render(),
  }).catch(async (error) => {
    await socket.close();
    return cannotListen('HTTP', site.http)(error);
  });

  const { local: coa, receiveBufferBytes } = socket;
  report({ kind: 'listening', site: site.name, coa, http: http.local, receiveBufferBytes });
  if (accounting === undefined) report({ kind: 'accounting-not-configured' });

  const noMoreReplies = new AbortController();
  const noMoreRecords = new AbortController();
  const abandon = new AbortController();
  const outboxRun = runOutbox(outbox, {
    coaServer,
    commands,
    report,
    stopping: noMoreReplies.signal,
    abandon: abandon.signal,
    visibilitySeconds,
  });
  const accountingRun = accounting?.run(noMoreRecords.signal, abandon.signal);

  async function drain(): Promise<void> {
    report({ kind: 'draining' });
    isDraining = true;
    const { drainMs = DRAIN_MS } = timings;
    // The last calls for replies have to end by themselves before what is still under way is given back.
    const lastCallMs = Math.max(0, drainMs - LONG_POLL_SECONDS * 1000);
    const lastCall = setTimeout(() => noMoreReplies.abort(), lastCallMs);
    const patience = setTimeout(() => abandon.abort(), drainMs);
    noMoreRecords.abort();
    // Until then commands are carried out, too. Requests in progress may need them, and a command that was received
    // counts as tried: nobody else would send it.
    await coaServer.drain(noMoreReplies.signal);
    noMoreReplies.abort();
    await Promise.all([outboxRun, accountingRun]);
    clearTimeout(lastCall);
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

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is already in use',
  EADDRNOTAVAIL: 'this machine does not have the address',
  EACCES: 'the port needs privileges that this process does not have',
};

const cannotListen = (what: string, endpoint: Endpoint) => (error: NodeJS.ErrnoException) => {
  const reason = LISTEN_ERRORS[error.code ?? ''] ?? error.message;
  throw new ConfigurationError([`cannot listen for ${what} on ${formatEndpoint(endpoint)}: ${reason}`]);
};
