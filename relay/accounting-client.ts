// Sends accounting records to the site's accounting servers. RFC 2866 section 2 has a client send a record until it is
// acknowledged, so no record is dropped here. A record that stays unanswered while the server answers others goes back
// to its queue, so that it does not hold up the others.
import type { AccountingMessage } from '../core/messages.ts';
import { CODE } from '../core/radius/packet.ts';
import type { AccountingServers } from './accounting-servers.ts';
import { type Clock, delay } from './clock.ts';
import type { Ending } from './queues/visibility-extender.ts';
import type { ExchangePolicy, RadiusClient } from './radius/client.ts';
import type { Report } from './telemetry/events.ts';

/** Durations in milliseconds. */
export interface AccountingTimings {
  /** Initial retransmission time (RFC 5080 section 2.2.1). */
  readonly irtMs: number;
  /** Maximum retransmission time (RFC 5080 section 2.2.1). */
  readonly mrtMs: number;
  /** Where there are several servers: how long one is tried before the next one. */
  readonly attemptMs: number;
  /** The pause after a round in which no server has answered. */
  readonly roundPauseMs: number;
  /** How long a record is sent in any case. After that it is left as soon as other records are answered. */
  readonly giveWayMs: number;
}

const TIMINGS: AccountingTimings = {
  irtMs: 2_000,
  mrtMs: 16_000,
  attemptMs: 10_000,
  roundPauseMs: 2_000,
  giveWayMs: 300_000,
};

/** A client of several accounting servers, of which one is used at a time. */
export class AccountingClient {
  readonly #servers: AccountingServers;
  readonly #client: RadiusClient;
  readonly #report: Report;
  readonly #policy: ExchangePolicy;
  readonly #clock: Clock;
  readonly #roundPauseMs: number;
  readonly #giveWayMs: number;
  /** How many records have been answered, so that a record without an answer can see that others had one. */
  #answers = 0;

  constructor(
    servers: AccountingServers,
    {
      client,
      clock,
      report,
      timings = {},
    }: {
      readonly client: RadiusClient;
      readonly clock: Clock;
      readonly report: Report;
      readonly timings?: Partial<AccountingTimings> | undefined;
    },
  ) {
    const { irtMs, mrtMs, attemptMs, roundPauseMs, giveWayMs } = { ...TIMINGS, ...timings };
    const hasNext = servers.all.length > 1;
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
    this.#clock = clock;
    this.#roundPauseMs = roundPauseMs;
    this.#giveWayMs = giveWayMs;
  }

  /** The name of the server in use. */
  get current(): string {
    return this.#servers.current.name;
  }

  /**
   * Sends a record until a server has acknowledged it (`done`), `abandon` aborts (`abandoned`), or it gives way to
   * others (`left`).
   * @throws RangeError when its attributes are malformed, or the packet would exceed 4096 octets.
   */
  async deliver(record: AccountingMessage, abandon: AbortSignal): Promise<Ending> {
    const { correlationId, status, acctSessionId, serviceSession } = record;
    const request = { code: CODE.AccountingRequest, attributes: Buffer.from(record.attributes, 'base64') };
    let sinceMs = this.#clock.monotonicNow();
    let answersBefore = this.#answers;
    const giveWayAtMs = sinceMs + this.#giveWayMs;
    for (let attempt = 1; ; attempt++) {
      const server = this.#servers.current;
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
      // Only answers during this attempt count: the server may have gone down since an earlier one.
      if (sinceMs >= giveWayAtMs && this.#answers > answersBefore) return 'left';
      sinceMs = this.#clock.monotonicNow();
      answersBefore = this.#answers;
      this.#servers.turnFrom(server);
      if (attempt % this.#servers.all.length === 0) await delay(this.#clock, this.#roundPauseMs, abandon);
    }
  }
}
