// decide: a message of a site's inbox, or of its queue of outcomes, becomes a change of its session, and then messages in the
// site's outbox. A request without Acct-Session-Id comes twice: its session is found first, and decides the message group in
// which it is then carried out. Written before sent: after a crash in between the message comes again, and the transition repeats its effects.
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord, SQSRecordAttributes } from 'aws-lambda';
import {
  type Barrier,
  barrierTo,
  type ClientRights,
  mayTouchNas,
  mayTouchRealm,
  prohibited,
} from '../../core/client-rights.ts';
import {
  DUE_QUEUE,
  isDueQueue,
  isOutcomesQueue,
  QUEUES,
  siteOfInbox,
  siteOfOutcomes,
} from '../../core/cloud/queues.ts';
import { nasNames, rightsOf } from '../../core/deployment.ts';
import type { BarrierOf, Found } from '../../core/look-up.ts';
import {
  DueQueueMessage,
  InboxMessage,
  MalformedMessage,
  NOT_SENT,
  NotInDeployment,
  OutcomeMessage,
  type RequestMessage,
  type ResyncMessage,
  readMessage,
  type SessionKey,
} from '../../core/messages.ts';
import type { KnownNas } from '../../core/nas.ts';
import { type Origin, radiusOrigin, repeatKeyOf, stampOf } from '../../core/origin.ts';
import { boundedWords } from '../../core/printable.ts';
import { ERROR_CAUSE } from '../../core/radius/attributes.ts';
import { allValues, decodeAttributes } from '../../core/radius/codec.ts';
import { CODE, type Packet, parsePacket } from '../../core/radius/packet.ts';
import { understandRequest } from '../../core/requests/coa-request.ts';
import { nasOf, type Sought } from '../../core/requests/identification.ts';
import type { Refusal } from '../../core/requests/reading.ts';
import { describeOutcome, speakerOf } from '../../core/subscriber/command-outcome.ts';
import { describeRequest } from '../../core/subscriber/draft.ts';
import { currentUntilMs } from '../../core/subscriber/duplicates.ts';
import { tooLate } from '../../core/subscriber/exclusion.ts';
import { keyOf } from '../../core/subscriber/key.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { type Bar, type ChangeDependencies, changeSession, type Keys } from '../shared/change-session.ts';
import { replyMessage } from '../shared/effects.ts';
import { type DeliverAgain, processMessages } from '../shared/message-batch.ts';
import type { OutgoingMessage } from '../shared/queue.ts';
import type { SessionLookUp } from '../shared/session-look-up.ts';
import { foundMessage } from './messages.ts';
import type { DecideReport } from './report.ts';

