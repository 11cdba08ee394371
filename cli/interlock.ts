#!/usr/bin/env node
// `npx interlock`: commands for operators, on this machine or against AWS.
import { hostname, userInfo } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { inspect, parseArgs } from 'node:util';
import { LOCAL_TABLE_NAME } from '../core/cloud/table.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { printable, printableLines } from '../core/printable.ts';
import { doctor } from './doctor.ts';
import { createDueSender } from './due-queue.ts';
import { findTable } from './find-table.ts';
import { forget } from './forget.ts';
import { list } from './list.ts';
import { pathsIn, readConfiguration } from './read-configuration.ts';
import { resync } from './resync.ts';
import { show } from './show.ts';

const USAGE = `usage: npx interlock show [--json] [TABLE] NAME
       npx interlock list [--nas NAS] [--service SERVICE] [--limit N] [--after SESSION] [--json] [TABLE]
       npx interlock resync --to table|nas [--nas NAS] [TABLE] NAME
       npx interlock forget [--yes] [--nas NAS] [TABLE] NAME
       npx interlock doctor [--config DIR] [TABLE]

show prints the subscriber sessions of which NAME is the User-Name, the Acct-Session-Id, an IPv4 or
IPv6 address or prefix, the Calling-Station-Id (a MAC address in any spelling), the NAS-Port-Id, the
Acct-Multi-Session-Id or the Chargeable-User-Identity: their services, what is in progress, the latest
requests with their replies, and the last ten changes. list prints sessions, one line each: NAS,
Acct-Session-Id, User-Name, services, state, latest change. resync ends the drift of a session, waits
for up to 60 s until its NAS has done what that takes, and prints the session. forget prints what the
table has of the sessions of a subscriber, and with --yes removes it, history included. doctor checks
the configuration and all sessions of the table, and prints what an operator has to mend.

TABLE is a table in AWS or elsewhere; without it, that of the system that \`npm start\` runs on this
machine.

  --json           one line of JSON for each session; show adds its \`history\`
  --to table|nas   what counts: what the table has, so that the NAS is told; or what the NAS accounts
  --yes            removes what forget prints
  --nas NAS        the sessions of this NAS, by the name under which they began
  --service NAME   the sessions that have this service, active or not: an activation string, or a name
                   for all its parameters
  --limit N        at most N sessions, 1 to 1000 (default: 100); a list reads 10,000 sessions at most
  --after SESSION  goes on where the list before has ended; that prints what to give here
  --config DIR     directory with services.yaml and sites/ (default: the files of the system on this
                   machine, or config)
  --data DIR       the data directory that \`npm start\` was given
  --table TABLE    name of the table (default: ${LOCAL_TABLE_NAME})
  --endpoint URL   DynamoDB endpoint (default: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, or that of
                   the region)
  --sqs-endpoint URL
                   SQS endpoint (default: AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, or that of the region)
  --region REGION  AWS region (default: that of the AWS configuration)
  -h, --help       prints this text

Exit status: 0 if there is such a session, nothing to mend, no drift any more, or nothing left to
remove; 1 if not, or on error.`;

const NO_QUEUES =
  'the queues are not known: give --sqs-endpoint beside --endpoint, or start `npm start` of this release';

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(printableLines(error instanceof ConfigurationError ? error.message : inspect(error)));
  process.exit(1);
}

async function main(): Promise<number> {
  const { help, command, name, json, config, nas, service, after, limit, to, yes, ...where } =
    readArguments();
  if (help) {
    process.stdout.write(printableLines(USAGE));
    return 0;
  }
  const table = await findTable(where);
  process.stderr.write(printableLines(`table ${table.tableName} at ${table.place}`));
  const terminal = {
    now: Date.now,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    print: (text: string) => process.stdout.write(printableLines(text)),
  };
  const note = (text: string) => process.stderr.write(printableLines(text));
  if (command === 'doctor') {
    const { configuration } = table;
    const readFiles = async () =>
      readConfiguration(
        config === undefined && configuration !== undefined
          ? configuration
          : await pathsIn(config ?? 'config'),
      );
    return (await doctor(table, { readConfiguration: readFiles, ...terminal })) ? 0 : 1;
  }
  if (command === 'list') {
    const listed = await list(table, { nas, service, after, limit, json, note, ...terminal });
    if (listed > 0) return 0;
    note('no session is listed');
    return 1;
  }
  if (command === 'resync' && to !== undefined) {
    if (table.sqs === undefined) throw new ConfigurationError([NO_QUEUES]);
    const send = createDueSender(table.sqs);
    const operator = `${userInfo().username}@${hostname()}`;
    const pause = (ms: number) => setTimeout(ms);
    return (await resync(table, { name, nas, to, operator, send, pause, note, ...terminal })) ? 0 : 1;
  }
  if (command === 'forget') {
    const pause = (ms: number) => setTimeout(ms);
    return (await forget(table, { name, nas, yes, pause, note, ...terminal })) ? 0 : 1;
  }
  const found = await show(table, { name, json, ...terminal });
  if (found > 0) return 0;
  note(`no session is known by ${printable(name)}`);
  return 1;
}

