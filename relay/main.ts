// The container's entry: `node relay/main.ts SITE.yaml`. Where there is no volume to have a file on, the text of the site
// file may be in the environment as INTERLOCK_SITE instead.
import { randomUUID } from 'node:crypto';
import { SQSClient } from '@aws-sdk/client-sqs';
import { ConfigurationError } from '../core/config/problems.ts';
import { startRelay } from './relay.ts';
import type { Environment } from './site/secrets.ts';
import { secretsManager } from './site/secrets-manager.ts';
import { type QueueUrls, readSite, resolveSite } from './site/site.ts';
import { logEvents } from './telemetry/log.ts';

try {
  await main(process.argv[2], process.env);
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(argument: string | undefined, environment: Environment): Promise<void> {
  // Before the argument: an image that is made for a file has its path in any case.
  const { INTERLOCK_SITE: text } = environment;
  const file = text ? 'INTERLOCK_SITE' : argument;
  if (file === undefined) throw new ConfigurationError(['usage: node relay/main.ts SITE.yaml']);
  const report = logEvents((line) => process.stdout.write(line), Date.now);
  const site = text
    ? await resolveSite(file, text, environment, report, secretsManager())
    : await readSite(file, environment, report, secretsManager());
  const queues = site.queues ?? queuesFrom(environment, file);
  const relay = await startRelay({
    site,
    queues,
    sqs: await sqsClient(environment),
    now: Date.now,
    monotonicNow: () => performance.now(),
    random: Math.random,
    newId: randomUUID,
    report,
  });
  const stop = async () => {
    await relay.drain();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function queuesFrom(environment: Environment, file: string): QueueUrls {
  const missing: string[] = [];
  const url = (name: string) => {
    const value = environment[name];
    if (value === undefined || !URL.canParse(value)) missing.push(name);
    return value ?? '';
  };
  const queues = {
    inbox: url('INTERLOCK_INBOX_URL'),
    outbox: url('INTERLOCK_OUTBOX_URL'),
    accounting: url('INTERLOCK_ACCOUNTING_URL'),
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
    // TLS guards the bodies on their way. To hash each of them once more costs a fifth of a call.
    md5: false,
    // An emulator is where AWS_ENDPOINT_URL says, whatever its queues' URLs look like.
    useQueueUrlAsEndpoint: hasOwnEndpoint === undefined,
  });
  await sqs.config.region().catch(() => {
    throw new ConfigurationError(['expected the AWS region of the queues in the environment as AWS_REGION']);
  });
  return sqs;
}
