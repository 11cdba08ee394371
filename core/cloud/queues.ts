// The queues and the event sources of the functions, as plain data. The stack creates them on AWS, and the local system
// on one machine.

/** The queues that each site has. */
export type QueueName = 'inbox' | 'outcomes' | 'outbox' | 'accounting' | 'feed';

/** The attributes of a queue that its consumers rely on. */
export interface QueueShape {
  /** Whether SQS keeps the order of each message group. */
  readonly fifo: boolean;
  /** How long SQS hides a message after it has delivered it. */
  readonly visibilityTimeoutSeconds: number;
  /** How often SQS delivers a message before it moves it to the dead-letter queue. */
  readonly maxReceiveCount: number;
  /** How long SQS keeps a message. @default as long as it can: RETENTION_DAYS */
  readonly retentionSeconds?: number;
  /** Invocations of its function at a time, at most. Absent where no function works it off. */
  readonly maxConcurrency?: number;
}

/**
 * Requests are kept for minutes: longer than a message that fails takes to become a dead letter, and longer than any client
 * waits (`clientPatienceSeconds`). What decide could not read by then is nothing to anyone.
 */
const REQUESTS_KEPT_SECONDS = 300;
/**
 * Of the 1000 concurrent executions that an account has, one site takes 120 at most. decide with 10 messages needs a few tens
 * of milliseconds, so that 50 at a time are some thousands of requests a second.
 */
const DECIDE_CONCURRENCY = 50;
const INGEST_CONCURRENCY = 20;

/**
 * The timeout of decide: a sixth of its inbox's visibility timeout, as AWS advises. If decide crashes after its write
 * and before it sends the command, SQS delivers the message again after the visibility timeout. The command must still
 * be in time then: see COMMAND_START_WITHIN_MS.
 */
export const DECIDE_TIMEOUT_SECONDS = 4;
/** The timeout of ingest. The visibility timeout of a feed queue is six times as long. */
export const INGEST_TIMEOUT_SECONDS = 10;
/** The timeout of account. */
export const ACCOUNT_TIMEOUT_SECONDS = 30;

/** The shape of each queue of a site. */
export const QUEUES: Readonly<Record<QueueName, QueueShape>> = {
  inbox: {
    fifo: true,
    visibilityTimeoutSeconds: 6 * DECIDE_TIMEOUT_SECONDS,
    maxReceiveCount: 5,
    retentionSeconds: REQUESTS_KEPT_SECONDS,
    maxConcurrency: DECIDE_CONCURRENCY,
  },
  // Apart from the inbox, so that what has begun is finished before anything else begins.
  outcomes: {
    fifo: true,
    visibilityTimeoutSeconds: 6 * DECIDE_TIMEOUT_SECONDS,
    maxReceiveCount: 5,
    maxConcurrency: DECIDE_CONCURRENCY,
  },
  // FIFO, so that a command that is sent or delivered twice is never carried out after a later one. What a relay holds that
  // was killed is visible again after 6 s at most; a relay renews the timeout of what it holds each 2 s. A receive call waits
  // for up to 2 s, so of the 6 s at least 2 are left when the first renewal begins.
  outbox: { fifo: true, visibilityTimeoutSeconds: 6, maxReceiveCount: 10 },
  // While the accounting server does not answer, the relay keeps the message and extends its visibility timeout; SQS
  // allows at most 12 hours.
  accounting: { fifo: true, visibilityTimeoutSeconds: 60, maxReceiveCount: 100 },
  // FIFO: the records of one session come in the order of their arrival, and those of others side by side. A record that
  // the relay sends twice is dropped.
  feed: {
    fifo: true,
    visibilityTimeoutSeconds: 6 * INGEST_TIMEOUT_SECONDS,
    maxReceiveCount: 5,
    maxConcurrency: INGEST_CONCURRENCY,
  },
};

