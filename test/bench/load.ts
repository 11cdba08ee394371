// A client as a thread of its own: it sends CoA-Requests of switches, each for the next of many sessions, and waits for the answers.
// It never retransmits. Its parent sends it a `Load`, and gets the `Outcome` of each request.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { prepareSecret, signRequest } from '../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../core/radius/codec.ts';
import { CODE } from '../../core/radius/packet.ts';

/** Who sends, and where to. */
export interface LoadClient {
  /** Its address, and that of the relay. */
  readonly address: string;
  readonly relay: { readonly address: string; readonly port: number };
  readonly secret: string;
  /** Of the Acct-Session-Ids, so that two clients have no session in common. */
  readonly prefix: string;
  readonly sessions: number;
}

/** So many at a time, or so many a second, for so long; then it waits for the answers. */
export type Load = ({ readonly atATime: number } | { readonly perSecond: number }) & {
  readonly seconds: number;
  readonly patienceMs: number;
};

/** Of a request: when it was sent, in milliseconds from the beginning, and its answer, if one came in time. */
export interface Outcome {
  readonly sentAtMs: number;
  readonly answer?: 'ack' | 'nak';
  readonly tookMs?: number;
}

const SOCKETS = 128;
const IDENTIFIERS = 256;
const TICK_MS = 5;

interface Pending {
  readonly sentAtMs: number;
  readonly settle: (outcome: Outcome) => void;
}

const { address, relay, secret: text, prefix, sessions } = workerData as LoadClient;
const secret = prepareSecret(text);
const pending: (Pending | undefined)[] = new Array(SOCKETS * IDENTIFIERS);
const sockets: readonly Socket[] = await Promise.all(
  Array.from({ length: SOCKETS }, async (_, index) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.on('message', (reply) => {
      const slot = index * IDENTIFIERS + (reply[1] ?? 0);
      const one = pending[slot];
      if (one === undefined) return;
      pending[slot] = undefined;
      const answer = reply[0] === CODE.CoaAck ? 'ack' : 'nak';
      one.settle({ sentAtMs: one.sentAtMs, answer, tookMs: performance.now() - one.sentAtMs });
    });
    socket.bind(0, address);
    await once(socket, 'listening');
    return socket;
  }),
);
let sent = 0;

function request(patienceMs: number): Promise<Outcome> {
  const number = sent++;
  const slot = number % (SOCKETS * IDENTIFIERS);
  const isSecond = Math.floor(number / sessions) % 2 === 1;
  const attributes = encodeAttributes([
    { name: 'Acct-Session-Id', value: `${prefix}${number % sessions}` },
    { name: 'ERX-Service-Activate', tag: 1, value: isSecond ? 'silver' : 'gold' },
  ]);
  const packet = signRequest({ code: CODE.CoaRequest, identifier: slot % IDENTIFIERS, attributes }, secret);
  return new Promise((settle) => {
    const sentAtMs = performance.now();
    const one = { sentAtMs, settle };
    pending[slot] = one;
    sockets[Math.floor(slot / IDENTIFIERS)]?.send(packet, relay.port, relay.address);
    setTimeout(() => {
      if (pending[slot] !== one) return;
      pending[slot] = undefined;
      settle({ sentAtMs });
    }, patienceMs);
  });
}

async function play(load: Load): Promise<readonly Outcome[]> {
  const startMs = performance.now();
  const endsAtMs = startMs + load.seconds * 1000;
  const outcomes: Promise<Outcome>[] = [];
  const ask = () => {
    const outcome = request(load.patienceMs);
    outcomes.push(outcome);
    return outcome;
  };
  if ('atATime' in load) {
    const askAgain = async () => {
      while (performance.now() < endsAtMs) await ask();
    };
    await Promise.all(Array.from({ length: load.atATime }, askAgain));
  } else {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setInterval(() => {
      const elapsedMs = Math.min(performance.now(), endsAtMs) - startMs;
      while (outcomes.length < (elapsedMs / 1000) * load.perSecond) void ask();
      if (performance.now() >= endsAtMs) resolve();
    }, TICK_MS);
    await promise;
    clearInterval(timer);
  }
  const settled = await Promise.all(outcomes);
  return settled.map((outcome) => ({ ...outcome, sentAtMs: outcome.sentAtMs - startMs }));
}

parentPort?.on('message', async (load: Load) => parentPort?.postMessage(await play(load)));
parentPort?.postMessage('ready');
