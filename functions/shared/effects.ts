// The effects of a transition as messages of the outbox.
import {
  MESSAGE_VERSION,
  type MessageOrigin,
  messageGroup,
  replyFor,
  replyId,
  type SessionKey,
} from '../../core/messages.ts';
import type { Origin } from '../../core/origin.ts';
import type { CommandEffect, Effect, ReplyEffect } from '../../core/subscriber/session.ts';
import type { OutgoingMessage } from './queue.ts';

/** The message that carries out an effect of a change of `session`. */
export function messageOf(effect: Effect, session: SessionKey): OutgoingMessage {
  return effect.kind === 'reply' ? replyMessage(effect) : commandMessage(effect, session);
}

/** A reply has a message group of its own, so that it waits for no other. SQS drops a second one for five minutes. */
export function replyMessage({ origin, ...reply }: ReplyEffect): OutgoingMessage {
  return {
    body: replyFor({ version: MESSAGE_VERSION, ...reply, origin: messageOrigin(origin) }),
    group: reply.correlationId,
    deduplicationId: replyId(reply),
  };
}

/** The commands of one session share a message group, which keeps their order. */
function commandMessage(command: CommandEffect, session: SessionKey): OutgoingMessage {
  return {
    body: { version: MESSAGE_VERSION, ...command, session },
    group: messageGroup(Buffer.from(session.acctSessionId)),
    deduplicationId: command.commandId,
  };
}

function messageOrigin({ kind, relay, client, packet }: Origin): MessageOrigin {
  return { kind, ...(relay !== undefined && { relay }), client, packet };
}
