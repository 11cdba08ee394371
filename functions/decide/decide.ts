// decide: what came through a site's inbox becomes a change of its session, and then a message to the site's outbox.
// Written before sent: a crash in between brings the message again, and the transition repeats its effects.
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { siteOfInbox } from '../../core/cloud.ts';
import type { Deployment } from '../../core/deployment.ts';
import {
  InboxMessage,
  MalformedMessage,
  messageGroup,
  type OutboxMessage,
  type OutcomeMessage,
  type RequestMessage,
  readMessage,
} from '../../core/messages.ts';
import { ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { parsePacket } from '../../core/radius/packet.ts';
import { understandRequest } from '../../core/request.ts';
import type { Effect, Session } from '../../core/session.ts';
import { describeRequest, type Event, transition } from '../../core/transition.ts';
import { processBatch } from '../batch.ts';
import type { OutgoingMessage } from '../queue.ts';
import type { SessionKey, SessionStore } from '../session-store.ts';

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
      readonly activated: readonly string[];
      readonly deactivated: readonly string[];
      readonly effects: readonly Effect[];
      /** Writes that were lost to somebody else before this one. */
      readonly lostRaces: number;
      readonly receivedAtMs?: number;
      readonly reason?: string;
    }
  | {
      readonly kind: 'refused';
      readonly correlationId: string;
      readonly errorCause: number;
      readonly reason: string;
    }
  | { readonly kind: 'failed'; readonly messageId: string; readonly error: unknown };

export interface DecideDependencies {
  readonly deployment: Deployment;
  readonly store: SessionStore;
  /** Sends to the outbox of a site, all or an error. */
  send(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
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
  const site = siteOfInbox(record.eventSourceARN);
  const message = readMessage(InboxMessage, record.body);
  const effects =
    message.kind === 'request'
      ? await decideRequest(site, message, dependencies, signal)
      : await decideOutcome(message, dependencies, signal);
  if (effects.length > 0) await dependencies.send(site, effects.map(outgoing), signal);
}

async function decideRequest(
  site: string,
  message: RequestMessage,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<readonly OutboxMessage[]> {
  const { correlationId, client, receivedAtMs } = message;
  const parsed = parsePacket(Buffer.from(message.packet, 'base64'));
  if (!parsed.ok) throw new MalformedMessage(`packet: ${parsed.reason}`);
  const { catalogue, nasesBySite } = dependencies.deployment;
  const nases = nasesBySite[site];
  if (nases === undefined) throw new MalformedMessage(`the site ${site} is not part of this deployment`);

  const endpoint = { address: client.address, port: client.port };
  const understood = understandRequest(parsed.packet, { correlationId, client: endpoint, catalogue, nases });
  if (!understood.ok) {
    const errorCause = ERROR_CAUSE[understood.refusal.errorCause];
    dependencies.report({ kind: 'refused', correlationId, errorCause, reason: understood.refusal.reason });
    return [
      { kind: 'reply', correlationId, client: endpoint, request: message.packet, answer: 'nak', errorCause },
    ];
  }
  const { request } = understood;
  const key = { nas: request.nas.name, acctSessionId: request.acctSessionId };
  const event: Event = { kind: 'request', id: correlationId, request };
  return change(
    key,
    event,
    { correlationId, cause: describeRequest(request), receivedAtMs },
    dependencies,
    signal,
  );
}

function decideOutcome(
  { commandId, correlationId, session, result, errorCause }: OutcomeMessage,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<readonly OutboxMessage[]> {
  const outcome = { commandId, result, ...(errorCause !== undefined && { errorCause }) };
  const event: Event = { kind: 'outcome', id: `${commandId}/outcome`, ...outcome };
  const cause = `the NAS: ${result}${errorCause === undefined ? '' : ` ${errorCause}`}`;
  return change(session, event, { correlationId, cause }, dependencies, signal);
}

/** Reads, decides and writes until nobody was faster; gives what has to be sent now. */
async function change(
  key: SessionKey,
  event: Event,
  about: { correlationId: string; cause: string; receivedAtMs?: number },
  { store, now, report }: DecideDependencies,
  signal: AbortSignal,
): Promise<readonly OutboxMessage[]> {
  for (let lostRaces = 0; lostRaces < MAX_ATTEMPTS; lostRaces++) {
    const before = await store.read(key, signal);
    const { session: after, effects } = transition(before, event, now());
    if (after !== undefined && (await store.write(after, signal)) === 'lost') continue;
    const reason = after?.answered.findLast(
      ({ correlationId }) => correlationId === about.correlationId,
    )?.reason;
    const userName = (after ?? before)?.identity['User-Name'];
    report({
      kind: 'decided',
      ...about,
      session: key,
      ...(typeof userName === 'string' && { userName }),
      activated: after === undefined ? [] : difference(active(after), active(before)),
      deactivated:
        after === undefined
          ? []
          : difference(Object.keys(before?.services ?? {}), Object.keys(after.services)),
      effects,
      lostRaces,
      ...(reason !== undefined && { reason }),
    });
    return effects.map((effect) => outboxMessage(effect, key));
  }
  throw new Error(`${MAX_ATTEMPTS} writes of ${key.nas} ${key.acctSessionId} in a row were lost to others`);
}

function outboxMessage(effect: Effect, session: SessionKey): OutboxMessage {
  if (effect.kind === 'command')
    return { ...effect, services: [...effect.services], session: { ...session } };
  const { packet, ...reply } = effect;
  return { ...reply, request: packet };
}

/** Commands of one session keep their order; a reply waits for nobody. Sent twice in five minutes, SQS takes one. */
function outgoing(body: OutboxMessage): OutgoingMessage {
  if (body.kind === 'command') {
    return {
      body,
      group: messageGroup(Buffer.from(body.session.acctSessionId)),
      deduplicationId: body.commandId,
    };
  }
  return { body, group: body.correlationId, deduplicationId: `${body.correlationId}/reply` };
}

function active(session: Session | undefined): string[] {
  return Object.values(session?.services ?? {}).flatMap(({ state, activation }) =>
    state === 'active' ? [activation] : [],
  );
}

function difference(these: readonly string[], those: readonly string[]): string[] {
  return these.filter((one) => !those.includes(one));
}
