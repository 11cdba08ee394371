// ingest: what the Accounting-Requests of a NAS say becomes events of its sessions. Records of one session come in the order of
// their arrival. An Accounting-On or -Off concerns all sessions of its NAS: it goes from part to part as messages of the same
// queue, each for a bounded number of sessions, so that a crash repeats one of them and no session waits for all others.
import { createHash } from 'node:crypto';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { QUEUES, siteOfFeed } from '../../core/cloud/queues.ts';
import { ALL_BUCKETS } from '../../core/cloud/table.ts';
import {
  type FeedMessage,
  FeedQueueMessage,
  MESSAGE_VERSION,
  NotInDeployment,
  type RestartMessage,
  readMessage,
} from '../../core/messages.ts';
import type { KnownNas } from '../../core/nas.ts';
import { TERMINATE_CAUSE } from '../../core/radius/attributes.ts';
import { accountedService, type SessionRecord } from '../../core/subscriber/record.ts';
import { type ChangeDependencies, changeSession, type Keys } from '../shared/change-session.ts';
import { type DeliverAgain, processMessages } from '../shared/message-batch.ts';
import type { OutgoingMessage } from '../shared/queue.ts';
import type { NasRestarts } from './nas-restarts.ts';
import type { IngestReport } from './report.ts';

/**
 * Sessions that one message of a restart is about. An invocation gets ten messages, and has a third of a processor at 512 MB: 200
 * sessions, with a read and a write each, have to fit into its 10 s.
 */
const SESSIONS_PER_MESSAGE = 20;
/** How many of them are changed at the same time: 20 in an invocation. More end hardly sooner, and delay what others ask for. */
const CHANGES_AT_A_TIME = 2;

export interface IngestDependencies extends Omit<ChangeDependencies, 'report'> {
  readonly restarts: NasRestarts;
  /** Sends to the feed queue of a site, all or an error. */
  goOn(site: string, messages: readonly OutgoingMessage[], signal: AbortSignal): Promise<void>;
  /** @default a message that cannot be read comes again after the visibility timeout */
  readonly deliverAgain?: DeliverAgain;
  report(event: IngestReport): void;
}

const MAX_RECEIVE_COUNT = QUEUES.feed.maxReceiveCount;

export function createIngest(dependencies: IngestDependencies) {
  return (event: SQSEvent, context: Context): Promise<SQSBatchResponse> =>
    processMessages(event, context, {
      maxReceiveCount: MAX_RECEIVE_COUNT,
      deliverAgain: dependencies.deliverAgain,
      process: (message, signal) => ingest(message, dependencies, signal),
      onFailure: ({ messageId }, error) => dependencies.report({ kind: 'failed', messageId, error }),
    });
}

async function ingest(
  record: SQSRecord,
  dependencies: IngestDependencies,
  signal: AbortSignal,
): Promise<void> {
  const site = siteOfFeed(record.eventSourceARN);
  const message = readMessage(FeedQueueMessage, record.body);
  const nas = dependencies.deployment.nasesBySite[site]?.find(({ profile }) => profile.name === message.nas);
  if (nas === undefined) throw new NotInDeployment(`nas: the site ${site} has no ${message.nas}`);
  if (message.kind === 'restart') return endSessions(site, message, dependencies, signal);
  const { status } = message;
  return status === 'on' || status === 'off'
    ? beginRestart({ site, nas, message, status }, dependencies, signal)
    : takeRecord({ site, nas, message, status }, dependencies, signal);
}

interface Taken<S extends FeedMessage['status']> {
  readonly site: string;
  readonly nas: KnownNas;
  readonly message: FeedMessage;
  readonly status: S;
}

/** Names that the NAS has in the keys of its sessions: that of today first. */
const namesOf = ({ profile, formerly }: KnownNas) => [profile.name, ...formerly] as const;

// --- One session ----------------------------------------------------------------------------------------------

