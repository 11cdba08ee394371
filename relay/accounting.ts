// The site's accounting.fifo: each record stays in the queue until an accounting server has it, and the records of
// one subscriber session are delivered one after the other.
import { EventEmitter, once } from 'node:events';
import { QUEUES } from '../core/cloud.ts';
import { AccountingMessage, readMessage } from '../core/messages.ts';
import type { AccountingServers } from './accounting-servers.ts';
import { consume } from './consume.ts';
import type { Report } from './events.ts';
import { BATCH, type Queue, type QueueMessage } from './queue.ts';

/** Records under way at a time; fewer than one socket has Identifiers. */
const MAX_HELD = 64;

interface Held {
  readonly record: AccountingMessage;
  readonly sinceMs: number;
  receipt: string;
}

export class Accounting {
  readonly #queue: Queue;
  readonly #servers: AccountingServers;
  readonly #monotonicNow: () => number;
  readonly #report: Report;
  readonly #visibilitySeconds: number;
  /** By message id, the oldest first. */
  readonly #held = new Map<string, Held>();
  /** The end of each message group's line: a record waits for those before it. */
  readonly #lines = new Map<string, Promise<void>>();
  readonly #events = new EventEmitter();

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
    /** For how long the queue hides a record from others; at half of that it is asked to go on hiding it. */
    readonly visibilitySeconds?: number | undefined;
  }) {
    this.#queue = queue;
    this.#servers = servers;
    this.#monotonicNow = monotonicNow;
    this.#report = report;
    this.#visibilitySeconds = visibilitySeconds;
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
    const holding = setInterval(() => this.#holdOn(), this.#holdEveryMs);
    await consume(this.#queue, (messages) => this.#take(messages, stopping, abandon), {
      receivers: 1,
      signal: stopping,
      visibilitySeconds: this.#visibilitySeconds,
    });
    await Promise.all(this.#lines.values());
    clearInterval(holding);
    await this.#queue.setVisibility(this.#receipts(), 0);
  }

  /** Takes a batch on, then waits until there is room for the next. */
  async #take(messages: readonly QueueMessage[], stopping: AbortSignal, abandon: AbortSignal): Promise<void> {
    for (const message of messages) this.#takeOne(message, abandon);
    while (this.#held.size > MAX_HELD - BATCH && !stopping.aborted) {
      await once(this.#events, 'delivered', { signal: stopping }).catch(() => undefined);
    }
  }

  #takeOne({ id, group, body, receipt }: QueueMessage, abandon: AbortSignal): void {
    const known = this.#held.get(id);
    if (known !== undefined) {
      // It slipped out of our hold and came again; only the new receipt will delete it.
      known.receipt = receipt;
      return;
    }
    let record: AccountingMessage;
    try {
      record = readMessage(AccountingMessage, body);
    } catch (error) {
      this.#leave(id, error);
      return;
    }
    this.#held.set(id, { record, sinceMs: this.#monotonicNow(), receipt });
    const line = (this.#lines.get(group) ?? Promise.resolve()).then(async () => {
      await this.#deliver(id, abandon);
      if (this.#lines.get(group) === line) this.#lines.delete(group);
    });
    this.#lines.set(group, line);
  }

  async #deliver(id: string, abandon: AbortSignal): Promise<void> {
    const held = this.#held.get(id);
    if (held === undefined) return;
    try {
      if (!(await this.#servers.deliver(held.record, abandon))) return;
      await this.#queue.delete(held.receipt);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#leave(id, error, held.record.correlationId);
    }
    this.#held.delete(id);
    this.#events.emit('delivered');
  }

  /** Keeps the records from being delivered twice, and their receive count from growing, while servers are silent. */
  #holdOn(): void {
    const [oldest] = this.#held.values();
    if (oldest === undefined) return;
    void this.#queue.setVisibility(this.#receipts(), this.#visibilitySeconds);
    const oldestMs = this.#monotonicNow() - oldest.sinceMs;
    if (oldestMs < this.#holdEveryMs) return;
    const server = this.#servers.current;
    this.#report({ kind: 'accounting-waiting', server, records: this.#held.size, oldestMs });
  }

  #leave(messageId: string, error: unknown, correlationId?: string): void {
    this.#report({
      kind: 'message-left',
      queue: this.#queue.name,
      reason: 'malformed',
      messageId,
      detail: error instanceof Error ? error.message : String(error),
      ...(correlationId !== undefined && { correlationId }),
    });
  }

  get #holdEveryMs(): number {
    return (this.#visibilitySeconds * 1000) / 2;
  }

  #receipts(): string[] {
    return Array.from(this.#held.values(), ({ receipt }) => receipt);
  }
}
