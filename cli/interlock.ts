#!/usr/bin/env node
// `npx interlock`: commands for operators, on this machine or against AWS.
import { parseArgs } from 'node:util';
import { LOCAL_TABLE_NAME } from '../core/cloud/table.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { findTable } from './find-table.ts';
import { show } from './show.ts';

const USAGE = `usage: npx interlock show [--json] [--data DIR] NAME
       npx interlock show [--json] [--table TABLE] [--endpoint URL] [--region REGION] NAME

Shows the subscriber sessions whose User-Name or Acct-Session-Id is NAME: their services, what is
in progress, the latest requests with their replies, and the last ten changes. The first form reads
the system that \`npm start\` runs on this machine, the second form a table in AWS or elsewhere.

  --json           one line of JSON for each session, with its \`history\`
  --data DIR       the data directory that \`npm start\` was given
  --table TABLE    name of the table (default: ${LOCAL_TABLE_NAME})
  --endpoint URL   DynamoDB endpoint (default: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, or that of
                   the region)
  --region REGION  AWS region (default: that of the AWS configuration)
  -h, --help       prints this text

Exit status: 0 if there is such a session, 1 if there is none or on error.`;

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { help, name, json, ...where } = readArguments();
  if (help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const table = await findTable(where);
  process.stderr.write(`table ${table.tableName} at ${table.place}\n`);
  const found = await show(table, {
    name,
    json,
    now: Date.now,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    print: (text) => process.stdout.write(`${text}\n`),
  });
  if (found > 0) return 0;
  process.stderr.write(`no session has the User-Name or Acct-Session-Id ${name}\n`);
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
        data: { type: 'string' },
        table: { type: 'string' },
        endpoint: { type: 'string' },
        region: { type: 'string' },
      },
    });
    const [command, name = '', ...others] = positionals;
    const endpoint =
      values.endpoint ?? process.env['AWS_ENDPOINT_URL_DYNAMODB'] ?? process.env['AWS_ENDPOINT_URL'];
    if (!values.help) {
      if (command === undefined) throw new Error('a command is missing');
      if (command !== 'show') throw new Error(`${command} is not a command`);
      if (name === '' || others.length > 0) throw new Error('show takes one NAME');
    }
    return { ...values, endpoint, name };
  } catch (error) {
    throw new ConfigurationError([error instanceof Error ? error.message : String(error), USAGE]);
  }
}