/** Due sessions, from sweep and decide to decide. Only a queue that is not FIFO can delay each message by itself. */
export const DUE_QUEUE: QueueShape = {
  fifo: false,
  visibilityTimeoutSeconds: 6 * DECIDE_TIMEOUT_SECONDS,
  maxReceiveCount: 5,
  maxConcurrency: DECIDE_CONCURRENCY,
};
/** The name of the due queue, which all sites share. */
export const DUE_QUEUE_NAME = 'interlock-due';
/** The name of its dead-letter queue. */
export const DUE_DEAD_LETTERS_NAME = 'interlock-due-dead';

/** How often sweep runs, and how far it looks ahead. */
export const SWEEP_INTERVAL_SECONDS = 60;
/**
 * Sessions of one NAS that sweep hands to decide in one second, at most. After an outage of the NAS thousands are due at
 * once. At this rate a NAS that takes 50 ms for a command keeps up, and a command that is answered within 12 s leaves the
 * relay Identifiers for requests of clients: it has 256 for each NAS.
 */
export const DUE_PER_NAS_AND_SECOND = 20;
/** The timeout of sweep. */
export const SWEEP_TIMEOUT_SECONDS = 30;

/** How long SQS keeps messages and dead letters, unless their queue says otherwise; SQS allows no more. */
export const RETENTION_DAYS = 14;

/** Messages that decide gets in one invocation, at most. */
export const INBOX_BATCH_SIZE = 10;
/** Stream records that account gets in one invocation, at most. */
export const STREAM_BATCH_SIZE = 100;
/**
 * Batches of one shard that AWS has account process at the same time; AWS allows at most 10. The records of one item
 * keep their order. A record that fails delays only the items that share its batches: a tenth of the shard.
 */
export const STREAM_BATCHES_PER_SHARD = 10;
/**
 * How often AWS redelivers a stream record that account fails to process. After that its place in the stream goes to
 * ACCOUNT_FAILURES_QUEUE_NAME.
 */
export const STREAM_MAX_RETRIES = 100;

/** The name of a site's queue, or of the dead-letter queue of that: `demo-inbox.fifo`, `demo-inbox-dead.fifo`. */
export function queueName(site: string, queue: QueueName, purpose: 'work' | 'dead-letters' = 'work'): string {
  const name = purpose === 'work' ? `${site}-${queue}` : `${site}-${queue}-dead`;
  return QUEUES[queue].fifo ? `${name}.fifo` : name;
}

/** The queue that gets the place of each stream record that account could not process. */
export const ACCOUNT_FAILURES_QUEUE_NAME = 'interlock-account-dead';

/** Whether this is the ARN of the due queue. */
export function isDueQueue(queueArn: string): boolean {
  return queueArn.endsWith(`:${DUE_QUEUE_NAME}`);
}

/**
 * The site whose inbox has this ARN. Only the relay of that site may send to it, so the queue proves where a message
 * comes from.
 * @throws Error when it is the ARN of another queue.
 */
export function siteOfInbox(queueArn: string): string {
  return siteOf(queueArn, 'inbox');
}

/** Whether this is the ARN of a queue of outcomes. */
export function isOutcomesQueue(queueArn: string): boolean {
  return queueArn.endsWith(queueName('', 'outcomes'));
}

/** The site whose queue of outcomes has this ARN, likewise. */
export function siteOfOutcomes(queueArn: string): string {
  return siteOf(queueArn, 'outcomes');
}

/** The site whose feed queue has this ARN, likewise. */
export function siteOfFeed(queueArn: string): string {
  return siteOf(queueArn, 'feed');
}

function siteOf(queueArn: string, queue: QueueName): string {
  const name = queueArn.slice(queueArn.lastIndexOf(':') + 1);
  const suffix = queueName('', queue);
  if (!name.endsWith(suffix) || name.length === suffix.length)
    throw new Error(`${queueArn} is not the ${queue} of a site`);
  return name.slice(0, -suffix.length);
}
