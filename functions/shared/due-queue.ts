// The queue of sessions whose time comes. It is not FIFO, so each message has a delay of its own.
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { type DueMessage, type SessionKey, writeMessage } from '../../core/messages.ts';

/** Has decide look at a session at `dueAtMs`, which is a quarter of an hour away at the most. */
export type Remind = (session: SessionKey, dueAtMs: number, signal: AbortSignal) => Promise<void>;

export function createReminder(client: SQSClient, queueUrl: string, now: () => number): Remind {
  return async (session, dueAtMs, abortSignal) => {
    const entry = dueEntry(session, dueAtMs, now());
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, ...entry }), { abortSignal });
  };
}

/** The message about a session, with a delay so that it arrives when the time has come and not before. */
export function dueEntry(session: SessionKey, dueAtMs: number, nowMs: number) {
  const message: DueMessage = { kind: 'due', session, dueAtMs };
  return {
    MessageBody: writeMessage(message),
    DelaySeconds: Math.max(0, Math.ceil((dueAtMs - nowMs) / 1000)),
  };
}
