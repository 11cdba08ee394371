// decide: a message of a site's inbox, or of its queue of outcomes, becomes a change of its session, and then messages in the site's outbox.
// A request without Acct-Session-Id comes twice: its session is found first, and decides the message group in which it is then
// carried out. Written before sent: after a crash in between the message comes again, and the transition repeats its effects.
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord, SQSRecordAttributes } from 'aws-lambda';
import { isDueQueue, isOutcomesQueue, siteOfInbox, siteOfOutcomes } from '../../core/cloud/queues.ts';
import {
  DueQueueMessage,
  InboxMessage,
  MalformedMessage,
  NOT_SENT,
  OutcomeMessage,
  type RequestMessage,
  type ResyncMessage,
  readMessage,
  type SessionKey,
} from '../../core/messages.ts';
import { radiusOrigin } from '../../core/origin.ts';
import { boundedWords } from '../../core/printable.ts';
import { ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { parsePacket } from '../../core/radius/packet.ts';
import { understandRequest } from '../../core/requests/coa-request.ts';
import type { Sought } from '../../core/requests/identification.ts';
import type { Reading, Refusal } from '../../core/requests/reading.ts';
import { describeOutcome, speakerOf } from '../../core/subscriber/command-outcome.ts';
import { describeRequest } from '../../core/subscriber/draft.ts';
import { tooLate } from '../../core/subscriber/exclusion.ts';
import { processBatch } from '../shared/batch.ts';
import { type ChangeDependencies, changeSession, type Keys } from '../shared/change-session.ts';
import { replyMessage } from '../shared/effects.ts';
import type { OutgoingMessage } from '../shared/queue.ts';
import type { SessionLookUp } from '../shared/session-look-up.ts';
import { foundMessage } from './messages.ts';
import type { DecideReport } from './report.ts';

export interface DecideDependencies extends Omit<ChangeDependencies, 'report'> {
  readonly lookUp: SessionLookUp;
  /** Sends to the inbox of a site, all or an error. */
  forward(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
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
    const message = readMessage(DueQueueMessage, record.body);
    const id = record.messageId;
    const event = message.kind === 'due' ? ({ kind: 'due', id } as const) : resyncEvent(id, message);
    const cause = message.kind === 'due' ? 'its time has come' : describeResync(message);
    return changeSession(
      { sessions: [message.session], event, correlationId: id, cause },
      dependencies,
      signal,
    );
  }
  if (isOutcomesQueue(record.eventSourceARN)) {
    const outcome = readMessage(OutcomeMessage, record.body);
    return decideOutcome(siteOfOutcomes(record.eventSourceARN), outcome, dependencies, signal);
  }
  const site = siteOfInbox(record.eventSourceARN);
  const message = readMessage(InboxMessage, record.body);
  return message.kind === 'request'
    ? decideRequest(site, message, record.attributes, dependencies, signal)
    : decideOutcome(site, message, dependencies, signal);
}

function resyncEvent(id: string, { to }: ResyncMessage) {
  return { kind: 'resync', id, to } as const;
}

/** `resync to the table, by ops@host`. */
function describeResync({ to, operator = '' }: ResyncMessage): string {
  const who = boundedWords(operator);
  return `resync to the ${to === 'nas' ? 'NAS' : to}${who === undefined ? '' : `, by ${who}`}`;
}

async function decideRequest(
  site: string,
  message: RequestMessage,
  { SequenceNumber: sequence, SentTimestamp, ApproximateReceiveCount }: SQSRecordAttributes,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { correlationId, clockSkewMs, origin, session: found, patienceSeconds } = message;
  const parsed = parsePacket(Buffer.from(origin.packet, 'base64'));
  if (!parsed.ok) throw new MalformedMessage(`packet: ${parsed.reason}`);
  const { catalogue, nasesBySite } = dependencies.deployment;
  const nases = nasesBySite[site];
  if (nases === undefined) throw new MalformedMessage(`the site ${site} is not part of this deployment`);

  const { relay, client } = origin;
  const queuedAtMs = Number(SentTimestamp);
  const arrival = {
    queuedAtMs,
    ...(relay !== undefined && clockSkewMs !== undefined && { relayClock: { relay, skewMs: clockSkewMs } }),
  };
  const answerByMs = arrivedAtMs(message, queuedAtMs) + patienceSeconds * 1000;
  const context = { correlationId, queuedAtMs, sequence, answerByMs, relay, client, catalogue, nases, found };
  const understood = understandRequest(parsed.packet, context);
  const refuse = ({ reason, ...refusal }: Refusal) => {
    const errorCause = ERROR_CAUSE[refusal.errorCause];
    dependencies.report({ kind: 'refused', correlationId, errorCause, reason, ...arrival });
    const answered = radiusOrigin(parsed.packet, {
      ...(relay !== undefined && { relay }),
      client,
      timestamped: false,
    });
    const reply = { kind: 'reply', correlationId, origin: answered, answer: 'nak', errorCause } as const;
    return dependencies.send(site, [replyMessage(reply)], signal);
  };
  if (!understood.ok) return refuse(understood.refusal);

  const { request } = understood;
  if (request === undefined) {
    const { sought } = understood;
    const isRedelivered = Number(ApproximateReceiveCount) > 1;
    // One that is delivered again may have been sent on: the session that was found for it tells.
    const late = isRedelivered ? undefined : tooLate({ answerByMs }, dependencies.now());
    if (late !== undefined) return refuse({ errorCause: 'Resources-Unavailable', reason: late.reason });
    const about = { correlationId, sought, queuedAtMs: Number(SentTimestamp), isRedelivered };
    const session = await lookUp(about, dependencies.lookUp, signal);
    if (!session.ok) return refuse(session.refusal);
    dependencies.report({
      kind: 'found',
      correlationId,
      session: session.value,
      by: Object.keys(sought.identity),
    });
    return dependencies.forward(site, [foundMessage(message, session.value)], signal);
  }
  const { acctSessionId, lookedUpAt, nas } = request;
  // Nothing but the accounting of the NAS makes its session, and that may have come since it was refused.
  const isUntraceable = nas.sessions === 'accounting';
  if (isUntraceable && Number(ApproximateReceiveCount) > 1) {
    const refusal = await dependencies.lookUp.recall(correlationId, signal);
    if (refusal !== undefined) return refuse(refusal);
  }
  const onUntraced = () => dependencies.lookUp.remember(correlationId, unopened(acctSessionId), signal);
  const formerly = nases.find(({ profile }) => profile.name === request.nas.name)?.formerly ?? [];
  const keyAt = (nas: string) => ({ nas, acctSessionId });
  const sessions: Keys =
    lookedUpAt === undefined ? [keyAt(request.nas.name), ...formerly.map(keyAt)] : [keyAt(lookedUpAt)];
  const event = { kind: 'request', id: correlationId, request } as const;
  const cause = describeRequest(request);
  return changeSession(
    { site, sessions, event, correlationId, cause, ...arrival, ...(isUntraceable && { onUntraced }) },
    dependencies,
    signal,
  );
}

/**
 * When the relay received a request, milliseconds since 1970-01-01 UTC by the cloud's clock. Where the relay does not know what
 * that is, the inbox's receipt stands for it; the request is no younger than that.
 */
function arrivedAtMs({ receivedAtMs, clockSkewMs }: RequestMessage, queuedAtMs: number): number {
  return clockSkewMs === undefined ? queuedAtMs : Math.min(queuedAtMs, receivedAtMs - clockSkewMs);
}

const unopened = (acctSessionId: string): Refusal => ({
  errorCause: 'Session-Context-Not-Found',
  reason: `no accounting has opened the session ${acctSessionId}`,
});

/**
 * Written before sent: a request that was refused and is delivered again is refused again, though its session may be there by
 * now. Its client may have heard the refusal.
 */
async function lookUp(
  about: {
    readonly correlationId: string;
    readonly sought: Sought;
    readonly queuedAtMs: number;
    readonly isRedelivered: boolean;
  },
  { find, remember, recall }: SessionLookUp,
  signal: AbortSignal,
): Promise<Reading<SessionKey>> {
  const { correlationId, sought, queuedAtMs, isRedelivered } = about;
  const refusal = isRedelivered ? await recall(correlationId, signal) : undefined;
  if (refusal !== undefined) return { ok: false, refusal };
  const found = await find(sought, queuedAtMs, signal);
  if (!found.ok) await remember(correlationId, found.refusal, signal);
  return found;
}

function decideOutcome(
  site: string,
  { commandId, correlationId, session, ...message }: OutcomeMessage,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  const outcome = outcomeIn(message);
  const event = { kind: 'outcome', id: `${commandId}/outcome`, commandId, ...outcome } as const;
  const cause = `the ${speakerOf(outcome)}: ${describeOutcome(outcome)}`;
  return changeSession(
    { site, sessions: [session], event, correlationId, cause, outcome },
    dependencies,
    signal,
  );
}

/** What a message says of its command. The relay of an earlier release bounds no text and removes nothing from it. */
function outcomeIn({ result, errorCause, text, isUnsent }: Omit<OutcomeMessage, keyof SessionOutcome>) {
  const words = text === undefined ? undefined : boundedWords(text);
  const cause = errorCause === undefined ? {} : { errorCause };
  if (result === NOT_SENT) return { result: 'unsent', unsent: NOT_SENT } as const;
  if (isUnsent) return { result: 'unsent', ...cause, ...(words !== undefined && { unsent: words }) } as const;
  return { result, ...cause, ...(words !== undefined && { text: words }) };
}
type SessionOutcome = Pick<OutcomeMessage, 'commandId' | 'correlationId' | 'session'>;
