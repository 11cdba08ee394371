// Interlock in one process: the emulated cloud, the functions that are deployed to AWS, and the relay.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SQSClient } from '@aws-sdk/client-sqs';
import { volumeWarnings } from '../core/config/accounting-warnings.ts';
import { unknownServiceWarnings } from '../core/config/client-warnings.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { parseServicesWithPlaces } from '../core/config/services-file.ts';
import { parseSiteWithPlaces } from '../core/config/site-file.ts';
import { deploymentOf } from '../core/deployment.ts';
import type { Endpoint } from '../core/endpoint.ts';
import type { Attribute } from '../core/radius/codec.ts';
import type { AccountReport } from '../functions/account/account.ts';
import { withoutIdentity as withoutIdentityOfSession } from '../functions/shared/without-identity.ts';
import { type Clock, systemClock } from '../relay/clock.ts';
import { udpTransport } from '../relay/radius/udp.ts';
import { type Relay, startRelay } from '../relay/relay.ts';
import { type Feed, findClientBySource } from '../relay/site/clients.ts';
import { secretsManager } from '../relay/site/secrets-manager.ts';
import { type RelaySite, readSite } from '../relay/site/site.ts';
import type { RelayEvent } from '../relay/telemetry/events.ts';
import { serveHttp } from '../relay/telemetry/http.ts';
import { withoutIdentity } from '../relay/telemetry/without-identity.ts';
import { type EmbeddedCloud, startEmbeddedCloud } from './cloud/embedded-cloud.ts';
import { type FunctionEvent, startFunctions } from './cloud/functions.ts';
import { createHandlers, type HandlerEvent, type Handlers, type HandlersOptions } from './cloud/handlers.ts';
import { exampleLogOn, exampleRequest, reachable } from './demo/example-request.ts';
import { startAccountingSink } from './peers/accounting-sink.ts';
import { type BuiltInNas, startBuiltInNas } from './peers/built-in-nas.ts';
import type { NasAccountingOptions } from './peers/nas-accounting.ts';
import type { NasRecord } from './peers/scripted-nas.ts';

/** An event of any part, with its source. */
export type SystemEvent =
  | { readonly source: 'relay'; readonly event: RelayEvent }
  | FunctionEvent
  | {
      readonly source: 'configuration';
      readonly event: { readonly kind: 'warning'; readonly warning: string };
    }
  | {
      readonly source: 'sink';
      readonly event: { readonly kind: 'recorded'; readonly attributes: readonly Attribute[] };
    }
  | {
      readonly source: 'nas';
      /** `nas` is its name in the site file. */
      readonly event: { readonly kind: 'answered'; readonly nas: string } & NasRecord;
    };

export interface SystemOptions {
  readonly servicesFile: string;
  readonly siteFile: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Keeps the state over a restart. @default none: the state is in memory */
  readonly dataDirectory?: string;
  /** A DynamoDB to use instead of the embedded one. */
  readonly dynamodbEndpoint?: string;
  /** Start built-in accounting servers and NASes on local addresses where none listens. @default true */
  readonly builtIn?: boolean;
  /** @default 60, as on AWS */
  readonly sweepIntervalSeconds?: number;
  /** Creates the handlers that are invoked. @default the functions, in this process */
  readonly handlers?: (options: HandlersOptions) => Handlers;
  /** The clock of the relay. @default that of this machine */
  readonly relayClock?: Clock;
  readonly report: (event: SystemEvent) => void;
}

export interface System {
  readonly site: string;
  readonly coaAddress: Endpoint;
  readonly httpAddress: Endpoint;
  /** Addresses on which a built-in accounting server listens. */
  readonly sinks: readonly Endpoint[];
  /** The NASes of the site that are built-in ones. */
  readonly nases: readonly BuiltInNas[];
  /** A shell command that sends a request with radclient. */
  readonly example: string;
  /** A shell command that logs a subscriber on with radclient; absent where the relay takes no accounting. */
  readonly logOnExample?: string;
  readonly cloud: EmbeddedCloud;
  readonly relay: Relay;
  stop(): Promise<void>;
}

