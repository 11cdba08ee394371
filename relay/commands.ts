// The commands of the outbox. A command is sent to its NAS at most once over all relays, and its message is deleted after
// SQS has its outcome.
//
// Why at most once: a command that SQS has delivered before may have been carried out and reported. If it were carried
// out again, the NAS could end up with services that the cloud believes gone. Such a command is reported as
// `interrupted`, and the cloud, which knows whether it was reported, asks the NAS again with a new one. The queue hides a
// command for some seconds only, so that those of a relay that stopped come again soon. The relay that holds it renews the
// timeout until SQS has its outcome, and transmits nothing once the timeout may have run out, as after a pause of
// the process: another relay may have the command then, and the session may have gone on. A
// message of a command whose outcome is there is deleted.
import type { CommandMessage, SessionKey } from '../core/messages.ts';
import { ERROR_CAUSE } from '../core/radius/attributes.ts';
import type { Clock } from './clock.ts';
import type { CloudClock } from './cloud-clock.ts';
import type { HandledMessages } from './handled-messages.ts';
import { outcomeMessage } from './messages.ts';
import type { NasClient } from './nas-client.ts';
import { type ReportedOutcome, UNSENT } from './outcome.ts';
import { backOff } from './queues/back-off.ts';
import type { Inbox } from './queues/inbox.ts';
import { type Queue, type QueueMessage, queueTimeMs } from './queues/queue.ts';
import { type Ending, type IsHeld, VisibilityExtender } from './queues/visibility-extender.ts';
import type { Report } from './telemetry/events.ts';

/** How many commands are held at a time: at their NAS, waiting, or not reported yet. */
const MAX_HELD = 4096;

export interface CommandsOptions {
  readonly outbox: Queue;
  /** Where outcomes go. */
  readonly outcomes: Inbox;
  /** Where they go in turns with that while SQS does not take them: a stack of before has no queue of outcomes. */
  readonly inbox: Inbox;
  readonly nases: readonly NasClient[];
  readonly clock: Clock;
  readonly cloudClock: Pick<CloudClock, 'pastMs'>;
  /** Commands whose outcome is in the inbox. */
  readonly handled: HandledMessages;
  readonly report: Report;
  /** Called when a NAS has said that it has no such session, or that it has ended it. */
  readonly onGone?: (session: SessionKey) => void;
  /** Told where the command of a request is: from now on with its NAS, or on the way back to the cloud. */
  readonly onPlace?: (place: 'nas' | 'cloud', correlationId: string) => void;
  /** How long the outbox hides a message from other receivers. */
  readonly visibilitySeconds: number;
  /** @default 4096 */
  readonly maxHeld?: number;
}

