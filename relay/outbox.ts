// The way down: what the cloud wants to have sent.
import { OutboxMessage, readMessage } from '../core/messages.ts';
import type { CoaServer } from './coa-server.ts';
import { consume } from './consume.ts';
import type { Report } from './events.ts';
import type { Queue, QueueMessage } from './queue.ts';

/** Calls side by side: while one hands its batch on, another waits at the queue. */
const RECEIVERS = 2;

/** Carries out the messages of `queue` until `stopping` aborts. */
export async function runOutbox(
  queue: Queue,
  { coaServer, report, stopping }: { coaServer: CoaServer; report: Report; stopping: AbortSignal },
): Promise<void> {
  await consume(queue, async (messages) => void (await Promise.all(messages.map(carryOut))), {
    receivers: RECEIVERS,
    signal: stopping,
  });

  async function carryOut({ id, body, receipt }: QueueMessage): Promise<void> {
    const left = { kind: 'message-left', queue: queue.name, messageId: id } as const;
    let message: OutboxMessage;
    try {
      message = readMessage(OutboxMessage, body);
    } catch (error) {
      report({ ...left, reason: 'malformed', detail: String(error) });
      return;
    }
    if (message.kind === 'command') {
      const { correlationId, session } = message;
      const detail = `commands for a NAS (here ${session.nas}) are not supported yet`;
      report({ ...left, reason: 'unsupported', detail, correlationId });
      return;
    }
    await coaServer.answer(message);
    // Deleted whether it was sent or not. A reply is worth something for the seconds in which its client waits: a
    // later attempt would come too late, and with the same site file it would be refused for the same reason.
    await queue.delete(receipt);
  }
}
