// decide: a message of a site's inbox becomes a change of its session, and then messages in the site's outbox.
// A request without Acct-Session-Id comes twice: its session is found first, and decides the message group in which it is then
// carried out. Written before sent: after a crash in between the message comes again, and the transition repeats its effects.
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord, SQSRecordAttributes } from 'aws-lambda';
import { isDueQueue, SWEEP_INTERVAL_SECONDS, siteOfInbox } from '../../core/cloud/queues.ts';
import { type Deployment, nasSites } from '../../core/deployment.ts';
import {
  DueMessage,
  InboxMessage,
  MalformedMessage,
  NOT_SENT,
  type OutcomeMessage,
  type RequestMessage,
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
import { type CommandOutcome, describeOutcome, speakerOf } from '../../core/subscriber/command-outcome.ts';
import { describeRequest } from '../../core/subscriber/draft.ts';
import type { Event } from '../../core/subscriber/event.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { dueAtMs, transition } from '../../core/subscriber/transition.ts';
import { processBatch } from '../shared/batch.ts';
import type { Schedule } from '../shared/due-queue.ts';
import type { OutgoingMessage } from '../shared/queue.ts';
import type { SessionLookUp } from '../shared/session-look-up.ts';
import type { SessionStore } from '../shared/session-store.ts';
import { foundMessage, messageOf, replyMessage } from './messages.ts';
import { type Arrival, type DecideReport, difference } from './report.ts';

/** Conditional writes that one message may lose in a row before the queue has to deliver it again. */
const MAX_ATTEMPTS = 5;

export interface DecideDependencies {
  readonly deployment: Deployment;
  readonly store: SessionStore;
  readonly lookUp: SessionLookUp;
  /** Sends to the outbox of a site, all or an error. */
  send(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** Sends to the inbox of a site, all or an error. */
  forward(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** Has a session looked at again at a time of its own. */
  readonly schedule: Schedule;
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
      { sessions: [session], event, correlationId: event.id, cause: 'its time has come' },
      dependencies,
      signal,
    );
  }
  const site = siteOfInbox(record.eventSourceARN);
  const message = readMessage(InboxMessage, record.body);
  return message.kind === 'request'
    ? decideRequest(site, message, record.attributes, dependencies, signal)
    : decideOutcome(site, message, dependencies, signal);
}

async function decideRequest(
  site: string,
  message: RequestMessage,
  { SequenceNumber: sequence, SentTimestamp, ApproximateReceiveCount }: SQSRecordAttributes,
  dependencies: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { correlationId, clockSkewMs, origin, session: found } = message;
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
  const context = { correlationId, queuedAtMs, sequence, relay, client, catalogue, nases, found };
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
  const { acctSessionId, lookedUpAt } = request;
  const formerly = nases.find(({ profile }) => profile.name === request.nas.name)?.formerly ?? [];
  const keyAt = (nas: string) => ({ nas, acctSessionId });
  const sessions: Keys =
    lookedUpAt === undefined ? [keyAt(request.nas.name), ...formerly.map(keyAt)] : [keyAt(lookedUpAt)];
  const event = { kind: 'request', id: correlationId, request } as const;
  const cause = describeRequest(request);
  return change({ site, sessions, event, correlationId, cause, ...arrival }, dependencies, signal);
}

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
  return change({ site, sessions: [session], event, correlationId, cause, outcome }, dependencies, signal);
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

type Keys = readonly [SessionKey, ...SessionKey[]];

/** An event of a session, and what decide reports of it. */
interface Happening extends Partial<Arrival> {
  /** The site that it came from; absent when time made it. */
  readonly site?: string;
  /** The keys under which the session may be stored. The first one is that of a new session. */
  readonly sessions: Keys;
  readonly event: Event;
  readonly correlationId: string;
  readonly cause: string;
  readonly outcome?: CommandOutcome;
}

/** Reads, decides and writes until the write wins, and then sends. */
async function change(
  { site, sessions, event, ...about }: Happening,
  { deployment, store, now, report, send, schedule }: DecideDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (let lostRaces = 0; lostRaces < MAX_ATTEMPTS; lostRaces++) {
    const { key, session: before } = await find(store, sessions, signal);
    // A NAS that has moved to another site keeps its sessions, and is told by the relay of that site.
    const home = nasSites(deployment).get(key.nas) ?? before?.nas.site;
    // A request has named a NAS of its site already.
    const isOfSite = before === undefined || site === before.nas.site || site === home;
    if (event.kind === 'outcome' && !isOfSite) {
      throw new MalformedMessage(`session: ${key.nas} is not a NAS of the site ${site}`);
    }
    const { session: after, effects, isOver } = transition(before, event, now());
    if (after !== undefined && (await store.write(after, signal)) === 'lost') continue;

    const nas = (after ?? before)?.nas.name ?? key.nas;
    report({
      kind: 'decided',
      session: key,
      nas,
      ...about,
      ...difference(before, after),
      effects,
      lostRaces,
    });
    const destination = site ?? home;
    const messages = effects.map((effect) => messageOf(effect, key));
    if (destination !== undefined && messages.length > 0) await send(destination, messages, signal);
    // Only now: an event that is delivered again finds what it had to send.
    const left = after === undefined ? before : { ...after, revision: after.revision + 1 };
    if (isOver && left !== undefined) await store.remove(left, signal);
    const soonMs = dueSoonMs(before, after, now());
    if (soonMs !== undefined) {
      await schedule(key, soonMs, signal).catch((error) =>
        report({ kind: 'not-scheduled', session: key, error }),
      );
    }
    return;
  }
  const [{ nas, acctSessionId }] = sessions;
  throw new Error(`${MAX_ATTEMPTS} writes of ${nas} ${acctSessionId} in a row were lost to others`);
}

/** A NAS that was renamed keeps its sessions: they are stored under the name that it had when they began. */
async function find(
  store: SessionStore,
  keys: Keys,
  signal: AbortSignal,
): Promise<{ readonly key: SessionKey; readonly session: Session | undefined }> {
  for (const key of keys) {
    const session = await store.read(key, signal);
    if (session !== undefined) return { key, session };
  }
  return { key: keys[0], session: undefined };
}

/**
 * When an idle session has to be looked at before sweep runs next; undefined where sweep is early enough. The deadline
 * of a command hardly ever passes, so sweep may be a minute late for that.
 *
 * What the NAS was told twice in vain is left to sweep, which hands the sessions of a NAS to decide at a bounded rate: a
 * NAS that comes back after an outage is not told everything at once. The price is that the second retry, due after 24 s to
 * 30 s, may come 36 s late, and the third, due after 48 s to 60 s, 12 s late. Those after it are due when sweep has run.
 */
function dueSoonMs(
  before: Session | undefined,
  after: Session | undefined,
  nowMs: number,
): number | undefined {
  if (after === undefined || after.transition !== undefined) return undefined;
  const dueMs = dueAtMs(withoutLaterRetries(after));
  const isNew = dueMs !== (before && dueAtMs(withoutLaterRetries(before)));
  return isNew && dueMs !== undefined && dueMs < nowMs + SWEEP_INTERVAL_SECONDS * 1000 ? dueMs : undefined;
}

function withoutLaterRetries(session: Session): Session {
  const services = Object.entries(session.services).map(([activation, { retry, ...service }]) => {
    const isPrompt = retry !== undefined && retry.attempts <= 1;
    return [activation, isPrompt ? { ...service, retry } : service] as const;
  });
  return { ...session, services: Object.fromEntries(services) };
}
