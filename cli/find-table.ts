// The sessions table that a command reads: that of the system on this machine, or one that the options name.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { LOCAL_TABLE_NAME } from '../core/cloud/table.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import type { ConfigurationPaths } from './read-configuration.ts';
import { findSystem } from './running-system.ts';

export interface TableOptions {
  /** The data directory of a running `npm start`. */
  readonly data?: string | undefined;
  readonly table?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly sqsEndpoint?: string | undefined;
  readonly region?: string | undefined;
}

export interface FoundTable {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  /** Its endpoint, or its region. */
  readonly place: string;
  /** The files of the system that runs here. */
  readonly configuration?: ConfigurationPaths | undefined;
  /** Where its queues are, for the constructor of a client; absent where that is not known. */
  readonly sqs?: SQSClientConfig | undefined;
}

/**
 * The table of the system that `npm start` runs, unless a table, an endpoint or a region is given without `data`.
 * @throws ConfigurationError when no system runs here, or no region is known
 */
export async function findTable({
  data,
  table,
  endpoint,
  sqsEndpoint,
  region,
}: TableOptions): Promise<FoundTable> {
  if (data !== undefined || (table ?? endpoint ?? region) === undefined) {
    const system = await findSystem(data);
    if (system === undefined) {
      throw new ConfigurationError([
        'Interlock does not run on this machine: start it with `npm start`, or give --table, --endpoint or --region',
      ]);
    }
    const { tableName, dynamodb, configuration, sqs } = system;
    return { tableName, client: new DynamoDBClient(dynamodb), place: dynamodb.endpoint, configuration, sqs };
  }
  const at = (address: string | undefined) => ({
    ...(address !== undefined && { endpoint: address }),
    ...(region !== undefined && { region }),
  });
  const client = new DynamoDBClient(at(endpoint));
  // Beside a table that is elsewhere than in the region, the queues of the region are those of another system.
  const sqs = endpoint !== undefined && sqsEndpoint === undefined ? undefined : at(sqsEndpoint);
  const place = endpoint ?? (await regionOf(client));
  return { tableName: table ?? LOCAL_TABLE_NAME, client, place, sqs };
}

function regionOf(client: DynamoDBClient): Promise<string> {
  return client.config.region().catch((error) => {
    throw new ConfigurationError([`no region: ${error.message}; give --region or --endpoint`]);
  });
}
