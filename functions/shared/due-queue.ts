// Sends sessions to the due queue. It is not FIFO, so that each message has a delay of its own.
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { type DueMessage, MESSAGE_VERSION, type SessionKey, writeMessage } from '../../core/messages.ts';

/**
 * Sends a session to decide at `dueAtMs`, milliseconds since 1970-01-01 UTC. SQS delays a message by at most 15
 * minutes. Rejects if SQS did not take the message.
 */
export type Schedule = (session: SessionKey, dueAtMs: number, signal: AbortSignal) => Promise<void>;

/** A `Schedule` on the due queue. `now` gives milliseconds since 1970-01-01 UTC. */
export function createScheduler(client: SQSClient, queueUrl: string, now: () => number): Schedule {
  return async (session, dueAtMs, abortSignal) => {
    const entry = dueEntry(session, dueAtMs, now());
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, ...entry }), { abortSignal });
  };
}

/**
 * The message of a session that is due at `dueAtMs`, with the delay after which SQS delivers it; not before
 * `deliverAtMs`.
 */
export function dueEntry(session: SessionKey, dueAtMs: number, nowMs: number, deliverAtMs = dueAtMs) {
  const message: DueMessage = { version: MESSAGE_VERSION, kind: 'due', session, dueAtMs };
  return {
    MessageBody: writeMessage(message),
    DelaySeconds: Math.max(0, Math.ceil((deliverAtMs - nowMs) / 1000)),
  };
}