export interface DecideDependencies extends Omit<ChangeDependencies, 'report'> {
  readonly lookUp: SessionLookUp;
  /** Sends to the inbox of a site, all or an error. */
  forward(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** @default a message that cannot be read comes again after the visibility timeout */
  readonly deliverAgain?: DeliverAgain;
  report(event: DecideReport): void;
}

const MAX_RECEIVE_COUNT = Math.max(
  ...[QUEUES.inbox, QUEUES.outcomes, DUE_QUEUE].map(({ maxReceiveCount }) => maxReceiveCount),
);

export function createDecide(dependencies: DecideDependencies) {
  return (event: SQSEvent, context: Context): Promise<SQSBatchResponse> =>
    processMessages(event, context, {
      maxReceiveCount: MAX_RECEIVE_COUNT,
      deliverAgain: dependencies.deliverAgain,
      process: (message, signal) => decide(message, dependencies, signal),
      onFailure: ({ messageId }, error) => dependencies.report({ kind: 'failed', messageId, error }),
    });
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
    await changeSession(
      { sessions: [message.session], event, correlationId: id, cause },
      dependencies,
      signal,
    );
    return;
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
  const { code } = parsed.packet;
  if (code !== CODE.CoaRequest && code !== CODE.DisconnectRequest)
    throw new MalformedMessage(`packet: the code ${code} is not one of a request`);
  const { catalogue, nasesBySite } = dependencies.deployment;
  const nases = nasesBySite[site];
  if (nases === undefined) throw new NotInDeployment(`the site ${site} is not part of this deployment`);

  const { relay, client } = origin;
  const queuedAtMs = Number(SentTimestamp);
  const arrival = {
    queuedAtMs,
    ...(relay !== undefined && clockSkewMs !== undefined && { relayClock: { relay, skewMs: clockSkewMs } }),
  };
  const answerByMs = arrivedAtMs(message, queuedAtMs) + patienceSeconds * 1000;
  const context = { correlationId, queuedAtMs, sequence, answerByMs, relay, client, catalogue, nases, found };
  const discard = (reason: Barrier | 'outdated') =>
    dependencies.report({ kind: 'discarded', correlationId, client: client.name, reason, ...arrival });
  const rights = rightsOf(dependencies.deployment, site, client.name);
  if (rights === undefined) return discard('client');
  // Before anything that would answer: a client hears nothing of what it may not touch (RFC 5176 section 6.1).
  const barrier = barrierInPacket(rights, parsed.packet, nases);
  if (barrier !== undefined) return discard(barrier);
  const understood = understandRequest(parsed.packet, context);
  const refuse = ({ reason, ...refusal }: Refusal) => {
    const errorCause = ERROR_CAUSE[refusal.errorCause];
    dependencies.report({ kind: 'refused', correlationId, errorCause, reason, ...arrival });
    const answered = radiusOrigin(parsed.packet, {
      ...(relay !== undefined && { relay }),
      client,
    });
    const reply = { kind: 'reply', correlationId, origin: answered, answer: 'nak', errorCause } as const;
    return dependencies.send(site, [replyMessage(reply)], signal);
  };
  if (!understood.ok) return refuse(understood.refusal);

  const { request } = understood;
  if (request === undefined) {
    const { sought, origin } = understood;
    const isRedelivered = Number(ApproximateReceiveCount) > 1;
    // One that is delivered again may have been sent on: the session that was found for it tells.
    const late = isRedelivered ? undefined : tooLate({ answerByMs }, dependencies.now());
    if (late !== undefined) return refuse({ errorCause: 'Resources-Unavailable', reason: late.reason });
    const about = { correlationId, sought, origin, queuedAtMs, isRedelivered };
    const barrierOf = (one: Session) => {
      const { nas } = keyOf(one);
      return barrierTo(rights, nasNames(dependencies.deployment).get(nas) ?? nas, one, sought.identity);
    };
    const session = await lookUp({ ...about, barrierOf }, dependencies.lookUp, signal);
    if (!session.ok) return 'barrier' in session ? discard(session.barrier) : refuse(session.refusal);
    dependencies.report({
      kind: 'found',
      correlationId,
      session: session.value,
      by: [
        ...(sought.acctSessionId === undefined ? [] : ['Acct-Session-Id']),
        ...Object.keys(sought.identity),
      ],
    });
    return dependencies.forward(
      site,
      [foundMessage(message, session.value, arrivedAtMs(message, queuedAtMs))],
      signal,
    );
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
  const bars = (session: Session | undefined, nas: string): Bar | undefined => {
    const barrier = barrierTo(rights, nas, session, request.identity);
    if (barrier !== undefined) return { barrier };
    const reason = prohibited(rights, request);
    return reason === undefined ? undefined : { reason };
  };
  const about = { correlationId, cause, ...arrival, bars, ...(isUntraceable && { onUntraced }) };
  const bar = await changeSession({ site, sessions, event, ...about }, dependencies, signal);
  if (bar === undefined) return;
  return bar.barrier === undefined
    ? refuse({ errorCause: 'Administratively-Prohibited', reason: bar.reason })
    : discard(bar.barrier);
}

/** What keeps a client from what a packet names, whatever else is in it: its NAS, or the realm of its User-Name. */
function barrierInPacket(
  rights: ClientRights,
  packet: Packet,
  nases: readonly KnownNas[],
): Barrier | undefined {
  const attributes = decodeAttributes(packet);
  const nas = nasOf(attributes, nases);
  if (nas.ok && !mayTouchNas(rights, nas.value.name)) return 'nas';
  const names = allValues(attributes, 'User-Name');
  return names.length === 0 || mayTouchRealm(rights, names) ? undefined : 'realm';
}

/**
 * When the relay received a request, milliseconds since 1970-01-01 UTC by the cloud's clock. Where the relay does not know what
 * that is, the inbox's receipt stands for it; the request is no younger than that.
 */
function arrivedAtMs(message: RequestMessage, queuedAtMs: number): number {
  const { arrivedAtMs: knownAtMs, receivedAtMs, clockSkewMs } = message;
  if (knownAtMs !== undefined) return knownAtMs;
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
    readonly origin: Origin;
    readonly queuedAtMs: number;
    readonly isRedelivered: boolean;
    readonly barrierOf: BarrierOf;
  },
  { find, remember, recall, bind, boundTo }: SessionLookUp,
  signal: AbortSignal,
): Promise<Found<SessionKey>> {
  const { correlationId, sought, origin, queuedAtMs, isRedelivered, barrierOf } = about;
  const refusal = isRedelivered ? await recall(correlationId, signal) : undefined;
  if (refusal !== undefined) return { ok: false, refusal };
  const found = await find(sought, queuedAtMs, signal, barrierOf);
  const stamp = stampOf(origin);
  if (!found.ok) {
    if ('barrier' in found) return found;
    // A repeat of what a session has answered, which is over since, gets the answer of that.
    const bound = stamp && (await boundTo(repeatKeyOf(origin), signal));
    if (bound !== undefined) return { ok: true, value: bound };
    await remember(correlationId, found.refusal, signal);
    return found;
  }
  if (stamp === undefined) return found;
  const untilMs = currentUntilMs(stamp, queuedAtMs);
  return { ok: true, value: await bind(repeatKeyOf(origin), found.value, untilMs, signal) };
}

async function decideOutcome(
  site: string,
  { commandId, correlationId, session, ...message }: OutcomeMessage,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  const outcome = outcomeIn(message);
  const event = { kind: 'outcome', id: `${commandId}/outcome`, commandId, ...outcome } as const;
  const cause = `the ${speakerOf(outcome)}: ${describeOutcome(outcome)}`;
  await changeSession(
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
