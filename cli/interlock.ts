#!/usr/bin/env node
// `npx interlock`: what an operator asks Interlock, on this machine or on AWS.
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LOCAL_TABLE_NAME } from '../core/cloud/table.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { findSessions } from './find-sessions.ts';
import { latestHistory } from './latest-history.ts';
import { findSystem } from './running-system.ts';
import { describeSession } from './session-text.ts';

const USAGE = `usage: npx interlock show [--json] [--data DIR] USER-NAME|ACCT-SESSION-ID
       npx interlock show [--json] [--table NAME] [--endpoint URL] [--region NAME] USER-NAME|ACCT-SESSION-ID
The first asks the system that \`npm start\` runs, the second a table anywhere.
  --json          each session as one line of JSON, with its \`history\`
  --data DIR      as \`npm start\` was given it
  --table NAME    the table (${LOCAL_TABLE_NAME})
  --endpoint URL  its DynamoDB endpoint (AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, or that of the region)
  --region NAME   its region (as the AWS environment says)`;

try {
  process.exitCode = (await show(readArguments())) ? 0 : 1;
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

type Arguments = ReturnType<typeof readArguments>;

/** Whether there was somebody to show. */
async function show({ name, json, ...where }: Arguments): Promise<boolean> {
  const { client, tableName, place } = await findTable(where);
  process.stderr.write(`table ${tableName}, ${place}\n`);
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  let found = 0;
  try {
    for await (const session of findSessions(client, tableName, name)) {
      found++;
      const nowMs = Date.now();
      const key = { nas: session.nas.name, acctSessionId: session.acctSessionId };
      const history = await latestHistory(client, tableName, key, nowMs);
      const text = json
        ? JSON.stringify({ ...session, history })
        : describeSession(session, history, nowMs, timeZone);
      process.stdout.write(json || found === 1 ? `${text}\n` : `\n${text}\n`);
    }
  } catch (error) {
    throw new ConfigurationError([`cannot be read: ${error}`]);
  }
  if (found === 0) process.stderr.write(`no session has the User-Name or Acct-Session-Id ${name}\n`);
  return found > 0;
}

/** The table of the system on this machine, unless another one is named. */
async function findTable({ data, table, endpoint, region }: Omit<Arguments, 'name' | 'json'>) {
  if (data !== undefined || (table ?? endpoint ?? region) === undefined) {
    const system = await findSystem(data);
    if (system === undefined)
      throw new ConfigurationError([
        'no Interlock runs here: start one with `npm start`, or name a table',
        USAGE,
      ]);
    const { tableName, dynamodb } = system;
    return { tableName, client: new DynamoDBClient(dynamodb), place: dynamodb.endpoint };
  }
  const client = new DynamoDBClient({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
  });
  return { tableName: table ?? LOCAL_TABLE_NAME, client, place: endpoint ?? (await regionOf(client)) };
}

function regionOf(client: DynamoDBClient): Promise<string> {
  return client.config.region().catch((error) => {
    throw new ConfigurationError([`no region: ${error.message}`, USAGE]);
  });
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        data: { type: 'string' },
        table: { type: 'string' },
        endpoint: { type: 'string' },
        region: { type: 'string' },
      },
    });
    const [command, name, ...more] = positionals;
    if (command !== 'show' || name === undefined || more.length > 0) throw new Error('nothing to do');
    const endpoint =
      values.endpoint ?? process.env['AWS_ENDPOINT_URL_DYNAMODB'] ?? process.env['AWS_ENDPOINT_URL'];
    return { ...values, endpoint, name };
  } catch (error) {
    throw new ConfigurationError([error instanceof Error ? error.message : String(error), USAGE]);
  }
}
