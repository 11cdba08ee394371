// The way down: what the cloud wants to have sent.
import { OutboxMessage, readMessage } from '../core/messages.ts';
import type { CoaServer } from './coa-server.ts';
import type { Commands } from './commands.ts';
import { consume } from './queues/consume.ts';
import type { Queue, QueueMessage } from './queues/queue.ts';
import { describeError } from './telemetry/describe-error.ts';
import type { Report } from './telemetry/events.ts';

/** Calls side by side: while one hands its batch on, another waits at the queue. */
const RECEIVERS = 2;

/**
 * Carries out the messages of `queue` until `stopping` aborts, and then finishes what it has begun unless `abandon`
 * aborts too. A reply waits for no command: commands are started here and nothing more.
 */
export async function runOutbox(
  queue: Queue,
  {
    coaServer,
    commands,
    report,
    ...options
  }: {
    readonly coaServer: CoaServer;
    readonly commands: Commands;
    readonly report: Report;
    readonly stopping: AbortSignal;
    readonly abandon: AbortSignal;
    readonly visibilitySeconds: number;
  },
): Promise<void> {
  await consume(queue, async (messages) => void (await Promise.all(messages.map(carryOut))), {
    receivers: RECEIVERS,
    ...options,
  });
  await commands.finish();

  async function carryOut(queueMessage: QueueMessage): Promise<void> {
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
    await coaServer.answer(message);
    // Deleted whether it was sent or not. A reply is worth something for the seconds in which its client waits: a
    // later attempt would come too late, and with the same site file it would be refused for the same reason.
    await queue.delete(receipt);
  }
}
