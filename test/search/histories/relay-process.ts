// A relay that can be killed: the real one, of which nothing is heard from then on.
import { type Relay, type RelayOptions, startRelay } from '../../../relay/relay.ts';
import type { RelayEvent } from '../../../relay/telemetry/events.ts';
import type { ManualClock } from '../../relay/manual-clock.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { type CallFate, type MemoryQueue, memorySqsClient } from '../../relay/memory-sqs.ts';

/** It searches for stale sessions so often, for ever. */
const SEARCH_EVERY_MS = 60_000;

/** Starts a relay: the real one, or one that is broken on purpose. */
export type StartRelay = typeof startRelay;

export interface RelayProcessOptions extends Pick<RelayOptions, 'site' | 'newId'> {
  readonly start?: StartRelay | undefined;
  readonly clock: ManualClock;
  /** The address of its host. */
  readonly address: string;
  /** What its wall clock is ahead of the cloud's; negative when it is behind. */
  readonly skewMs: () => number;
  readonly network: MemoryNetwork;
  readonly queues: {
    readonly inbox: MemoryQueue;
    readonly outcomes: MemoryQueue;
    readonly outbox: MemoryQueue;
    readonly accounting: MemoryQueue;
    readonly feed: MemoryQueue;
  };
  /** What becomes of a call to SQS. */
  readonly fateOf: (action: string) => CallFate;
  readonly report: (event: RelayEvent) => void;
}

export interface RelayProcess {
  /** Stops it as SIGTERM does; resolves when it has ended. */
  drain(): Promise<void>;
  /** Stops it as SIGKILL does. */
  kill(): void;
  /** Stops it as SIGSTOP does, until `resume`. */
  pause(): void;
  resume(): void;
}

const URLS = {
  inbox: 'inbox',
  outcomes: 'outcomes',
  outbox: 'outbox',
  accounting: 'accounting',
  feed: 'feed',
} as const;

export async function startRelayProcess({
  start = startRelay,
  site,
  newId,
  clock,
  address,
  skewMs,
  network,
  queues,
  fateOf,
  report,
}: RelayProcessOptions): Promise<RelayProcess> {
  const process = clock.process(skewMs, SEARCH_EVERY_MS);
  const host = network.host(address);
  const relay: Relay = await start({
    site,
    queues: URLS,
    sqs: memorySqsClient({ clock, queues, fateOf }, process.clock),
    transport: host,
    serveHttp: async (local) => ({ local, close: async () => undefined }),
    clock: process.clock,
    // Retransmissions without jitter.
    random: () => 0.5,
    newId,
    report,
  });
  return {
    drain: () => relay.drain(),
    kill: () => {
      process.kill();
      host.crash();
    },
    pause: () => {
      process.pause();
      host.pause();
    },
    resume: () => {
      process.resume();
      host.resume();
    },
  };
}
