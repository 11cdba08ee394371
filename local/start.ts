// `npm start`: runs Interlock on this machine until SIGINT or SIGTERM.
import { resolve } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { announceSystem } from '../cli/running-system.ts';
import { ConfigurationError } from '../core/config/problems.ts';
import { formatEndpoint } from '../core/endpoint.ts';
import { printableLines } from '../core/printable.ts';
import { jsonLine, readableLine } from './display.ts';
import { type SystemEvent, startSystem } from './system.ts';

const USAGE = `usage: npm start -- [--services FILE] [--site FILE] [--data DIR] [--no-built-in] [--json]
                    [--dynamodb URL]
  --services FILE  the services file (default: config/services.yaml)
  --site FILE      the site file (default: config/sites/demo.yaml)
  --data DIR       keeps the state in this directory over a restart (default: in memory)
  --no-built-in    starts no built-in accounting server and no built-in NAS
  --json           prints one JSON object a line
  --dynamodb URL   uses this DynamoDB endpoint instead of the embedded one (AWS_ENDPOINT_URL_DYNAMODB)
  -h, --help       prints this text`;

try {
  await start();
} catch (error) {
  process.stderr.write(printableLines(error instanceof ConfigurationError ? error.message : inspect(error)));
  process.exit(1);
}

async function start(): Promise<void> {
  const { services, site, data, json, dynamodb, help, 'no-built-in': noBuiltIn } = readArguments();
  if (help) {
    process.stdout.write(printableLines(USAGE));
    return;
  }
  const line = json ? jsonLine : readableLine;
  const report = (event: SystemEvent) => {
    const text = line(event, Date.now());
    if (text !== undefined) process.stdout.write(printableLines(text));
  };
  const system = await startSystem({
    servicesFile: services,
    siteFile: site,
    environment: process.env,
    ...(data !== undefined && { dataDirectory: data }),
    builtIn: !noBuiltIn,
    ...(dynamodb !== '' && { dynamodbEndpoint: dynamodb }),
    report,
  });
  const configuration = { services: resolve(services), sites: [{ file: resolve(site) }] };
  const withdraw = await announceSystem({ ...system.cloud, configuration }, data);
  const stop = async () => {
    await withdraw();
    await system.stop();
    process.exit(0);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // performance.now() counts from the start of the process.
  const readySeconds = (performance.now() / 1000).toFixed(1);
  const coa = formatEndpoint(system.coaAddress);
  const { accountingAddress: accounting } = system.relay;
  const welcome = [
    `Interlock is ready after ${readySeconds} s`,
    `  site ${system.site}: CoA-Requests on udp ${coa}`,
    ...(accounting === undefined ? [] : [`  Accounting-Requests on udp ${formatEndpoint(accounting)}`]),
    `  health and metrics on http://${formatEndpoint(system.httpAddress)}/healthz and /metrics`,
    `  DynamoDB on ${system.cloud.dynamodb.endpoint}, SQS on ${system.cloud.sqs.endpoint}${data === undefined ? ', in memory' : `, kept in ${data}`}`,
    ...system.sinks.map(
      (sink) => `  built-in accounting server on udp ${formatEndpoint(sink)}, where no server listened`,
    ),
    ...system.nases.map(
      ({ name, address }) =>
        `  built-in NAS ${name} on udp ${formatEndpoint(address)}, where no NAS listened`,
    ),
    'Send a request, with the secret of your client:',
    `  ${system.example}`,
    'and show the session:',
    `  npx interlock show client1@isp1.com${data === undefined ? '' : ` --data ${data}`}`,
    ...(system.logOnExample === undefined
      ? []
      : ['Log a subscriber on, and off with Stop in place of Start:', `  ${system.logOnExample}`]),
  ];
  const ready = JSON.stringify({ source: 'start', kind: 'ready', coa, readySeconds: Number(readySeconds) });
  process.stdout.write(printableLines(json ? ready : welcome.join('\n')));
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        services: { type: 'string', default: 'config/services.yaml' },
        site: { type: 'string', default: 'config/sites/demo.yaml' },
        data: { type: 'string' },
        'no-built-in': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        dynamodb: { type: 'string', default: process.env['AWS_ENDPOINT_URL_DYNAMODB'] ?? '' },
      },
    });
    return values;
  } catch (error) {
    throw new ConfigurationError([error instanceof Error ? error.message : String(error)], USAGE);
  }
}
