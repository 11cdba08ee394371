// What the relay's tests share: a cloud that is only queues, clients and servers on real UDP, and a record of events.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import type { Endpoint } from '../../core/endpoint.ts';
import { type CommandMessage, MESSAGE_VERSION } from '../../core/messages.ts';
import { prepareSecret, type Secret, signReply, signRequest } from '../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../core/radius/codec.ts';
import { CODE, type Packet, parsePacket } from '../../core/radius/packet.ts';
import { systemClock } from '../../relay/clock.ts';
import type { Nas } from '../../relay/nas-client.ts';
import { udpTransport } from '../../relay/radius/udp.ts';
import type { Client } from '../../relay/site/clients.ts';
import type { RelaySite } from '../../relay/site/site.ts';
import type { RelayEvent } from '../../relay/telemetry/events.ts';
import { serveHttp } from '../../relay/telemetry/http.ts';
import type { MemoryNetwork } from './memory-network.ts';

export const LOCALHOST = '127.0.0.1';
export const SECRET = prepareSecret('a secret of twenty-four.');
export const OLD_SECRET = prepareSecret('its predecessor, as long');
export const STRANGE_SECRET = prepareSecret('nobody here knows of it.');

/** A client on this machine. */
export function localClient(changes: Partial<Client> = {}): Client {
  return {
    name: 'policy-server',
    sources: [{ address: LOCALHOST, prefix: 32, family: 'ipv4' }],
    secrets: [SECRET],
    requireMessageAuthenticator: false,
    requireEventTimestamp: false,
    patienceSeconds: 10,
    ...changes,
  };
}

/** A site on free ports, without accounting. */
export function localSite(changes: Partial<RelaySite> = {}): RelaySite {
  return {
    name: 'test',
    coa: { address: LOCALHOST, port: 0 },
    http: { address: LOCALHOST, port: 0 },
    eventTimestampWindowSeconds: 300,
    clients: [localClient()],
    accounting: [],
    nases: [],
    ...changes,
  };
}

/** A NAS on this machine, whose commands are repeated for a minute. */
export function localNas({ port }: Endpoint, changes: Partial<Nas> = {}): Nas {
  return {
    name: 'bng-1',
    formerly: [],
    address: LOCALHOST,
    port,
    secrets: [SECRET],
    messageAuthenticator: true,
    requireMessageAuthenticator: false,
    zeroAuthenticatorReplies: false,
    answerTimeoutSeconds: 60,
    ...changes,
  };
}