async function takeRecord(
  { site, nas, message, status }: Taken<SessionRecord['kind']>,
  dependencies: IngestDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { correlationId, acctSessionId, identity, service: accounted } = message;
  const ignore = (reason: 'no-session' | 'no-service') =>
    dependencies.report({ kind: 'ignored', correlationId, nas: nas.profile.name, status, reason });
  if (acctSessionId === undefined) return ignore('no-session');
  const { catalogue } = dependencies.deployment;
  const service = accounted && accountedService(accounted, catalogue);
  if (accounted !== undefined && service === undefined) return ignore('no-service');

  const restartedAtMs = await dependencies.restarts.latest(
    namesOf(nas),
    text(identity['ERX-Virtual-Router-Name']),
    signal,
  );
  const record: SessionRecord = {
    kind: status,
    eventAtMs: message.eventAtMs,
    isStamped: message.isStamped,
    receivedAtMs: message.receivedAtMs,
    nas: nas.profile,
    acctSessionId,
    identity,
    classes: message.classes,
    ...(message.sessionTimeSeconds !== undefined && { sessionTimeSeconds: message.sessionTimeSeconds }),
    ...(message.terminateCause !== undefined && { terminateCause: message.terminateCause }),
    ...(service !== undefined && { service }),
    ...(restartedAtMs !== undefined && { restartedAtMs }),
  };
  const [first, ...others] = namesOf(nas).map((name) => ({ nas: name, acctSessionId }));
  const sessions: Keys = [first ?? { nas: nas.profile.name, acctSessionId }, ...others];
  const event = { kind: 'record', id: correlationId, record } as const;
  const cause = [STATUS[status], ...(service === undefined ? [] : ['of', service.activation])].join(' ');
  await changeSession({ site, sessions, event, correlationId, cause }, dependencies, signal);
}

const STATUS: Readonly<Record<SessionRecord['kind'], string>> = {
  start: 'Acct-Start',
  interim: 'Interim-Update',
  stop: 'Acct-Stop',
  stale: 'stale',
};

const text = (value: string | number | undefined) => (typeof value === 'string' ? value : undefined);

// --- All sessions of a NAS ------------------------------------------------------------------------------------

/**
 * Remembers the restart before it ends anything: a record of an earlier event that comes meanwhile opens no session. A record
 * that was long under way counts from its Event-Timestamp, also where that was not believed: nothing ends that began later.
 */
async function beginRestart(
  { site, nas, message, status }: Taken<'on' | 'off'>,
  { restarts, goOn, report }: IngestDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { correlationId, identity, wrongStampMs = message.eventAtMs } = message;
  const eventAtMs = Math.min(message.eventAtMs, wrongStampMs);
  const scope = text(identity['ERX-Virtual-Router-Name']);
  const { name } = nas.profile;
  await restarts.remember(name, scope, eventAtMs, signal);
  const parts = namesOf(nas).flatMap((storedUnder) =>
    ALL_BUCKETS.map(
      (bucket): RestartMessage => ({
        version: MESSAGE_VERSION,
        kind: 'restart',
        correlationId,
        nas: name,
        storedUnder,
        eventAtMs,
        ...(scope !== undefined && { scope }),
        terminateCause: status === 'on' ? TERMINATE_CAUSE['NAS-Reboot'] : TERMINATE_CAUSE['Admin-Reboot'],
        bucket,
      }),
    ),
  );
  await goOn(site, parts.map(outgoing), signal);
  report({
    kind: 'restarted',
    correlationId,
    nas: name,
    status,
    eventAtMs,
    ...(scope !== undefined && { scope }),
  });
}

/** The sessions of one message, and then the message for the next ones. */
async function endSessions(
  site: string,
  message: RestartMessage,
  dependencies: IngestDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { correlationId, storedUnder, bucket, after, eventAtMs, scope, terminateCause } = message;
  const { keys, last } = await dependencies.restarts.sessions(
    { nas: storedUnder, bucket, after, limit: SESSIONS_PER_MESSAGE },
    signal,
  );
  const event = {
    kind: 'nas-restart',
    id: correlationId,
    eventAtMs,
    terminateCause,
    ...(scope !== undefined && { scope }),
  } as const;
  const cause = terminateCause === TERMINATE_CAUSE['NAS-Reboot'] ? 'Accounting-On' : 'Accounting-Off';
  for (let start = 0; start < keys.length; start += CHANGES_AT_A_TIME) {
    await Promise.all(
      keys
        .slice(start, start + CHANGES_AT_A_TIME)
        .map((key) =>
          changeSession({ site, sessions: [key], event, correlationId, cause }, dependencies, signal),
        ),
    );
  }
  if (last !== undefined) await dependencies.goOn(site, [outgoing({ ...message, after: last })], signal);
}

/** Each part of the sessions has a message group of its own. */
function outgoing(message: RestartMessage): OutgoingMessage {
  const { correlationId, storedUnder, bucket, after = '' } = message;
  const group = `${correlationId}/${bucket}`;
  return {
    body: message,
    group,
    deduplicationId: createHash('sha256').update(`${group}/${storedUnder}/${after}`).digest('hex'),
  };
}
