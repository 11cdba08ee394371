// The commands of the outbox: each is told to its NAS, at most once over all relays, and what became of it is
// reported to the inbox before its message is deleted.
//
// At most once: a command that was delivered before may have been carried out, reported and answered by now. To carry
// it out again would leave the NAS with what the cloud believes gone, so it is reported as interrupted, which the
// cloud knows how to undo. It is not delivered to somebody else while it is under way here: a queue hides it for
// 60 seconds, it is sent within the first 30 and repeated for 30 more at the most, and if its outcome cannot be
// reported it goes on being hidden.
import type { CommandMessage } from '../core/messages.ts';
import { outcomeMessage } from './messages.ts';
import type { NasClient } from './nas-client.ts';
import { type Outcome, UNSENT } from './outcome.ts';
import { backOff } from './queues/back-off.ts';
import type { Inbox } from './queues/inbox.ts';
import type { Queue, QueueMessage } from './queues/queue.ts';
import { type Ending, HeldMessages } from './queues/visibility-extender.ts';
import type { Report } from './telemetry/events.ts';

/** Held at a time, whether under way, waiting or not reported yet. */
const MAX_HELD = 4096;

export interface CommandsOptions {
  readonly outbox: Queue;
  readonly inbox: Inbox;
  readonly nases: readonly NasClient[];
  /** Milliseconds since 1970-01-01 UTC. */
  readonly now: () => number;
  /** Milliseconds since any moment, never set back. */
  readonly monotonicNow: () => number;
  readonly report: Report;
  /** For how long the outbox hides a message from others. */
  readonly visibilitySeconds: number;
  /** @default 4096 */
  readonly maxHeld?: number;
}

export class Commands {
  readonly #options: CommandsOptions;
  readonly #nases: ReadonlyMap<string, NasClient>;
  /** By command id. */
  readonly #held: HeldMessages;

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#nases = new Map(options.nases.map((nas) => [nas.name, nas]));
    const { outbox, monotonicNow, visibilitySeconds } = options;
    this.#held = new HeldMessages(outbox, { monotonicNow, visibilitySeconds });
  }

  /** How many commands are held: under way, waiting, or not reported yet. */
  get size(): number {
    return this.#held.size;
  }

  /** How many commands are under way, by NAS. */
  get inFlight(): readonly (readonly [nas: string, commands: number])[] {
    return Array.from(this.#nases.values(), ({ name, inFlight }) => [name, inFlight]);
  }

  /** Takes a command on and returns at once. What `abandon` keeps from its end is given back by `finish`. */
  take(command: CommandMessage, message: QueueMessage, abandon: AbortSignal): void {
    const { outbox, report, maxHeld = MAX_HELD } = this.#options;
    const { commandId, correlationId } = command;
    if (this.#held.size >= maxHeld && !this.#held.has(commandId)) {
      // It comes again, is taken for one that was tried, and so is reported as interrupted.
      const detail = `${maxHeld} commands are held already`;
      const left = { queue: outbox.name, messageId: message.id, correlationId, detail };
      report({ kind: 'message-left', reason: 'overloaded', ...left });
      return;
    }
    this.#held.take(commandId, message, () => this.#carryOut(command, message.receiveCount, abandon));
  }

  /** Waits for the end of what is under way, or until it is abandoned, and gives back what is not reported then. */
  finish(): Promise<void> {
    return this.#held.finish();
  }

  async #carryOut(command: CommandMessage, receiveCount: number, abandon: AbortSignal): Promise<Ending> {
    const outcome = await this.#outcomeOf(command, receiveCount, abandon);
    return outcome !== undefined && (await this.#tellCloud(command, outcome, abandon)) ? 'done' : 'abandoned';
  }

  async #outcomeOf(
    command: CommandMessage,
    receiveCount: number,
    abandon: AbortSignal,
  ): Promise<Outcome | undefined> {
    const { correlationId, commandId, session } = command;
    const nas = this.#nases.get(session.nas);
    const result =
      receiveCount > 1
        ? ({ unsent: 'received-before' } as const)
        : nas === undefined
          ? ({ unsent: 'unknown-nas' } as const)
          : await nas.carryOut(command, abandon);
    if (result === undefined || !('unsent' in result)) return result;
    const { unsent: reason, ...detail } = result;
    const outcome = UNSENT[reason];
    const about = { correlationId, commandId, nas: session.nas };
    this.#options.report({ kind: 'command-not-sent', ...about, reason, ...outcome, ...detail });
    return outcome;
  }

  /** Tries until SQS has the outcome (true) or `abandon` aborts (false). */
  async #tellCloud(command: CommandMessage, outcome: Outcome, abandon: AbortSignal): Promise<boolean> {
    const message = outcomeMessage(command, outcome, this.#options.now());
    for (let failures = 0; !(await (this.#options.inbox.offer(message) ?? false)); ) {
      await backOff(++failures, abandon);
      if (abandon.aborted) return false;
    }
    return true;
  }
}