/** A command to activate gold that may be started within half a minute. */
export function command(changes: Partial<CommandMessage> = {}): CommandMessage {
  const { session = { nas: 'bng-1', acctSessionId: '0001048580' } } = changes;
  const attributes = encodeAttributes([
    { name: 'Acct-Session-Id', value: session.acctSessionId },
    { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
  ]);
  return {
    version: MESSAGE_VERSION,
    kind: 'command',
    correlationId: 'some-request',
    commandId: `some-request of ${session.acctSessionId}/1`,
    session,
    operation: 'activate',
    services: ['gold'],
    attributes: Buffer.from(attributes).toString('base64'),
    startBeforeMs: Date.now() + 30_000,
    ...changes,
  };
}

export interface RequestParts {
  readonly code?: number;
  readonly identifier?: number;
  readonly attributes?: readonly Attribute[];
  readonly secret?: Secret;
  readonly messageAuthenticator?: boolean;
}

/** The octets of a signed CoA-Request that activates a service, unless told otherwise. */
export function signedRequest({
  code = CODE.CoaRequest,
  identifier = 42,
  attributes = [
    { name: 'User-Name', value: 'client1@isp1.com' },
    { name: 'Acct-Session-Id', value: '0001048580' },
    { name: 'ERX-Service-Activate', tag: 1, value: 'gold' },
  ],
  secret = SECRET,
  messageAuthenticator = true,
}: RequestParts = {}): Uint8Array {
  const encoded = encodeAttributes(attributes);
  return signRequest({ code, identifier, attributes: encoded }, secret, { messageAuthenticator });
}

export interface Wanted {
  /** Absent in a request whose session has to be looked up. */
  readonly acctSessionId?: string;
  /** @default client1@isp1.com; null: no User-Name */
  readonly userName?: string | null;
  readonly activate?: readonly string[];
  readonly deactivate?: readonly string[];
  readonly more?: readonly Attribute[];
}

/** What a CoA-Request has to say, for client1 unless told otherwise. */
export function wantedAttributes({
  acctSessionId,
  userName = 'client1@isp1.com',
  activate = [],
  deactivate = [],
  more = [],
}: Wanted): readonly Attribute[] {
  return [
    ...(userName === null ? [] : [{ name: 'User-Name', value: userName } as const]),
    ...(acctSessionId === undefined ? [] : [{ name: 'Acct-Session-Id', value: acctSessionId } as const]),
    ...activate.map((value, index) => ({ name: 'ERX-Service-Activate', tag: index + 1, value }) as const),
    ...deactivate.map((value) => ({ name: 'ERX-Service-Deactivate', value }) as const),
    ...more,
  ];
}

/** What a relay needs apart from its site. */
export const surroundings = (cloud: Cloud, { add: report }: EventRecorder) => ({
  queues: cloud.queues,
  sqs: cloud.sqs,
  transport: udpTransport,
  serveHttp,
  clock: systemClock,
  random: Math.random,
  newId: () => crypto.randomUUID(),
  report,
});

/** The packet in `datagram`, which must be well-formed. */
export function packetOf(datagram: Uint8Array): Packet {
  const parsed = parsePacket(datagram);
  if (!parsed.ok) throw new Error(`no packet: ${parsed.reason}`);
  return parsed.packet;
}

/** Collects what happens and lets a test wait for it. */
export class Recorder<T> {
  readonly all: T[] = [];
  #listener: (item: T) => void = () => undefined;
  #waiting: { readonly matches: (item: T) => boolean; readonly resolve: (item: T) => void }[] = [];

  readonly add = (item: T): void => {
    this.all.push(item);
    this.#listener(item);
    for (const { resolve } of this.#waiting.filter(({ matches }) => matches(item))) resolve(item);
    this.#waiting = this.#waiting.filter(({ matches }) => !matches(item));
  };

  /** Calls `listener` with each from now on. */
  onEach(listener: (item: T) => void): void {
    this.#listener = listener;
  }

  /** The first that matches, or will match. */
  first(matches: (item: T) => boolean): Promise<T> {
    const found = this.all.find(matches);
    return found === undefined ? this.next(matches) : Promise.resolve(found);
  }

  /** The next one from now on that matches. */
  next(matches: (item: T) => boolean = () => true): Promise<T> {
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  /** Resolves when there are `count`. */
  async atLeast(count: number): Promise<readonly T[]> {
    while (this.all.length < count) await this.next();
    return this.all;
  }
}

/** The events of a relay. */
export class EventRecorder extends Recorder<RelayEvent> {
  of<K extends RelayEvent['kind']>(kind: K): Extract<RelayEvent, { kind: K }>[] {
    return this.all.filter((event): event is Extract<RelayEvent, { kind: K }> => event.kind === kind);
  }

  /** Discards so far, by reason. */
  get discards(): string[] {
    return this.of('discarded').map(({ reason }) => reason);
  }
}

export interface Received {
  readonly datagram: Buffer;
  readonly source: Endpoint;
}

/** A peer that hears everything and says what it is told to. */
export interface Peer {
  readonly endpoint: Endpoint;
  readonly received: Recorder<Received>;
  send(datagram: Uint8Array, destination: Endpoint): Promise<void>;
}

/** One on real UDP. */
export interface UdpPeer extends Peer {
  close(): Promise<void>;
}

/** One on a network in memory. */
export function memoryPeer(network: MemoryNetwork, endpoint: Endpoint): Peer {
  const received = new Recorder<Received>();
  const send = network.listen(endpoint, (datagram, source) =>
    received.add({ datagram: Buffer.from(datagram), source }),
  );
  return { endpoint, received, send: async (datagram, destination) => send(datagram, destination) };
}

/** Opens a peer on a free port of this machine, or on `port`. */
export async function udpPeer(port = 0): Promise<UdpPeer> {
  const socket = createSocket('udp4');
  const received = new Recorder<Received>();
  socket.on('message', (datagram, { address, port }) =>
    received.add({ datagram, source: { address, port } }),
  );
  socket.bind(port, LOCALHOST);
  await once(socket, 'listening');
  return {
    endpoint: { address: LOCALHOST, port: socket.address().port },
    received,
    send: (datagram, destination) =>
      new Promise((resolve, reject) => {
        socket.send(datagram, destination.port, destination.address, (error) =>
          error ? reject(error) : resolve(),
        );
      }),
    close: async () => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

export interface ReplyParts {
  readonly code?: number;
  readonly attributes?: readonly Attribute[];
  readonly secret?: Secret;
  readonly messageAuthenticator?: boolean;
}

/** Answers what a peer has received, with a CoA-ACK unless told otherwise. */
export function answer(
  peer: Peer,
  { datagram, source }: Received,
  { code = CODE.CoaAck, attributes = [], secret = SECRET, ...options }: ReplyParts = {},
): Promise<void> {
  const reply = { code, attributes: encodeAttributes(attributes) };
  return peer.send(signReply(packetOf(datagram), reply, secret, options), source);
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const peer = await udpPeer();
  await peer.close();
  return peer.endpoint.port;
}

/** A call of SQS, as far as tests look at it. */
export interface SqsCall {
  readonly action: string;
  readonly queueUrl: string;
  readonly entries: readonly {
    readonly Id: string;
    readonly ReceiptHandle: string;
    readonly MessageBody: string;
    readonly MessageGroupId?: string;
  }[];
}

/**
 * An SQS that says what the test wants, for what fauxqs cannot do: its wire protocol and nothing else. A call for
 * which `answer` throws fails; one that it gives nothing for hangs until the client gives it up.
 */
export async function scriptedSqs(
  answer: (call: SqsCall) => object | undefined | Promise<object>,
  { hasDates = true } = {},
): Promise<{ sqs: SQSClient; stop(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    response.sendDate = hasDates;
    const action = String(request.headers['x-amz-target']).replace('AmazonSQS.', '');
    const { QueueUrl: queueUrl, Entries: entries } = JSON.parse(await text(request));
    try {
      const output = await answer({ action, queueUrl, entries });
      if (output === undefined) return;
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(output));
    } catch (error) {
      response.writeHead(500).end(JSON.stringify({ __type: 'InternalFailure', message: String(error) }));
    }
  });
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://${LOCALHOST}:${port}`;
  const sqs = sqsClient(endpoint);
  return {
    sqs,
    stop: async () => {
      sqs.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A client that trusts in what it hears and tries each call once. */
export const sqsClient = (endpoint: string): SQSClient =>
  new SQSClient({
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    useQueueUrlAsEndpoint: false,
    maxAttempts: 1,
    md5: false,
  });

/** SQS on this machine, with the queues of a site. */
export interface Cloud {
  readonly server: FauxqsServer;
  readonly sqs: SQSClient;
  readonly queues: {
    readonly inbox: string;
    readonly outbox: string;
    readonly accounting: string;
    readonly feed: string;
  };
  /** Puts a message into a queue, into a group of its own unless it is told another. */
  send(queue: keyof Cloud['queues'], message: object, group?: string): Promise<void>;
  /** Takes the next message of the inbox, waiting for it. */
  takeFromInbox(): Promise<{ readonly message: Message; readonly body: Record<string, unknown> }>;
  stop(): Promise<void>;
}

/** Starts it on a free port, or on `port` once more. A message that nobody deleted comes again after a second. */
export async function startCloud(port = 0): Promise<Cloud> {
  const server = await startFauxqs({ port, logger: false });
  const endpoint = server.address;
  const sqs = sqsClient(endpoint);
  const fifo = { FifoQueue: 'true', VisibilityTimeout: '1' };
  const create = (name: string, attributes: Record<string, string>) => {
    server.createQueue(name, { attributes, region: 'eu-central-1' });
    return `${endpoint}/000000000000/${name}`;
  };
  const queues = {
    inbox: create('inbox.fifo', fifo),
    outbox: create('outbox.fifo', fifo),
    accounting: create('accounting.fifo', fifo),
    feed: create('feed.fifo', fifo),
  };
  let sent = 0;
  return {
    server,
    sqs,
    queues,
    send: async (queue, message, group = `group ${sent}`) => {
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: queues[queue],
          MessageBody: JSON.stringify(message),
          MessageGroupId: group,
          MessageDeduplicationId: String(sent++),
        }),
      );
    },
    takeFromInbox: async () => {
      const { Messages } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queues.inbox,
          WaitTimeSeconds: 5,
          MessageSystemAttributeNames: ['All'],
        }),
      );
      const [message] = Messages ?? [];
      if (message === undefined) throw new Error('nothing came to the inbox');
      const { ReceiptHandle } = message;
      await sqs.send(new DeleteMessageCommand({ QueueUrl: queues.inbox, ReceiptHandle }));
      return { message, body: JSON.parse(message.Body ?? '') };
    },
    stop: async () => {
      sqs.destroy();
      await server.stop();
    },
  };
}
