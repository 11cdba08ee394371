// What the relay sends to the cloud: a client's request, the outcome of a command, and what a NAS accounts.
import { hash } from 'node:crypto';
import type { Endpoint } from '../core/endpoint.ts';
import {
  type CommandMessage,
  type FeedMessage,
  MESSAGE_VERSION,
  messageGroup,
  type OutcomeMessage,
  type RequestMessage,
  writeMessage,
} from '../core/messages.ts';
import type { Packet } from '../core/radius/packet.ts';
import type { AccountingRecord } from '../core/requests/accounting-request.ts';
import type { StaleSession } from './feed/known-sessions.ts';
import type { ReportedOutcome } from './outcome.ts';
import type { OutgoingMessage } from './queues/queue.ts';

/** A request that has passed all checks. */
export interface AcceptedRequest {
  readonly correlationId: string;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly receivedAtMs: number;
  /** Name of the client in the site file. */
  readonly client: string;
  /** How long the client waits for the answer. */
  readonly patienceSeconds: number;
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
  const { correlationId, receivedAtMs, client, patienceSeconds, source, packet, group } = request;
  const message: RequestMessage = {
    version: MESSAGE_VERSION,
    kind: 'request',
    correlationId,
    receivedAtMs,
    ...(clockSkewMs !== undefined && { clockSkewMs: Math.round(clockSkewMs) }),
    patienceSeconds,
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

/**
 * What an Accounting-Request says, for the feed queue; `receivedAtMs` in milliseconds since 1970-01-01 UTC. The record of
 * a service is in the group of its session, and a record of the whole NAS in a group of its own.
 */
export function feedMessage(
  record: AccountingRecord & { readonly nas: string },
  about: Pick<FeedMessage, 'relay' | 'feed' | 'correlationId' | 'receivedAtMs'>,
): OutgoingMessage {
  const { kind: status, nas, acctSessionId, service, eventAtMs, isStamped } = record;
  if (status === 'other') throw new TypeError('there is no message for such a record');
  const session = service === undefined ? acctSessionId : service.parentSessionId;
  const isOfNas = status === 'on' || status === 'off';
  const optional = {
    ...(!isOfNas && session !== undefined && { acctSessionId: session }),
    ...(record.wrongStampMs !== undefined && { wrongStampMs: record.wrongStampMs }),
    ...(record.sessionTimeSeconds !== undefined && { sessionTimeSeconds: record.sessionTimeSeconds }),
    ...(record.terminateCause !== undefined && { terminateCause: record.terminateCause }),
    ...(record.interimIntervalSeconds !== undefined && {
      interimIntervalSeconds: record.interimIntervalSeconds,
    }),
    ...(record.counters !== undefined && { counters: record.counters }),
    ...(service !== undefined && {
      service: { name: service.name, serviceSessionId: service.serviceSessionId },
    }),
  };
  const { identity, classes } = record;
  const message: FeedMessage = {
    version: MESSAGE_VERSION,
    kind: 'feed',
    ...about,
    status,
    nas,
    eventAtMs,
    isStamped,
    identity,
    classes: [...classes],
    ...optional,
  };
  return {
    body: writeMessage(message),
    group: isOfNas ? messageGroup(Buffer.from(nas)) : sessionGroup(nas, session ?? acctSessionId),
    deduplicationId: contentKey(message, acctSessionId ?? ''),
  };
}

/**
 * The notice that a session has had no record for three intervals. It is one event however often it is sent: the latest record
 * of the session tells it from the next time.
 */
export function staleMessage(
  { nas, acctSessionId, latest }: StaleSession,
  about: Pick<FeedMessage, 'relay' | 'correlationId' | 'receivedAtMs'>,
): OutgoingMessage {
  const message: FeedMessage = {
    version: MESSAGE_VERSION,
    kind: 'feed',
    ...about,
    feed: latest.feed,
    status: 'stale',
    nas,
    acctSessionId,
    eventAtMs: latest.receivedAtMs,
    isStamped: false,
    identity: {},
    classes: [],
  };
  return {
    body: writeMessage(message),
    group: sessionGroup(nas, acctSessionId),
    deduplicationId: contentKey(message, acctSessionId),
  };
}

function sessionGroup(nas: string, acctSessionId: string | undefined): string {
  return messageGroup(Buffer.from(`${nas}#${acctSessionId}`));
}

/**
 * Equal for all that report the same event, so that SQS drops a second one: also after a restart of the relay, and when
 * the client has raised Acct-Delay-Time.
 */
function contentKey(message: FeedMessage, ownId: string): string {
  const { nas, status, eventAtMs, identity, service } = message;
  const content = JSON.stringify([nas, status, eventAtMs, ownId, identity, service?.name]);
  return hash('sha256', content);
}