/**
 * Starts all parts. Once it resolves, requests are answered.
 * @throws ConfigurationError when a file cannot be used, or an address or directory is taken
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const {
    servicesFile,
    siteFile,
    environment,
    dataDirectory,
    builtIn = true,
    handlers = createHandlers,
    relayClock = systemClock,
    report,
  } = options;
  const services = parseServicesWithPlaces(servicesFile, await readText(servicesFile));
  const catalogue = services.value;
  const parsedSite = parseSiteWithPlaces(siteFile, await readText(siteFile));
  const siteDefinition = parsedSite.value;
  for (const warning of [
    ...volumeWarnings(services, [siteDefinition]),
    ...unknownServiceWarnings(parsedSite, catalogue),
  ])
    report({ source: 'configuration', event: { kind: 'warning', warning } });
  const nases: BuiltInNas[] = [];
  const { logIdentity } = siteDefinition;
  const reportRelay = (event: RelayEvent) => {
    report({ source: 'relay', event: logIdentity ? event : withoutIdentity(event) });
    // Whatever else accounts for a built-in NAS, such as radclient, logs subscribers on and off there.
    if (event.kind !== 'feed-queued' || event.service !== undefined) return;
    const { nas, status, acctSessionId } = event;
    if (status === 'stale') return;
    const record = { status, ...(acctSessionId !== undefined && { acctSessionId }) };
    nases.find(({ name }) => name === nas)?.accountedElsewhere(record);
  };
  const reportHandler = (reported: HandlerEvent) => {
    if (logIdentity || reported.source === 'sweep') return report(reported);
    const { source, event } = reported;
    if (source === 'account') return report({ source, event: withoutAttributes(event) });
    report({ source, event: withoutIdentityOfSession(event) } as HandlerEvent);
  };
  const relaySite = await readSite(siteFile, environment, reportRelay, secretsManager(systemClock));
  const { site } = siteDefinition;
  const deployment = deploymentOf(catalogue, [siteDefinition]);

  const parts: { stop(): Promise<unknown> }[] = [];
  /** Stops the parts in reverse order. */
  const stop = async () => {
    for (const part of parts.splice(0).reverse()) await part.stop();
  };
  const started = <P extends { stop(): Promise<unknown> }>(part: P): P => {
    parts.push(part);
    return part;
  };
  try {
    const problem = (sentence: string) =>
      report({ source: 'cloud', event: { kind: 'problem', problem: sentence } });
    const cloud = started(
      await startEmbeddedCloud({
        sites: [site],
        ...(dataDirectory !== undefined && { dataDirectory }),
        ...(options.dynamodbEndpoint !== undefined && { dynamodbEndpoint: options.dynamodbEndpoint }),
        onDeath: problem,
      }),
    );
    const queues = cloud.queues[site];
    if (queues === undefined) throw new Error(`there are no queues of the site ${site}`);
    started(
      startFunctions({
        cloud,
        handlers: handlers({ cloud, deployment, report: reportHandler }),
        checkpointFile: dataDirectory && join(dataDirectory, 'stream.json'),
        sweepIntervalSeconds: options.sweepIntervalSeconds,
        report,
      }),
    );

    const sinks: Endpoint[] = [];
    for (const { address, port, secret } of builtIn ? relaySite.accounting : []) {
      const onRecord = (attributes: readonly Attribute[]) =>
        report({ source: 'sink', event: { kind: 'recorded', attributes } });
      const sink = await startAccountingSink({ address, port }, [secret], onRecord);
      if (sink !== undefined) sinks.push(started(sink).address);
    }
    let relay: Relay | undefined;
    const feedOfNases = feedTo(relaySite, () => relay?.accountingAddress);
    const profiles = (deployment.nasesBySite[site] ?? []).map(({ profile }) => profile);
    for (const nas of builtIn ? siteDefinition.nases : []) {
      const { name } = nas;
      const secrets = relaySite.nases.find((one) => one.name === name)?.secrets ?? [];
      const onRecord = (entry: NasRecord) =>
        report({ source: 'nas', event: { kind: 'answered', nas: name, ...entry } });
      const { identity = {} } = profiles.find((profile) => profile.name === name) ?? {};
      const standIn = await startBuiltInNas(nas, secrets, onRecord, { ...feedOfNases, identity });
      if (standIn !== undefined) nases.push(started(standIn));
    }
    const running = await startRelay({
      site: relaySite,
      queues: {
        inbox: queues.inbox.url,
        outcomes: queues.outcomes.url,
        outbox: queues.outbox.url,
        accounting: queues.accounting.url,
        feed: queues.feed.url,
      },
      sqs: new SQSClient(cloud.sqs),
      transport: udpTransport,
      serveHttp,
      clock: relayClock,
      random: Math.random,
      newId: randomUUID,
      report: reportRelay,
    });
    relay = running;
    started({ stop: () => running.drain() });
    const { coaAddress, httpAddress, accountingAddress } = running;
    const asker = findClientBySource(relaySite.clients)(reachable(coaAddress).address);
    const example = exampleRequest({
      coaAddress,
      catalogue,
      nases: deployment.nasesBySite[site] ?? [],
      client: siteDefinition.clients.find(({ name }) => name === asker?.name),
    });
    const logOnExample =
      accountingAddress &&
      exampleLogOn({
        accountingAddress,
        nases: deployment.nasesBySite[site] ?? [],
        feed: siteDefinition.accountingFrom.find(({ name }) => name === feedFrom(relaySite)?.name),
      });
    return {
      ...(logOnExample !== undefined && { logOnExample }),
      site,
      coaAddress,
      httpAddress,
      sinks,
      nases,
      example,
      cloud,
      relay: running,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Where the built-in NASes account: with the first accounting server of the site and, if the relay takes the accounting of
 * this machine, with the relay, which then has their sessions, too. In the mode `proxy` the relay forwards it to that server.
 */
function feedTo(
  relaySite: RelaySite,
  address: () => Endpoint | undefined,
): Omit<NasAccountingOptions, 'identity'> {
  const [server] = relaySite.accounting;
  const feed = feedFrom(relaySite);
  const [secret] = feed?.secrets ?? [];
  if (feed === undefined || secret === undefined) return { server };
  const relay = () => {
    const listening = address();
    return listening && { ...reachable(listening), secret };
  };
  return { ...(feed.mode === 'copy' && { server }), relay, accountsSessions: true };
}

/** The feed that records from this machine belong to, if the site has one. */
function feedFrom({ intake }: RelaySite): Feed | undefined {
  return intake && findClientBySource(intake.feeds)(reachable(intake.address).address);
}

/** account's own log has no attributes at all. */
function withoutAttributes(event: AccountReport): AccountReport {
  if (event.kind !== 'accounted') return event;
  const { record } = event;
  return { ...event, record: { ...record, message: { ...record.message, attributes: '' } } };
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError([`${file}: cannot be read (${error.code})`]);
  });
}
