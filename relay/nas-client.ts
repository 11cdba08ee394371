// One NAS of the site and the commands that it is told: CoA-Requests (RFC 5176 section 2.2).
import type { CommandMessage } from '../core/messages.ts';
import type { Secret } from '../core/radius/authenticator.ts';
import { encodeAttributes } from '../core/radius/codec.ts';
import { CODE } from '../core/radius/packet.ts';
import { Gate, type GateLimits } from './concurrency-limit.ts';
import { type Outcome, outcomeOfReply, type Unsent } from './outcome.ts';
import type { ExchangePolicy, ExchangeResult, RadiusClient, RadiusServer } from './radius/client.ts';
import type { Report } from './telemetry/events.ts';

/** A NAS of the site file, its secrets resolved: the current one and, during a rotation, its predecessor. */
export interface Nas extends Omit<RadiusServer, 'secret'> {
  readonly name: string;
  readonly secrets: readonly Secret[];
  /** How long a command is repeated before it counts as unanswered (MRD of RFC 5080). */
  readonly answerTimeoutSeconds: number;
}

/** RFC 5080 section 2.2.1. */
export type CommandTimings = Pick<ExchangePolicy, 'irtMs' | 'mrtMs' | 'mrc'>;

const TIMINGS: CommandTimings = { irtMs: 2_000, mrtMs: 16_000, mrc: 5 };

/** Commands under way at a time, as many as one socket has Identifiers, and commands that wait for their end. */
const LIMITS: GateLimits = { room: 256, maxWaiting: 256 };

export class NasClient {
  readonly #nas: Nas;
  readonly #client: RadiusClient;
  readonly #now: () => number;
  readonly #report: Report;
  readonly #policy: ExchangePolicy;
  readonly #gate: Gate;
  /** The secret of the latest answer; until there is one, the current secret. */
  #answersTo: Secret | undefined;

  constructor(
    nas: Nas,
    {
      client,
      now,
      report,
      timings = {},
      limits = LIMITS,
    }: {
      readonly client: RadiusClient;
      /** Milliseconds since 1970-01-01 UTC. */
      readonly now: () => number;
      readonly report: Report;
      readonly timings?: Partial<CommandTimings> | undefined;
      readonly limits?: GateLimits;
    },
  ) {
    this.#nas = nas;
    this.#client = client;
    this.#now = now;
    this.#report = report;
    const mrdMs = (nas.answerTimeoutSeconds * 1000) / nas.secrets.length;
    this.#policy = { ...TIMINGS, ...timings, mrdMs, endsWhenUnreachable: true };
    this.#gate = new Gate(limits);
    this.#answersTo = nas.secrets[0];
  }

  get name(): string {
    return this.#nas.name;
  }

  /** How many commands are under way. */
  get inFlight(): number {
    return this.#gate.size;
  }

  /** Tells the NAS and gives what became of it, or why it was not told; undefined when `abandon` aborted. */
  async carryOut(command: CommandMessage, abandon: AbortSignal): Promise<Outcome | Unsent | undefined> {
    const room = this.#gate.enter();
    if (room === undefined) return { unsent: 'nas-overloaded' };
    await room;
    try {
      if (this.#now() > command.startBeforeMs) return { unsent: 'expired' };
      return await this.#ask(command, abandon);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { unsent: 'no-packet', detail: error.message };
    } finally {
      this.#gate.leave();
    }
  }

  /**
   * During a rotation nobody knows which secret the NAS has by now, and it drops in silence what is signed with the
   * other one. So half of the time is for the secret that it answered to last. After that the command goes out as
   * another request, signed with the other secret. If the first was carried out and only its answer was lost, this
   * one is either dropped or asks for what is there already: to activate or deactivate twice changes nothing more.
   * An ACK to it is therefore as good as one to the first. A NAK is not: it says that this request has changed
   * nothing, while the first still may have, so the outcome is as unknown as without it.
   */
  async #ask(command: CommandMessage, abandon: AbortSignal): Promise<Outcome | Unsent | undefined> {
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
      const result = await this.#exchange(command, secret, abandon, onSent);
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
          this.#report({ kind: 'command-answered', ...about, ...outcome, latencyMs });
          return outcome.result === 'nak' && secret !== order[0] ? { result: 'timeout' } : outcome;
        }
      }
    }
    if (!isSent) return { unsent: 'nas-overloaded' };
    this.#report({ kind: 'command-unanswered', ...about, result: 'timeout' });
    return { result: 'timeout' };
  }

  /** The Event-Timestamp is that of the first sending; repeats keep it (RFC 5176 section 6.3). */
  #exchange(
    { attributes }: CommandMessage,
    secret: Secret,
    abandon: AbortSignal,
    onSent: () => void,
  ): Promise<ExchangeResult> {
    const stamp = encodeAttributes([{ name: 'Event-Timestamp', value: Math.floor(this.#now() / 1000) }]);
    const request = {
      code: CODE.CoaRequest,
      attributes: Buffer.concat([stamp, Buffer.from(attributes, 'base64')]),
    };
    return this.#client.exchange(request, { ...this.#nas, secret }, this.#policy, abandon, onSent);
  }

  #learn(secret: Secret): void {
    if (secret === this.#answersTo) return;
    this.#answersTo = secret;
    const to = secret === this.#nas.secrets[0] ? 'current' : 'previous';
    this.#report({ kind: 'nas-secret-changed', nas: this.name, to });
  }
}
