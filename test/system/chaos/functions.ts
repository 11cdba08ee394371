// The functions and what invokes them as a process of their own: `node functions.ts SERVICES SITE CHECKPOINTS`, with the cloud in
// JSON in the environment variable CHAOS_CLOUD. Prints a line when it runs, and what the functions report that is out of the
// ordinary.
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import type { EmbeddedCloud } from '../../../local/cloud/embedded-cloud.ts';
import { type FunctionEvent, startFunctions } from '../../../local/cloud/functions.ts';
import { createHandlers } from '../../../local/cloud/handlers.ts';

const [, , services = '', site = '', checkpointFile = ''] = process.argv;
const cloud: Omit<EmbeddedCloud, 'stop'> = JSON.parse(process.env['CHAOS_CLOUD'] ?? '');
const report = (event: FunctionEvent) =>
  process.stdout.write(`${inspect(event, { depth: 6, breakLength: Infinity })}\n`);
startFunctions({
  cloud,
  handlers: createHandlers({
    cloud,
    deployment: deploymentOf(parseServicesFile(services, await readFile(services, 'utf8')), [
      parseSiteFile(site, await readFile(site, 'utf8')),
    ]),
    report,
  }),
  checkpointFile,
  sweepIntervalSeconds: 5,
  report,
});
process.stdout.write('running\n');
