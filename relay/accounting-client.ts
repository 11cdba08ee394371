// Brings one record to one of the site's accounting servers. RFC 2866 section 2 has it sent until it is acknowledged,
// so nothing is ever given up here; but a record that a server does not want, while it takes others, makes room for them.
import { setTimeout as delay } from 'node:timers/promises';
import type { AccountingMessage } from '../core/messages.ts';
import { CODE } from '../core/radius/packet.ts';
import type { Ending } from './queues/visibility-extender.ts';
import type { ExchangePolicy, RadiusClient, RadiusServer } from './radius/client.ts';
import type { Report } from './telemetry/events.ts';

export interface AccountingServer extends RadiusServer {
  /** For logs. */
  readonly name: string;
}

export interface AccountingTimings {
  /** RFC 5080 section 2.2.1: first and longest wait for an answer. */
  readonly irtMs: number;
  readonly mrtMs: number;
  /** How long one server is asked before the next one is, where there are several. */
  readonly attemptMs: number;
  /** After a round in which no server answered. */
  readonly roundPauseMs: number;
  /** How long a record is sent in any case. Then it goes, as soon as others are answered while it is not. */
  readonly giveWayMs: number;
}

const TIMINGS: AccountingTimings = {
  irtMs: 2_000,
  mrtMs: 16_000,
  attemptMs: 10_000,
  roundPauseMs: 2_000,
  giveWayMs: 300_000,
};

export class AccountingServers {
  readonly #servers: readonly AccountingServer[];
  readonly #client: RadiusClient;
  readonly #report: Report;
  readonly #policy: ExchangePolicy;
  readonly #monotonicNow: () => number;
  readonly #roundPauseMs: number;
  readonly #giveWayMs: number;
  /** All records go to the same server until it stops answering, then to the next. */
  #current = 0;
  /** Counts answers: who has waited in vain looks whether others have not. */
  #answers = 0;

  /** `servers`, at least one, in the order in which they are tried. */
  constructor(
    servers: readonly AccountingServer[],
    {
      client,
      monotonicNow,
      report,
      timings = {},
    }: {
      readonly client: RadiusClient;
      readonly monotonicNow: () => number;
      readonly report: Report;
      readonly timings?: Partial<AccountingTimings> | undefined;
    },
  ) {
    const { irtMs, mrtMs, attemptMs, roundPauseMs, giveWayMs } = { ...TIMINGS, ...timings };
    const hasNext = servers.length > 1;
    this.#servers = servers;
    this.#client = client;
    this.#report = report;
    this.#policy = {
      irtMs,
      mrtMs,
      mrc: 0,
      mrdMs: hasNext ? attemptMs : giveWayMs,
      endsWhenUnreachable: hasNext,
    };
    this.#monotonicNow = monotonicNow;
    this.#roundPauseMs = roundPauseMs;
    this.#giveWayMs = giveWayMs;
  }

  /** The name of the server that records go to now. */
  get current(): string {
    return this.#servers[this.#current]?.name ?? '';
  }

  /**
   * Sends a record until a server has acknowledged it, `abandon` aborts, or it has to make room: then the queue
   * delivers it again.
   * @throws RangeError when its attributes make no packet.
   */
  async deliver(record: AccountingMessage, abandon: AbortSignal): Promise<Ending> {
    const { correlationId, status, acctSessionId, serviceSession } = record;
    const request = { code: CODE.AccountingRequest, attributes: Buffer.from(record.attributes, 'base64') };
    let sinceMs = this.#monotonicNow();
    let answersBefore = this.#answers;
    const giveWayAtMs = sinceMs + this.#giveWayMs;
    for (let attempt = 1; ; attempt++) {
      const turn = this.#current;
      const server = this.#servers[turn];
      if (server === undefined) throw new Error('there is no accounting server');
      const result = await this.#client.exchange(request, server, this.#policy, abandon);
      if (result.kind === 'aborted') return 'abandoned';
      const about = { correlationId, server: server.name };
      if (result.kind === 'reply') {
        this.#answers++;
        const { latencyMs } = result;
        this.#report({
          kind: 'accounting-answered',
          ...about,
          status,
          acctSessionId,
          serviceSession,
          latencyMs,
        });
        return 'done';
      }
      this.#report({ kind: 'accounting-unanswered', ...about, result: result.kind });
      // An answer from before this attempt does not count: the server may be down since.
      if (sinceMs >= giveWayAtMs && this.#answers > answersBefore) return 'left';
      sinceMs = this.#monotonicNow();
      answersBefore = this.#answers;
      this.#leave(turn);
      if (attempt % this.#servers.length === 0) await pause(this.#roundPauseMs, abandon);
    }
  }

  /** Goes on to the next server, unless another record has done so while this one waited. */
  #leave(turn: number): void {
    if (turn !== this.#current || this.#servers.length === 1) return;
    const from = this.current;
    this.#current = (turn + 1) % this.#servers.length;
    this.#report({ kind: 'accounting-server-changed', from, to: this.current });
  }
}

const pause = (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal }).catch(() => undefined);
