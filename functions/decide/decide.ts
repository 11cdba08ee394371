// decide: what came through a site's inbox becomes a change of its session, and then a message to the site's outbox.
// Written before sent: a crash in between brings the message again, and the transition repeats its effects.
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { isDueQueue, SWEEP_INTERVAL_SECONDS, siteOfInbox } from '../../core/cloud/queues.ts';
import type { Deployment } from '../../core/deployment.ts';
import {
  DueMessage,
  InboxMessage,
  MalformedMessage,
  messageGroup,
  type OutboxMessage,
  type OutcomeMessage,
  type RequestMessage,
  readMessage,
  type SessionKey,
} from '../../core/messages.ts';
import { ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { parsePacket } from '../../core/radius/packet.ts';
import { understandRequest } from '../../core/requests/coa-request.ts';
import { failedAttempts, gone, turned } from '../../core/subscriber/difference.ts';
import { describeRequest } from '../../core/subscriber/draft.ts';
import type { CommandEffect, Effect, ReplyEffect, Session } from '../../core/subscriber/session.ts';
import { dueAtMs, type Event, transition } from '../../core/subscriber/transition.ts';
import { processBatch } from '../shared/batch.ts';
import type { Remind } from '../shared/due-queue.ts';
import type { OutgoingMessage } from '../shared/queue.ts';
import type { SessionStore } from '../shared/session-store.ts';

/** Two clients that change one subscriber at once settle it between them; more than this many losses in a row are
 * left to the queue's redelivery. */
const MAX_ATTEMPTS = 5;

/** What decide did with one message, for logs, metrics and the local display. */
export type DecideReport =
  | {
      readonly kind: 'decided';
      readonly correlationId: string;
      readonly session: SessionKey;
      readonly userName?: string;
      /** What happened, in words: what was asked, or what the NAS answered. */
      readonly cause: string;
      /** What became of the command, where that is what happened. */
      readonly result?: OutcomeMessage['result'];
      readonly activated: readonly string[];
      readonly deactivated: readonly string[];
      readonly effects: readonly Effect[];
      /** Writes that were lost to somebody else before this one. */
      readonly lostRaces: number;
      /** When the relay received the request, where that is what happened. */
      readonly receivedAtMs?: number;
      readonly reason?: string;
      /** How often the NAS was told to deactivate what it has still not confirmed; when it failed just now. */
      readonly retryAttempts?: number;
    }
  | {
      readonly kind: 'refused';
      readonly correlationId: string;
      readonly errorCause: number;
      readonly reason: string;
      readonly receivedAtMs: number;
    }
  /** sweep will find the session, perhaps too late. */
  | { readonly kind: 'not-reminded'; readonly session: SessionKey; readonly error: unknown }
  | { readonly kind: 'failed'; readonly messageId: string; readonly error: unknown };

export interface DecideDependencies {
  readonly deployment: Deployment;
  readonly store: SessionStore;
  /** Sends to the outbox of a site, all or an error. */
  send(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  readonly remind: Remind;
  now(): number;
  report(event: DecideReport): void;
}

export function createDecide(dependencies: DecideDependencies) {
  return (event: SQSEvent, context: Context): Promise<SQSBatchResponse> =>
    processBatch(
      {
        records: event.Records,
        groupOf: ({ attributes, messageId }) => attributes.MessageGroupId ?? messageId,
        idOf: ({ messageId }) => messageId,
        process: (record, signal) => decide(record, dependencies, signal),
        onFailure: ({ messageId }, error) => dependencies.report({ kind: 'failed', messageId, error }),
      },
      context.getRemainingTimeInMillis(),
    );
}

async function decide(
  record: SQSRecord,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (isDueQueue(record.eventSourceARN)) {
    const { session } = readMessage(DueMessage, record.body);
    const event = { kind: 'due', id: record.messageId } as const;
    return change(
      { session, event, correlationId: event.id, cause: 'its time has come' },
      dependencies,
      signal,
    );
  }
  const site = siteOfInbox(record.eventSourceARN);
  const message = readMessage(InboxMessage, record.body);
  return message.kind === 'request'
    ? decideRequest(site, message, dependencies, signal)
    : decideOutcome(site, message, dependencies, signal);
}

function decideRequest(
  site: string,
  { correlationId, client: { name: _, ...client }, receivedAtMs, packet }: RequestMessage,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  const parsed = parsePacket(Buffer.from(packet, 'base64'));
  if (!parsed.ok) throw new MalformedMessage(`packet: ${parsed.reason}`);
  const { catalogue, nasesBySite } = dependencies.deployment;
  const nases = nasesBySite[site];
  if (nases === undefined) throw new MalformedMessage(`the site ${site} is not part of this deployment`);

  const about = { correlationId, receivedAtMs, client };
  const understood = understandRequest(parsed.packet, { ...about, catalogue, nases });
  if (!understood.ok) {
    const errorCause = ERROR_CAUSE[understood.refusal.errorCause];
    const { reason } = understood.refusal;
    dependencies.report({ kind: 'refused', correlationId, errorCause, reason, receivedAtMs });
    const reply = replyMessage({ kind: 'reply', correlationId, client, packet, answer: 'nak', errorCause });
    return dependencies.send(site, [reply], signal);
  }
  const { request } = understood;
  const session = { nas: request.nas.name, acctSessionId: request.acctSessionId };
  const event = { kind: 'request', id: correlationId, request } as const;
  const cause = describeRequest(request);
  return change({ site, session, event, correlationId, cause, receivedAtMs }, dependencies, signal);
}

function decideOutcome(
  site: string,
  { commandId, correlationId, session, result, errorCause }: OutcomeMessage,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  const outcome = { commandId, result, ...(errorCause !== undefined && { errorCause }) };
  const event = { kind: 'outcome', id: `${commandId}/outcome`, ...outcome } as const;
  const cause = `the NAS: ${result}${errorCause === undefined ? '' : ` ${errorCause}`}`;
  return change({ site, session, event, correlationId, cause, result }, dependencies, signal);
}

/** Something that happened to a session. */
interface Happening {
  /** The site that it came from; absent when it came from within. */
  readonly site?: string;
  readonly session: SessionKey;
  readonly event: Event;
  readonly correlationId: string;
  readonly cause: string;
  readonly result?: OutcomeMessage['result'];
  readonly receivedAtMs?: number;
}

/** Reads, decides and writes until nobody was faster, and then sends. */
async function change(
  { site, session: key, event, ...about }: Happening,
  { store, now, report, send, remind }: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (let lostRaces = 0; lostRaces < MAX_ATTEMPTS; lostRaces++) {
    const before = await store.read(key, signal);
    // A request has named a NAS of its site. A NAS that has moved to another site keeps its sessions.
    if (event.kind === 'outcome' && before !== undefined && before.nas.site !== site) {
      throw new MalformedMessage(`session: ${key.nas} is not a NAS of the site ${site}`);
    }
    const { session: after, effects } = transition(before, event, now());
    if (after !== undefined && (await store.write(after, signal)) === 'lost') continue;

    report({ kind: 'decided', session: key, ...about, ...difference(before, after), effects, lostRaces });
    const destination = site ?? before?.nas.site;
    const messages = effects.map((effect) =>
      effect.kind === 'reply' ? replyMessage(effect) : commandMessage(effect, key),
    );
    if (destination !== undefined && messages.length > 0) await send(destination, messages, signal);
    const soonMs = dueSoonMs(before, after, now());
    if (soonMs !== undefined)
      await remind(key, soonMs, signal).catch((error) =>
        report({ kind: 'not-reminded', session: key, error }),
      );
    return;
  }
  throw new Error(`${MAX_ATTEMPTS} writes of ${key.nas} ${key.acctSessionId} in a row were lost to others`);
}

/**
 * When a session at rest has to be looked at that sweep would come too late for. The answer of a NAS is hardly ever
 * overdue, so sweep may be late for that.
 */
function dueSoonMs(
  before: Session | undefined,
  after: Session | undefined,
  nowMs: number,
): number | undefined {
  if (after === undefined || after.transition !== undefined) return undefined;
  const dueMs = dueAtMs(after);
  const isNew = dueMs !== (before && dueAtMs(before));
  return isNew && dueMs !== undefined && dueMs < nowMs + SWEEP_INTERVAL_SECONDS * 1000 ? dueMs : undefined;
}

/** A reply waits for nobody. Sent twice within five minutes, SQS takes one. */
function replyMessage({ packet, ...reply }: ReplyEffect): OutgoingMessage {
  const body: OutboxMessage = { ...reply, request: packet };
  return { body, group: reply.correlationId, deduplicationId: `${reply.correlationId}/reply` };
}

/** The commands of one session keep their order. */
function commandMessage(command: CommandEffect, session: SessionKey): OutgoingMessage {
  const body: OutboxMessage = { ...command, services: [...command.services], session };
  return {
    body,
    group: messageGroup(Buffer.from(session.acctSessionId)),
    deduplicationId: command.commandId,
  };
}

/** What a change looks like to an operator; nothing changed when there is no session `after`. */
function difference(before: Session | undefined, after: Session | undefined) {
  const userName = (after ?? before)?.identity['User-Name'];
  const user = typeof userName === 'string' ? { userName } : {};
  if (after === undefined) return { ...user, activated: [], deactivated: [] };
  const latest = after.answered.findLast(({ version }) => version > after.version);
  const retryAttempts = failedAttempts(before, after);
  return {
    ...user,
    activated: turned('active', before, after),
    deactivated: gone(before, after),
    ...(latest?.reason !== undefined && { reason: latest.reason }),
    ...(retryAttempts !== undefined && { retryAttempts }),
  };
}
