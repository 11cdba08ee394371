// Mutants over UDP to a relay on the SQS emulator, which carries nothing out: what it takes stays in the inbox. At the end the relay
// takes a valid request at once, its counters say what became of each datagram, and its memory has not grown beyond a bound.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatEndpoint } from '../../../core/endpoint.ts';
import { prepareSecret } from '../../../core/radius/authenticator.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { startRelay } from '../../../relay/relay.ts';
import type { RelayEvent } from '../../../relay/telemetry/events.ts';
import { packetOf } from '../../core/radius/craft.ts';
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
  const { sqs, stop } = await scriptedSqs(({ action, entries }) =>
    action === 'SendMessageBatch'
      ? { Successful: entries.map(({ Id }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })), Failed: [] }
      : sleep(1000, {}),
  );
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
  const answers = new Map<number, () => void>();
  socket.on('message', (reply) => answers.get(reply.readUInt8(1))?.());
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
    const before = fates['forwarded'] ?? 0;
    await send(valid);
    await until(
      () => (fates['forwarded'] ?? 0) > before,
      () => 'a valid request is not taken on',
    );
    if (packetOf(valid).code !== CODE.CoaRequest) throw new Error('no request');
    const shown = Object.entries(fates).sort(([, one], [, other]) => other - one);
    return `${sent} datagrams: ${shown.map(([fate, times]) => `${times} ${fate}`).join(', ')}; the heap has grown by ${growth.toFixed(1)} MB`;
  } finally {
    socket.close();
    await relay.drain();
    await stop();
  }
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

function heapMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

async function until(isSo: () => boolean, what: () => string): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(what());
    await sleep(1);
  }
}
