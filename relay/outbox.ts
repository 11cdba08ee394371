// From the cloud to the relay: replies to clients and commands to NASes.
import { OutboxMessage, readMessage, replyId } from '../core/messages.ts';
import type { MonotonicClock } from './clock.ts';
import type { CoaServer } from './coa-server.ts';
import type { Commands } from './commands.ts';
import type { HandledMessages } from './handled-messages.ts';
import { consume } from './queues/consume.ts';
import type { Queue, QueueMessage } from './queues/queue.ts';
import { describeError } from './telemetry/describe-error.ts';
import type { Report } from './telemetry/events.ts';

/** How many receive calls there are side by side: while one batch is handled, the other call waits for messages. */
const RECEIVERS = 2;

/**
 * Handles the messages of `queue` until `stopping` aborts, then finishes those that it has begun, unless `abandon`
 * aborts too. Commands are only begun here, so that no reply waits for one.
 */
export async function runOutbox(
  queue: Queue,
  {
    coaServer,
    commands,
    handled,
    report,
    ...options
  }: {
    readonly coaServer: CoaServer;
    readonly commands: Commands;
    readonly handled: HandledMessages;
    readonly report: Report;
    readonly clock: MonotonicClock;
    readonly stopping: AbortSignal;
    readonly abandon: AbortSignal;
    /** How long the queue hides a message from other receivers. */
    readonly visibilitySeconds: number;
    readonly runId: string;
  },
): Promise<void> {
  await consume(queue, async (messages) => void (await Promise.all(messages.map(handle))), {
    receivers: RECEIVERS,
    ...options,
  });
  await commands.finish();

  async function handle(queueMessage: QueueMessage): Promise<void> {
    const { id: messageId, body, receipt } = queueMessage;
    let message: OutboxMessage;
    try {
      message = readMessage(OutboxMessage, body);
    } catch (error) {
      const detail = describeError(error);
      report({ kind: 'message-left', queue: queue.name, reason: 'malformed', messageId, detail });
      return;
    }
    if (message.kind === 'command') {
      commands.take(message, queueMessage, options.abandon);
      return;
    }
    const { correlationId } = message;
    const id = replyId(message);
    if (handled.has(id)) report({ kind: 'message-repeated', queue: queue.name, messageId, correlationId });
    else await coaServer.answer(message);
    handled.add(id);
    // Deleted whether it was sent or not. The client waits for some seconds only: a later attempt would be too late, and
    // with the same site file it would fail for the same reason.
    await queue.delete(receipt);
  }
}
