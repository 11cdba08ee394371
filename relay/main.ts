// The container's entry: `node relay/main.ts SITE.yaml`. Where no volume can hold the site file, its text may be in the
// environment variable INTERLOCK_SITE.
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { SQSClient } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../core/config/problems.ts';
import { printableLines } from '../core/printable.ts';
import { systemClock } from './clock.ts';
import { udpTransport } from './radius/udp.ts';
import { startRelay } from './relay.ts';
import type { Environment } from './site/secrets.ts';
import { secretsManager } from './site/secrets-manager.ts';
import { type QueueUrls, queueBeside, type RelaySite, readSite, resolveSite } from './site/site.ts';
import { serveHttp } from './telemetry/http.ts';
import { logEvents } from './telemetry/log.ts';
import { withoutIdentity } from './telemetry/without-identity.ts';

try {
  await main(process.argv[2], process.env);
} catch (error) {
  process.stderr.write(printableLines(error instanceof ConfigurationError ? error.message : inspect(error)));
  process.exit(1);
}

async function main(argument: string | undefined, environment: Environment): Promise<void> {
  // The variable goes before the argument: the image's command line always has a path.
  const { INTERLOCK_SITE: text } = environment;
  const file = text ? 'INTERLOCK_SITE' : argument;
  if (file === undefined) throw new ConfigurationError(['usage: node relay/main.ts SITE.yaml']);
  const report = logEvents((line) => process.stdout.write(printableLines(line)), systemClock);
  const site = text
    ? await resolveSite(file, text, environment, report, secretsManager(systemClock))
    : await readSite(file, environment, report, secretsManager(systemClock));
  const queues = site.queues ?? queuesFrom(environment, file, site);
  const relay = await startRelay({
    site,
    queues,
    sqs: await sqsClient(environment),
    transport: udpTransport,
    serveHttp,
    clock: systemClock,
    random: Math.random,
    newId: randomUUID,
    report: site.logIdentity !== false ? report : (event) => report(withoutIdentity(event)),
  });
  const stop = async () => {
    await relay.drain();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function queuesFrom(environment: Environment, file: string, { name, intake }: RelaySite): QueueUrls {
  const missing: string[] = [];
  const url = (variable: string) => {
    const value = environment[variable];
    if (value === undefined || !URL.canParse(value)) missing.push(variable);
    return value ?? '';
  };
  const inbox = url('INTERLOCK_INBOX_URL');
  // A relay whose environment is older than its site file finds the feed queue beside the inbox.
  const feed = environment['INTERLOCK_FEED_URL'] ? undefined : queueBeside(inbox, name, 'feed');
  const queues = {
    inbox,
    ...(environment['INTERLOCK_OUTCOMES_URL'] && { outcomes: url('INTERLOCK_OUTCOMES_URL') }),
    outbox: url('INTERLOCK_OUTBOX_URL'),
    accounting: url('INTERLOCK_ACCOUNTING_URL'),
    ...(intake !== undefined && { feed: feed ?? url('INTERLOCK_FEED_URL') }),
  };
  if (missing.length > 0) {
    throw new ConfigurationError([
      `${file}: expected the queues' URLs, here under "queues" or in the environment as ${missing.join(', ')}`,
    ]);
  }
  return queues;
}

async function sqsClient(environment: Environment): Promise<SQSClient> {
  const hasOwnEndpoint = environment.AWS_ENDPOINT_URL_SQS ?? environment.AWS_ENDPOINT_URL;
  const sqs = new SQSClient({
    // TLS protects the bodies. An MD5 of each in addition takes a fifth of the time of a call.
    md5: false,
    // An emulator listens on AWS_ENDPOINT_URL, whatever host its queues' URLs have.
    useQueueUrlAsEndpoint: hasOwnEndpoint === undefined,
  });
  await sqs.config.region().catch(() => {
    throw new ConfigurationError(['expected the AWS region of the queues in the environment as AWS_REGION']);
  });
  return sqs;
}
