// From CoA-Request to CoA-ACK through the local system, beside its floor: the same emulators' bare calls, one after the
// other, that a request cannot do without (send, receive, read, write, send, receive). Run by hand: node test/bench/coa.ts
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { prepareSecret, signRequest } from '../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';
import { startEmbeddedCloud } from '../../local/cloud/embedded-cloud.ts';
import { startSystem } from '../../local/system.ts';

const ROUNDS = 300;
const SECRET = 'testing123';
const SITE = `
site: bench
relay: { coa: "127.0.0.1:0", http: "127.0.0.1:0" }
clients: [{ name: policy, source: 127.0.0.0/8, secret: ${SECRET} }]
nases: [{ name: bng-1, address: "127.0.0.1:3798", secret: ${SECRET}, identifiedBy: [bng-1], enforcement: none }]
`;

const directory = mkdtempSync(join(tmpdir(), 'interlock-bench-'));
try {
  const through = await measureSystem();
  const floor = await measureFloor();
  const ratio = percentile(through, 0.5) / percentile(floor, 0.5);
  process.stdout.write(
    `CoA to ACK  ${summary(through)}\nfloor       ${summary(floor)}\nratio of the medians ${ratio.toFixed(2)}\n`,
  );
} finally {
  rmSync(directory, { recursive: true });
}

/** One subscriber who switches back and forth, one request after the other. */
async function measureSystem(): Promise<readonly number[]> {
  const siteFile = join(directory, 'bench.yaml');
  writeFileSync(siteFile, SITE);
  const options = { servicesFile: 'config/services.yaml', siteFile, environment: {}, report: () => {} };
  const system = await startSystem(options);
  const socket = createSocket('udp4');
  const secret = prepareSecret(SECRET);
  const switchTo = async (service: string, identifier: number) => {
    const attributes = encodeAttributes([
      { name: 'User-Name', value: 'client1@isp1.com' },
      { name: 'Acct-Session-Id', value: '0001' },
      { name: 'ERX-Service-Activate', tag: 1, value: service },
    ]);
    const request = signRequest({ code: CODE.CoaRequest, identifier, attributes }, secret);
    socket.send(request, system.coaAddress.port, system.coaAddress.address);
    const [reply] = (await once(socket, 'message')) as [Buffer];
    if (reply[0] !== CODE.CoaAck) throw new Error(`expected a CoA-ACK, got code ${reply[0]}`);
  };
  try {
    return await timeRounds((round) => switchTo(round % 2 === 0 ? 'gold' : 'silver', round % 256));
  } finally {
    socket.close();
    await system.stop();
  }
}

async function measureFloor(): Promise<readonly number[]> {
  const cloud = await startEmbeddedCloud({ sites: ['bench'], onDeath: () => {} });
  const sqs = new SQSClient(cloud.sqs);
  const dynamodb = new DynamoDBClient(cloud.dynamodb);
  const TableName = cloud.tableName;
  const Key = { pk: { S: 'bench' }, sk: { S: 'bench' } };
  const hop = async (QueueUrl: string, round: number) => {
    const MessageDeduplicationId = String(round);
    const receive = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    await sqs.send(
      new SendMessageCommand({ QueueUrl, MessageBody: 'x', MessageGroupId: 'x', MessageDeduplicationId }),
    );
    const { Messages = [] } = await receive;
    const ReceiptHandle = Messages[0]?.ReceiptHandle;
    // Deleting is not part of the way of a request.
    return () => sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  };
  const { inbox, outbox } = cloud.queues['bench'] ?? { inbox: cloud.due, outbox: cloud.due };
  try {
    let tidy: (() => Promise<unknown>)[] = [];
    return await timeRounds(
      async (round) => {
        const inboxHop = await hop(inbox.url, round);
        await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
        await dynamodb.send(new PutItemCommand({ TableName, Item: Key }));
        tidy = [inboxHop, await hop(outbox.url, round)];
      },
      () => Promise.all(tidy.map((each) => each())),
    );
  } finally {
    await cloud.stop();
  }
}

/** Milliseconds of each round, the first tenth left out. */
async function timeRounds(
  round: (index: number) => Promise<unknown>,
  between: () => Promise<unknown> = async () => {},
) {
  const times: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    const startedAtMs = performance.now();
    await round(index);
    times.push(performance.now() - startedAtMs);
    await between();
  }
  return times.slice(ROUNDS / 10);
}

function percentile(times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN;
}

function summary(times: readonly number[]): string {
  return [0.5, 0.9, 0.99]
    .map((share) => `p${share * 100} ${percentile(times, share).toFixed(1)} ms`)
    .join('  ');
}
