// The site's accounting.fifo. A record stays in the queue until an accounting server has acknowledged it, and the
// records of one subscriber session are delivered one after the other.
import { QUEUES } from '../core/cloud/queues.ts';
import { AccountingMessage, readMessage } from '../core/messages.ts';
import type { AccountingClient } from './accounting-client.ts';
import type { MonotonicClock } from './clock.ts';
import { HandledMessages } from './handled-messages.ts';
import { consume } from './queues/consume.ts';
import { BATCH, type Queue, type QueueMessage } from './queues/queue.ts';
import { type Ending, VisibilityExtender } from './queues/visibility-extender.ts';
import { describeError } from './telemetry/describe-error.ts';
import type { RelayEvent, Report } from './telemetry/events.ts';

/** What of a record an operator needs to account it by hand. */
function about({ correlationId, status, acctSessionId, serviceSession, attributes }: AccountingMessage) {
  return { correlationId, status, acctSessionId, serviceSession, attributes };
}

type MessageLeft = Extract<RelayEvent, { kind: 'message-left' }>;

/** How many records are held at a time; fewer than one channel has Identifiers. */
const MAX_HELD = 64;

/** Records that are remembered, in 20 MB at most: those of a day at 0.75 switches a second, each with a Start and a Stop. */
const HANDLED_RECORDS = 131_072;

/** Takes records from the queue to the accounting servers (RFC 2866 section 2). */
export class AccountingDelivery {
  readonly #queue: Queue;
  readonly #client: AccountingClient;
  readonly #clock: MonotonicClock;
  readonly #report: Report;
  readonly #visibilitySeconds: number;
  /** Records that a server has acknowledged. */
  readonly #handled = new HandledMessages(HANDLED_RECORDS);
  readonly #runId: string;
  /** By message id. While no server answers, a record is neither delivered twice nor does its receive count grow. */
  readonly #messages: VisibilityExtender;

  constructor({
    queue,
    client,
    clock,
    report,
    runId,
    visibilitySeconds = QUEUES.accounting.visibilityTimeoutSeconds,
  }: {
    readonly queue: Queue;
    readonly client: AccountingClient;
    readonly clock: MonotonicClock;
    readonly report: Report;
    /** Unique over all runs of all relays of the site. */
    readonly runId: string;
    /** How long the queue hides a record from other receivers. */
    readonly visibilitySeconds?: number | undefined;
  }) {
    this.#queue = queue;
    this.#client = client;
    this.#clock = clock;
    this.#report = report;
    this.#runId = runId;
    this.#visibilitySeconds = visibilitySeconds;
    this.#messages = new VisibilityExtender(queue, {
      visibilitySeconds,
      clock,
      onExtended: (oldestMs) =>
        report({ kind: 'accounting-waiting', server: client.current, records: this.size, oldestMs }),
    });
  }

  /** How many records have no Accounting-Response yet. */
  get size(): number {
    return this.#messages.size;
  }

  /**
   * Delivers records until `stopping` aborts, then finishes those that it holds. When `abandon` aborts as well, the
   * rest becomes visible in the queue, so that the next relay receives it at once.
   */
  async run(stopping: AbortSignal, abandon: AbortSignal): Promise<void> {
    await consume(this.#queue, (messages) => this.#take(messages, stopping, abandon), {
      clock: this.#clock,
      receivers: 1,
      stopping,
      abandon,
      visibilitySeconds: this.#visibilitySeconds,
      runId: this.#runId,
    });
    await this.#messages.finish();
  }

  /** Begins a batch, then waits until there is room for the next one. */
  async #take(messages: readonly QueueMessage[], stopping: AbortSignal, abandon: AbortSignal): Promise<void> {
    for (const message of messages) this.#takeOne(message, abandon);
    while (this.#messages.size > MAX_HELD - BATCH && !stopping.aborted)
      await this.#messages.released(stopping);
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
    this.#messages.take(id, message, () => this.#deliver(id, record, abandon));
  }

  async #deliver(messageId: string, record: AccountingMessage, abandon: AbortSignal): Promise<Ending> {
    const { correlationId, status, acctSessionId, id = messageId } = record;
    if (this.#handled.has(id)) {
      this.#report({ kind: 'message-repeated', queue: this.#queue.name, messageId, correlationId });
      return 'done';
    }
    try {
      const ending = await this.#client.deliver(record, abandon);
      if (ending === 'done') this.#handled.add(id);
      if (ending === 'left') {
        const detail = `no server answers ${status} ${acctSessionId}, and others are answered`;
        this.#reportLeft({ messageId, reason: 'unanswered', detail, correlationId });
      }
      return ending;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // It will never fit into a packet, and the records of its session behind it would wait until it is a dead letter.
      this.#report({ kind: 'accounting-not-sent', ...about(record), error: describeError(error) });
      return 'done';
    }
  }

  #reportLeft(why: Pick<MessageLeft, 'messageId' | 'reason' | 'detail' | 'correlationId'>): void {
    this.#report({ kind: 'message-left', queue: this.#queue.name, ...why });
  }
}
