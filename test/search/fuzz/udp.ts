// Mutants over UDP to a relay whose requests are all answered with CoA-NAK. At the end the relay
// takes a valid request at once, its counters say what became of each datagram, and its memory has not grown beyond a bound.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { formatEndpoint } from '../../../core/endpoint.ts';
import { InboxMessage, MESSAGE_VERSION, type RequestMessage, readMessage } from '../../../core/messages.ts';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { startRelay } from '../../../relay/relay.ts';
import type { RelayEvent } from '../../../relay/telemetry/events.ts';
import { SECRET as TEXT } from '../../core/radius/vectors.ts';
import type { Random } from '../../random.ts';
import {
  type EventRecorder,
  localClient,
  localSite,
  scriptedSqs,
  signedRequest,
  surroundings,
} from '../../relay/support.ts';
import { mutatedPacket } from './mutate.ts';
import { ACCOUNTING_REQUESTS, coaRequests, NAS_REPLIES } from './seeds.ts';

/** So many datagrams are under way at a time; the kernel drops none of them. */
const AT_A_TIME = 64;
/** What the heap may have grown by, with all garbage collected, from a tenth of the datagrams on. */
const MAX_GROWTH_MB = 32;
const SECRET = prepareSecret(TEXT);

/** @returns what happened. @throws Error when one of the promises does not hold. */
export async function fuzzOverUdp(count: number, random: Random): Promise<string> {
  /** Datagrams by what became of them: each is counted once. */
  const fates: Record<string, number> = {};
  let accounted = 0;
  const report = (event: RelayEvent) => {
    const fate = fateOf(event);
    if (fate === undefined) return;
    fates[fate] = (fates[fate] ?? 0) + 1;
    accounted++;
  };
  /** Answers to what is in the inbox, as decide gives them. */
  const outbox: object[] = [];
  const { sqs, stop } = await scriptedSqs(async ({ action, queueUrl, entries }) => {
    if (action === 'SendMessageBatch') {
      for (const { MessageBody } of entries) outbox.push(answerTo(MessageBody));
      return {
        Successful: entries.map(({ Id }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })),
        Failed: [],
      };
    }
    if (action !== 'ReceiveMessage') return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
    for (let waits = 0; waits < 200; waits++) {
      if (queueUrl.includes('outbox') && outbox.length > 0) return { Messages: outbox.splice(0, 10) };
      await sleep(5);
    }
    return {};
  });
  const queue = (name: string) => `http://127.0.0.1/000000000000/${name}.fifo`;
  const queues = {
    inbox: queue('inbox'),
    outbox: queue('outbox'),
    accounting: queue('accounting'),
    feed: queue('feed'),
  };
  const relay = await startRelay({
    site: localSite({ clients: [localClient({ secrets: [SECRET], patienceSeconds: 1 })] }),
    ...surroundings({ sqs, queues } as Parameters<typeof surroundings>[0], { add: report } as EventRecorder),
    timings: { drainMs: 0 },
  });
  const { port } = relay.coaAddress;
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let replies = 0;
  socket.on('message', () => replies++);
  const send = (datagram: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      socket.send(datagram, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error)));
    });
  try {
    const seeds = [
      ...coaRequests(Math.floor(Date.now() / 1000)),
      ...ACCOUNTING_REQUESTS,
      ...NAS_REPLIES.map(({ bytes }) => bytes),
    ];
    let sent = 0;
    let heapBefore = 0;
    while (sent < count) {
      const some = Math.min(AT_A_TIME, count - sent);
      await Promise.all(Array.from({ length: some }, () => send(mutatedPacket(random.pick(seeds), random))));
      sent += some;
      await until(
        () => accounted >= sent,
        () => `of ${sent} datagrams the relay has counted ${accounted}`,
      );
      if (heapBefore === 0 && sent >= count / 10) heapBefore = heapMb();
    }
    if (accounted !== sent) throw new Error(`of ${sent} datagrams the relay has counted ${accounted}`);
    const growth = heapMb() - heapBefore;
    if (growth > MAX_GROWTH_MB) throw new Error(`the heap has grown by ${growth.toFixed(1)} MB`);
    const metrics = await (await fetch(`http://${formatEndpoint(relay.httpAddress)}/metrics`)).text();
    const inMetrics = [
      ...metrics.matchAll(
        /^interlock_relay_(?:requests_forwarded|requests_refused|discarded)_total(?:\{.*\})? (\d+)$/gm,
      ),
    ].reduce((sum, [, value]) => sum + Number(value), 0);
    if (inMetrics !== sent)
      throw new Error(`of ${sent} datagrams the metrics have ${inMetrics}:\n${metrics}`);
    const valid = signedRequest({ secret: SECRET, identifier: 200 });
    const before = replies;
    await send(valid);
    await until(
      () => replies > before,
      () => 'a valid request gets no answer',
    );
    const shown = Object.entries(fates).sort(([, one], [, other]) => other - one);
    return `${sent} datagrams: ${shown.map(([fate, times]) => `${times} ${fate}`).join(', ')}; ${replies} replies; the heap has grown by ${growth.toFixed(1)} MB`;
  } finally {
    socket.close();
    await relay.drain();
    await stop();
  }
}

let answers = 0;

function answerTo(body: string): object {
  const { correlationId, origin } = readMessage(InboxMessage, body) as RequestMessage;
  const reply = {
    version: MESSAGE_VERSION,
    kind: 'reply',
    correlationId,
    origin,
    answer: 'nak',
    errorCause: 404,
  };
  const id = String(answers++);
  return {
    MessageId: id,
    ReceiptHandle: id,
    Body: JSON.stringify(reply),
    Attributes: {
      MessageGroupId: id,
      ApproximateReceiveCount: '1',
      SentTimestamp: String(Date.now()),
      SequenceNumber: id,
    },
  };
}

/** What has become of a datagram, where an event says so; the first word on it. */
function fateOf(event: RelayEvent): string | undefined {
  switch (event.kind) {
    case 'discarded':
      return event.reason;
    case 'request-forwarded':
      return 'forwarded';
    case 'request-refused':
      return `refused, ${event.reason}`;
    default:
      return undefined;
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function heapMb(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

async function until(isSo: () => boolean, what: () => string): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(what());
    await sleep(1);
  }
}
