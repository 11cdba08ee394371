// The site's accounting.fifo: each record stays in the queue until an accounting server has it, and the records of
// one subscriber session are delivered one after the other.
import { QUEUES } from '../core/cloud/queues.ts';
import { AccountingMessage, readMessage } from '../core/messages.ts';
import type { AccountingServers } from './accounting-client.ts';
import { consume } from './queues/consume.ts';
import { BATCH, type Queue, type QueueMessage } from './queues/queue.ts';
import { type Ending, HeldMessages } from './queues/visibility-extender.ts';
import { describeError } from './telemetry/describe-error.ts';
import type { RelayEvent, Report } from './telemetry/events.ts';

type MessageLeft = Extract<RelayEvent, { kind: 'message-left' }>;

/** Records under way at a time; fewer than one socket has Identifiers. */
const MAX_HELD = 64;

export class Accounting {
  readonly #queue: Queue;
  readonly #servers: AccountingServers;
  readonly #report: Report;
  readonly #visibilitySeconds: number;
  /** By message id. Keeps records from being delivered twice, and their receive count from growing, while servers
   * are silent. */
  readonly #held: HeldMessages;

  constructor({
    queue,
    servers,
    monotonicNow,
    report,
    visibilitySeconds = QUEUES.accounting.visibilityTimeoutSeconds,
  }: {
    readonly queue: Queue;
    readonly servers: AccountingServers;
    readonly monotonicNow: () => number;
    readonly report: Report;
    /** For how long the queue hides a record from others. */
    readonly visibilitySeconds?: number | undefined;
  }) {
    this.#queue = queue;
    this.#servers = servers;
    this.#report = report;
    this.#visibilitySeconds = visibilitySeconds;
    this.#held = new HeldMessages(queue, {
      visibilitySeconds,
      monotonicNow,
      onHeldOn: (oldestMs) =>
        report({ kind: 'accounting-waiting', server: servers.current, records: this.size, oldestMs }),
    });
  }

  /** How many records wait for their Accounting-Response. */
  get size(): number {
    return this.#held.size;
  }

  /**
   * Works until `stopping` aborts, then finishes what it holds. When `abandon` aborts as well, it gives the rest
   * back to the queue, where the next relay finds it at once.
   */
  async run(stopping: AbortSignal, abandon: AbortSignal): Promise<void> {
    await consume(this.#queue, (messages) => this.#take(messages, stopping, abandon), {
      receivers: 1,
      stopping,
      abandon,
      visibilitySeconds: this.#visibilitySeconds,
    });
    await this.#held.finish();
  }

  /** Takes a batch on, then waits until there is room for the next. */
  async #take(messages: readonly QueueMessage[], stopping: AbortSignal, abandon: AbortSignal): Promise<void> {
    for (const message of messages) this.#takeOne(message, abandon);
    while (this.#held.size > MAX_HELD - BATCH && !stopping.aborted) await this.#held.released(stopping);
  }

  #takeOne(message: QueueMessage, abandon: AbortSignal): void {
    const { id, body } = message;
    let record: AccountingMessage;
    try {
      record = readMessage(AccountingMessage, body);
    } catch (error) {
      this.#reportLeft({ messageId: id, reason: 'malformed', detail: describeError(error) });
      return;
    }
    this.#held.take(id, message, () => this.#deliver(id, record, abandon));
  }

  async #deliver(messageId: string, record: AccountingMessage, abandon: AbortSignal): Promise<Ending> {
    const { correlationId, status, acctSessionId } = record;
    try {
      const ending = await this.#servers.deliver(record, abandon);
      if (ending === 'left') {
        const detail = `no server answers ${status} ${acctSessionId}, and others are answered`;
        this.#reportLeft({ messageId, reason: 'unanswered', detail, correlationId });
      }
      return ending;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#reportLeft({ messageId, reason: 'malformed', detail: describeError(error), correlationId });
      return 'left';
    }
  }

  #reportLeft(why: Pick<MessageLeft, 'messageId' | 'reason' | 'detail' | 'correlationId'>): void {
    this.#report({ kind: 'message-left', queue: this.#queue.name, ...why });
  }
}
