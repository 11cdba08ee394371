// All of the system but the relay, in this process.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { startEmbeddedCloud } from '../../../local/cloud/embedded-cloud.ts';
import { startFunctions } from '../../../local/cloud/functions.ts';
import { createHandlers } from '../../../local/cloud/handlers.ts';
import type { QueueUrls } from '../../../relay/site/site.ts';

const SERVICES_FILE = join(import.meta.dirname, '../../../config/services.yaml');

export interface Cloud {
  readonly region: string;
  /** Where SQS is on 127.0.0.1. */
  readonly sqsPort: number;
  readonly queues: QueueUrls;
  /** The access keys that requests to it were signed with. */
  readonly accessKeys: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Starts the emulators and the functions for the site of a file. `tell` gets what goes wrong in them. */
export async function startCloud(siteFile: string, tell: (problem: string) => void): Promise<Cloud> {
  const site = parseSiteFile(siteFile, await readFile(siteFile, 'utf8'));
  const catalogue = parseServicesFile(SERVICES_FILE, await readFile(SERVICES_FILE, 'utf8'));
  const cloud = await startEmbeddedCloud({ sites: [site.site], onDeath: tell });
  const handlers = createHandlers({ cloud, deployment: deploymentOf(catalogue, [site]), report: () => {} });
  const functions = startFunctions({
    cloud,
    handlers,
    report: ({ source, event }) => source === 'cloud' && tell(event.problem),
  });
  const accessKeys = new Set<string>();
  const noteAccessKey = (message: unknown) => {
    const { request } = message as { readonly request: IncomingMessage };
    const [, accessKey] = /Credential=(\w+)/.exec(request.headers.authorization ?? '') ?? [];
    if (accessKey !== undefined) accessKeys.add(accessKey);
  };
  subscribe('http.server.request.start', noteAccessKey);

  const queues = cloud.queues[site.site];
  if (queues === undefined) throw new Error(`there are no queues of the site ${site.site}`);
  return {
    region: cloud.sqs.region,
    sqsPort: Number(new URL(cloud.sqs.endpoint).port),
    queues: {
      inbox: queues.inbox.url,
      outbox: queues.outbox.url,
      accounting: queues.accounting.url,
      feed: queues.feed.url,
    },
    accessKeys,
    async stop(): Promise<void> {
      await functions.stop();
      await cloud.stop();
      unsubscribe('http.server.request.start', noteAccessKey);
    },
  };
}
