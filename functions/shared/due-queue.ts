// The queue of sessions whose time comes. It is not FIFO, so each message has a delay of its own.
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { type DueMessage, MESSAGE_VERSION, type SessionKey, writeMessage } from '../../core/messages.ts';

/** Has decide look at a session at `dueAtMs`, milliseconds since 1970-01-01 UTC, at most 15 minutes away. */
export type Schedule = (session: SessionKey, dueAtMs: number, signal: AbortSignal) => Promise<void>;

export function createScheduler(client: SQSClient, queueUrl: string, now: () => number): Schedule {
  return async (session, dueAtMs, abortSignal) => {
    const entry = dueEntry(session, dueAtMs, now());
    await client.send(new SendMessageCommand({ QueueUrl: queueUrl, ...entry }), { abortSignal });
  };
}

/** The message about a session, with a delay so that it arrives when the time has come and not before. */
export function dueEntry(session: SessionKey, dueAtMs: number, nowMs: number) {
  const message: DueMessage = { version: MESSAGE_VERSION, kind: 'due', session, dueAtMs };
  return {
    MessageBody: writeMessage(message),
    DelaySeconds: Math.max(0, Math.ceil((dueAtMs - nowMs) / 1000)),
  };
}
