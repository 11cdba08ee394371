// What the relay sends to the cloud: a client's request, and the outcome of a command.
import type { Endpoint } from '../core/endpoint.ts';
import {
  type CommandMessage,
  MESSAGE_VERSION,
  messageGroup,
  type OutcomeMessage,
  type RequestMessage,
  writeMessage,
} from '../core/messages.ts';
import type { Packet } from '../core/radius/packet.ts';
import type { ReportedOutcome } from './outcome.ts';
import type { OutgoingMessage } from './queues/queue.ts';

/** A request that has passed all checks. */
export interface AcceptedRequest {
  readonly correlationId: string;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly receivedAtMs: number;
  /** Name of the client in the site file. */
  readonly client: string;
  readonly source: Endpoint;
  readonly packet: Packet;
  /** Its message group: that of its session, or of what identifies its subscriber. */
  readonly group: string;
}

/**
 * A request for the inbox. `relay` names the relay that took it on, `clockSkewMs` is what its clock is ahead of the cloud's,
 * where that is known.
 */
export function requestMessage(
  relay: string,
  request: AcceptedRequest,
  clockSkewMs: number | undefined,
): OutgoingMessage {
  const { correlationId, receivedAtMs, client, source, packet, group } = request;
  const message: RequestMessage = {
    version: MESSAGE_VERSION,
    kind: 'request',
    correlationId,
    receivedAtMs,
    ...(clockSkewMs !== undefined && { clockSkewMs: Math.round(clockSkewMs) }),
    origin: {
      kind: 'radius',
      relay,
      client: { name: client, ...source },
      packet: Buffer.from(packet.bytes).toString('base64'),
    },
  };
  return {
    body: writeMessage(message),
    group,
    // Never derived from the packet: the same bytes may be a new request (A, then B, then A again).
    deduplicationId: correlationId,
  };
}

/** The outcome of a command for the inbox; `atMs` in milliseconds since 1970-01-01 UTC. */
export function outcomeMessage(
  command: CommandMessage,
  outcome: ReportedOutcome,
  atMs: number,
): OutgoingMessage {
  const { correlationId, commandId, session } = command;
  const message: OutcomeMessage = {
    version: MESSAGE_VERSION,
    kind: 'outcome',
    correlationId,
    commandId,
    session,
    ...outcome,
    atMs,
  };
  return {
    body: writeMessage(message),
    group: messageGroup(Buffer.from(session.acctSessionId)),
    // A command has one outcome. SQS drops a second one that the relay sends because it did not hear of the first.
    deduplicationId: `${commandId}/outcome`,
  };
}