/** @throws ConfigurationError with what is wrong and the usage */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        config: { type: 'string' },
        nas: { type: 'string' },
        service: { type: 'string' },
        limit: { type: 'string' },
        after: { type: 'string' },
        data: { type: 'string' },
        table: { type: 'string' },
        to: { type: 'string' },
        yes: { type: 'boolean', default: false },
        endpoint: { type: 'string' },
        'sqs-endpoint': { type: 'string' },
        region: { type: 'string' },
      },
    });
    const [command, name = '', ...others] = positionals;
    const endpoint =
      values.endpoint ?? process.env['AWS_ENDPOINT_URL_DYNAMODB'] ?? process.env['AWS_ENDPOINT_URL'];
    const sqsEndpoint =
      values['sqs-endpoint'] ?? process.env['AWS_ENDPOINT_URL_SQS'] ?? process.env['AWS_ENDPOINT_URL'];
    if (!values.help) checkArguments(command, name, others, values);
    return {
      ...values,
      endpoint,
      sqsEndpoint,
      command,
      name,
      to: sideOf(values.to),
      limit: limitOf(values.limit),
    };
  } catch (error) {
    throw new ConfigurationError([error instanceof Error ? error.message : String(error)], USAGE);
  }
}

/** @throws Error when it is not an integer from 1 to 1000 */
function limitOf(text = '100'): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) throw new Error('--limit takes 1 to 1000');
  return limit;
}

/** @throws Error when it is neither */
function sideOf(text: string | undefined): 'table' | 'nas' | undefined {
  if (text === undefined || text === 'table' || text === 'nas') return text;
  throw new Error('--to takes table or nas');
}

interface Options {
  readonly json: boolean;
  readonly config?: string;
  readonly nas?: string;
  readonly service?: string;
  readonly limit?: string;
  readonly after?: string;
  readonly to?: string;
  readonly yes: boolean;
  readonly 'sqs-endpoint'?: string;
}

/** @throws Error that says what is wrong */
function checkArguments(
  command: string | undefined,
  name: string,
  others: readonly string[],
  { json, config, nas, service, limit, after, to, yes, 'sqs-endpoint': sqsEndpoint }: Options,
): void {
  if (command !== 'list' && (service ?? limit ?? after) !== undefined)
    throw new Error('only list takes --service, --limit and --after');
  if (command !== 'list' && command !== 'resync' && command !== 'forget' && nas !== undefined)
    throw new Error('only list, resync and forget take --nas');
  if (command !== 'forget' && yes) throw new Error('only forget takes --yes');
  if (command !== 'resync' && (to ?? sqsEndpoint) !== undefined)
    throw new Error('only resync takes --to and --sqs-endpoint');
  switch (command) {
    case undefined:
      throw new Error('a command is missing');
    case 'show':
      if (name === '' || others.length > 0) throw new Error('show takes one NAME');
      if (config !== undefined) throw new Error('show takes no --config');
      return;
    case 'resync':
      if (name === '' || others.length > 0) throw new Error('resync takes one NAME');
      if (to === undefined) throw new Error('resync takes --to table or --to nas');
      if (json) throw new Error('resync takes no --json');
      if (config !== undefined) throw new Error('resync takes no --config');
      return;
    case 'forget':
      if (name === '' || others.length > 0) throw new Error('forget takes one NAME');
      if (json) throw new Error('forget takes no --json');
      if (config !== undefined) throw new Error('forget takes no --config');
      return;
    case 'list':
      if (name !== '') throw new Error('list takes no NAME: give --nas or --service');
      if (config !== undefined) throw new Error('list takes no --config');
      if (nas !== undefined && after !== undefined && !after.startsWith(`${nas}#`))
        throw new Error(`--after: expected a session of ${nas}`);
      return;
    case 'doctor':
      if (name !== '') throw new Error('doctor takes no NAME');
      if (json) throw new Error('doctor takes no --json');
      return;
    default:
      throw new Error(`${command} is not a command`);
  }
}
