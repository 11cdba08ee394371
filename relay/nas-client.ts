// Sends commands to one NAS of the site, as CoA-Requests or Disconnect-Requests (RFC 5176 sections 2.1 and 2.2).
import type { CommandMessage } from '../core/messages.ts';
import type { Secret } from '../core/radius/authenticator.ts';
import { encodeAttributes } from '../core/radius/codec.ts';
import { CODE } from '../core/radius/packet.ts';
import type { Clock } from './clock.ts';
import { ConcurrencyLimit, type ConcurrencyLimits } from './concurrency-limit.ts';
import { type Outcome, outcomeOfReply, type Unsent } from './outcome.ts';
import type { IsHeld } from './queues/visibility-extender.ts';
import type { ExchangePolicy, ExchangeResult, RadiusClient, RadiusServer } from './radius/client.ts';
import type { Report } from './telemetry/events.ts';

/** A NAS of the site file with its secrets: the current one and, during a rotation, the previous one. */
export interface Nas extends Omit<RadiusServer, 'secret'> {
  readonly name: string;
  /** Names that it had before. */
  readonly formerly: readonly string[];
  readonly secrets: readonly Secret[];
  /** How long a command is retransmitted before it counts as unanswered (MRD of RFC 5080 section 2.2.1). */
  readonly answerTimeoutSeconds: number;
}

/** Until when a command may be carried out. */
export interface Limits {
  /** Whether the time is over in which it may be sent for the first time. */
  readonly isLate: () => boolean;
  /** Whether no other relay can have it: else nothing is transmitted any more. */
  readonly isHeld: IsHeld;
  readonly abandon: AbortSignal;
}

/** Retransmission of a command (RFC 5080 section 2.2.1). Its MRD is the answer timeout of the NAS. */
export type CommandTimings = Pick<ExchangePolicy, 'irtMs' | 'mrtMs' | 'mrc'>;

const TIMINGS: CommandTimings = { irtMs: 2_000, mrtMs: 16_000, mrc: 5 };

/** As many commands at a time as one channel has Identifiers. */
const LIMITS: ConcurrencyLimits = { maxConcurrent: 256, maxWaiting: 256 };

/** The relay as a Dynamic Authorization Client of one NAS (RFC 5176 section 1.3). */
export class NasClient {
  readonly #nas: Nas;
  readonly #client: RadiusClient;
  readonly #clock: Clock;
  readonly #report: Report;
  readonly #policy: ExchangePolicy;
  readonly #limit: ConcurrencyLimit;
  /** The secret of the latest reply; before the first, the current secret. */
  #answersTo: Secret | undefined;

  constructor(
    nas: Nas,
    {
      client,
      clock,
      report,
      timings = {},
      limits = LIMITS,
    }: {
      readonly client: RadiusClient;
      readonly clock: Clock;
      readonly report: Report;
      readonly timings?: Partial<CommandTimings> | undefined;
      readonly limits?: ConcurrencyLimits;
    },
  ) {
    this.#nas = nas;
    this.#client = client;
    this.#clock = clock;
    this.#report = report;
    const mrdMs = (nas.answerTimeoutSeconds * 1000) / nas.secrets.length;
    this.#policy = { ...TIMINGS, ...timings, mrdMs, endsWhenUnreachable: true };
    this.#limit = new ConcurrencyLimit(limits);
    this.#answersTo = nas.secrets[0];
  }

  /** The name of the NAS in the site file. */
  get name(): string {
    return this.#nas.name;
  }

  /** Its name, and those that it had before. */
  get names(): readonly string[] {
    return [this.#nas.name, ...this.#nas.formerly];
  }

  /** How many commands have been sent and not answered. */
  get inFlight(): number {
    return this.#limit.active;
  }

  /**
   * Sends a command and returns its outcome, or why it was not sent; undefined when `abandon` aborted, or it is not held any
   * more.
   */
  async carryOut(command: CommandMessage, limits: Limits): Promise<Outcome | Unsent | undefined> {
    const acquired = this.#limit.acquire();
    if (acquired === undefined) return { unsent: 'nas-overloaded' };
    await acquired;
    try {
      if (limits.isLate()) return { unsent: 'expired' };
      return await this.#send(command, limits);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { unsent: 'no-packet', detail: error.message };
    } finally {
      this.#limit.release();
    }
  }

  /**
   * During a rotation of secrets the relay does not know which of the two the NAS has, and the NAS discards requests
   * that are signed with the other one. So half of the answer timeout is for the secret of its latest reply. Then the
   * command is sent as a second request, signed with the other secret. If the NAS has carried out the first one and its
   * reply was lost, the NAS discards the second or is asked for what it has done already, which changes nothing. So an
   * ACK to the second request holds for the command. A NAK does not: the second request has changed nothing, but the
   * first one may have. The outcome is then a timeout, as without a reply.
   */
  async #send(command: CommandMessage, limits: Limits): Promise<Outcome | Unsent | undefined> {
    const { correlationId, commandId, operation, services, session } = command;
    const about = { correlationId, commandId, nas: this.name };
    let isSent = false;
    const onSent = () => {
      if (!isSent) {
        const { acctSessionId } = session;
        this.#report({ kind: 'command-sent', ...about, acctSessionId, operation, services });
      }
      isSent = true;
    };
    const { secrets } = this.#nas;
    const order = this.#answersTo === secrets[0] ? secrets : secrets.toReversed();
    for (const secret of order) {
      const result = await this.#exchange(command, secret, limits, onSent);
      switch (result.kind) {
        case 'aborted':
          return undefined;
        case 'unreachable':
          this.#report({ kind: 'command-unanswered', ...about, result: 'unreachable' });
          return { result: 'unreachable' };
        case 'reply': {
          this.#learn(secret);
          const { packet, latencyMs } = result;
          const outcome = outcomeOfReply(packet);
          this.#report({ kind: 'command-answered', ...about, operation, ...outcome, latencyMs });
          return outcome.result === 'nak' && secret !== order[0] ? { result: 'timeout' } : outcome;
        }
      }
    }
    // While this process stood still, it may have missed the reply; and another relay may have the command.
    if (!limits.isHeld()) return undefined;
    if (!isSent) return { unsent: 'nas-overloaded' };
    this.#report({ kind: 'command-unanswered', ...about, result: 'timeout' });
    return { result: 'timeout' };
  }

  /** The Event-Timestamp is the time of the first transmission; retransmissions keep it (RFC 5176 section 6.3). */
  #exchange(
    { attributes, operation }: CommandMessage,
    secret: Secret,
    { isHeld, abandon }: Limits,
    onSent: () => void,
  ): Promise<ExchangeResult> {
    const stamp = encodeAttributes([
      { name: 'Event-Timestamp', value: Math.floor(this.#clock.now() / 1000) },
    ]);
    const request = {
      code: operation === 'disconnect' ? CODE.DisconnectRequest : CODE.CoaRequest,
      attributes: Buffer.concat([stamp, Buffer.from(attributes, 'base64')]),
    };
    const policy = { ...this.#policy, mayTransmit: isHeld };
    return this.#client.exchange(request, { ...this.#nas, secret }, policy, abandon, onSent);
  }

  #learn(secret: Secret): void {
    if (secret === this.#answersTo) return;
    this.#answersTo = secret;
    const to = secret === this.#nas.secrets[0] ? 'current' : 'previous';
    this.#report({ kind: 'nas-secret-changed', nas: this.name, to });
  }
}
