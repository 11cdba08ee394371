// What decide sends back to the inbox.
import { messageGroup, type RequestMessage, type SessionKey } from '../../core/messages.ts';
import type { OutgoingMessage } from '../shared/queue.ts';

/**
 * A request without Acct-Session-Id, for the message group of the session that was found for it. SQS drops a second one for five
 * minutes.
 */
export function foundMessage(
  request: RequestMessage,
  session: SessionKey,
  arrivedAtMs: number,
): OutgoingMessage {
  return {
    body: { ...request, session, arrivedAtMs },
    group: messageGroup(Buffer.from(session.acctSessionId)),
    deduplicationId: `${request.correlationId}/found`,
  };
}