/** The commands that this relay holds, of all NASes. */
export class Commands {
  readonly #options: CommandsOptions;
  /** By its name, and by those that it had before: a session is named by the one that it had when the session began. */
  readonly #nases: ReadonlyMap<string, NasClient>;
  /** By command id. */
  readonly #messages: VisibilityExtender;

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#nases = new Map(options.nases.flatMap((nas) => nas.names.map((name) => [name, nas])));
    const { outbox, clock, visibilitySeconds } = options;
    this.#messages = new VisibilityExtender(outbox, { clock, visibilitySeconds });
  }

  /** How many commands are held: at their NAS, waiting, or not reported yet. */
  get size(): number {
    return this.#messages.size;
  }

  /** How many commands have been sent and not answered, by NAS. */
  get inFlight(): readonly (readonly [nas: string, commands: number])[] {
    return this.#options.nases.map(({ name, inFlight }) => [name, inFlight]);
  }

  /** Begins a command and returns at once. If `abandon` aborts before it is reported, `finish` reveals it again. */
  take(command: CommandMessage, message: QueueMessage, abandon: AbortSignal): void {
    const { outbox, report, onPlace, maxHeld = MAX_HELD } = this.#options;
    const { commandId, correlationId } = command;
    if (this.#messages.size >= maxHeld && !this.#messages.has(commandId)) {
      // SQS delivers it again. By its receive count it may have been sent then, so it is reported as interrupted.
      const detail = `${maxHeld} commands are held already`;
      const left = { queue: outbox.name, messageId: message.id, correlationId, detail };
      report({ kind: 'message-left', reason: 'overloaded', ...left });
      return;
    }
    onPlace?.('nas', correlationId);
    this.#messages.take(commandId, message, (isHeld) => this.#carryOut(command, message, isHeld, abandon));
  }

  /** Waits until all commands are reported or abandoned, then makes the abandoned ones visible again. */
  finish(): Promise<void> {
    return this.#messages.finish();
  }

  async #carryOut(
    command: CommandMessage,
    message: QueueMessage,
    isHeld: IsHeld,
    abandon: AbortSignal,
  ): Promise<Ending> {
    const { handled, outbox, report, onPlace } = this.#options;
    const { commandId, correlationId } = command;
    const about = { queue: outbox.name, messageId: message.id, correlationId };
    if (handled.has(commandId)) {
      report({ kind: 'message-repeated', ...about });
      return 'done';
    }
    const outcome = await this.#outcomeOf(command, message, isHeld, abandon);
    onPlace?.('cloud', correlationId);
    if (outcome !== undefined && (await this.#reportOutcome(command, outcome, abandon))) {
      handled.add(commandId);
      return 'done';
    }
    if (abandon.aborted) return 'abandoned';
    const detail = 'its visibility timeout has run out: SQS delivers it again';
    report({ kind: 'message-left', reason: 'not-held', ...about, detail });
    return 'left';
  }

  /**
   * The time by the cloud's clock, never earlier than it is as far as the queue tells: what the clock of this machine says
   * decides nothing. A message that was moved back from the dead-letter queue may have a first delivery of long ago.
   */
  #cloudTimeMs(message: QueueMessage): number {
    const { clock, cloudClock } = this.#options;
    return Math.max(queueTimeMs(message, clock.monotonicNow()), cloudClock.pastMs);
  }

  async #outcomeOf(
    command: CommandMessage,
    message: QueueMessage,
    isHeld: IsHeld,
    abandon: AbortSignal,
  ): Promise<ReportedOutcome | undefined> {
    const { correlationId, commandId, session } = command;
    const nas = this.#nases.get(session.nas);
    const isLate = () => this.#cloudTimeMs(message) > command.startBeforeMs;
    const result =
      message.receiveCount > 1
        ? ({ unsent: 'received-before' } as const)
        : nas === undefined
          ? ({ unsent: 'unknown-nas' } as const)
          : await nas.carryOut(command, { isLate, isHeld, abandon });
    if (result === undefined || !('unsent' in result)) {
      if (nas !== undefined && result !== undefined && endsSession(command, result))
        this.#options.onGone?.({ ...session, nas: nas.name });
      return result;
    }
    const { unsent: reason, ...detail } = result;
    const outcome: ReportedOutcome = UNSENT[reason];
    const about = { correlationId, commandId, nas: session.nas };
    this.#options.report({ kind: 'command-not-sent', ...about, reason, ...detail });
    return outcome;
  }

  /** Retries until SQS has the outcome (true) or `abandon` aborts (false). */
  async #reportOutcome(
    command: CommandMessage,
    outcome: ReportedOutcome,
    abandon: AbortSignal,
  ): Promise<boolean> {
    const { outcomes, inbox } = this.#options;
    const message = outcomeMessage(command, outcome, this.#options.clock.now());
    for (let failures = 0; !(await ((failures % 2 === 0 ? outcomes : inbox).offer(message) ?? false)); ) {
      await backOff(this.#options.clock, ++failures, abandon);
      if (abandon.aborted) return false;
    }
    return true;
  }
}

/** Whether the cloud may have ended a session because of what its NAS has answered. */
function endsSession({ operation }: CommandMessage, { result, errorCause }: ReportedOutcome): boolean {
  if (operation === 'disconnect' && result === 'ack') return true;
  const isNotFound = result === 'nak' && errorCause === ERROR_CAUSE['Session-Context-Not-Found'];
  return isNotFound && operation !== 'deactivate';
}
