// The queues and the functions that they invoke, as plain data: the stack creates them like this on AWS and the local
// system on one machine.

export type QueueName = 'inbox' | 'outbox' | 'accounting';

export interface QueueShape {
  readonly fifo: boolean;
  /** How long a message is hidden while somebody works on it. */
  readonly visibilityTimeoutSeconds: number;
  /** Deliveries before a message goes to the dead-letter queue. */
  readonly maxReceiveCount: number;
}

/**
 * A sixth of its inbox's visibility timeout, as AWS advises. When decide dies between its write and its command, the
 * message comes again after that visibility timeout, and then the command must not be too late: see
 * COMMAND_START_WITHIN_MS.
 */
export const DECIDE_TIMEOUT_SECONDS = 4;
export const ACCOUNT_TIMEOUT_SECONDS = 30;

export const QUEUES: Readonly<Record<QueueName, QueueShape>> = {
  inbox: { fifo: true, visibilityTimeoutSeconds: 6 * DECIDE_TIMEOUT_SECONDS, maxReceiveCount: 5 },
  // FIFO, so that a command that is sent or delivered twice can never be carried out behind a later one.
  outbox: { fifo: true, visibilityTimeoutSeconds: 60, maxReceiveCount: 10 },
  // The relay holds what the accounting server does not take yet and goes on hiding it, at most 12 hours at a time.
  accounting: { fifo: true, visibilityTimeoutSeconds: 60, maxReceiveCount: 100 },
};

/** Sessions whose time comes, from sweep to decide. Not FIFO: only then can each message have a delay of its own. */
export const DUE_QUEUE: QueueShape = {
  fifo: false,
  visibilityTimeoutSeconds: 6 * DECIDE_TIMEOUT_SECONDS,
  maxReceiveCount: 5,
};
export const DUE_QUEUE_NAME = 'interlock-due';
export const DUE_DEAD_LETTERS_NAME = 'interlock-due-dead';

/** How often sweep runs, and how far it looks ahead. */
export const SWEEP_INTERVAL_SECONDS = 60;
export const SWEEP_TIMEOUT_SECONDS = 30;

/** Undelivered messages and dead letters are kept as long as SQS allows. */
export const RETENTION_DAYS = 14;

/** Batches of the functions' event sources. */
export const INBOX_BATCH_SIZE = 10;
export const STREAM_BATCH_SIZE = 100;
/**
 * Batches of one shard that AWS has account process at the same time; AWS allows at most 10. The records of one item
 * keep their order. A record that fails delays only the items that share its batches: a tenth of the shard.
 */
export const STREAM_BATCHES_PER_SHARD = 10;
export const STREAM_MAX_RETRIES = 100;

export function queueName(site: string, queue: QueueName, purpose: 'work' | 'dead-letters' = 'work'): string {
  const name = purpose === 'work' ? `${site}-${queue}` : `${site}-${queue}-dead`;
  return QUEUES[queue].fifo ? `${name}.fifo` : name;
}

/** The queue that is told of stream records that account could not process. */
export const ACCOUNT_FAILURES_QUEUE_NAME = 'interlock-account-dead';

export function isDueQueue(queueArn: string): boolean {
  return queueArn.endsWith(`:${DUE_QUEUE_NAME}`);
}

/** The site whose inbox has this ARN: the queue that a message came through proves which relay sent it. */
export function siteOfInbox(queueArn: string): string {
  const name = queueArn.slice(queueArn.lastIndexOf(':') + 1);
  const suffix = queueName('', 'inbox');
  if (!name.endsWith(suffix) || name.length === suffix.length)
    throw new Error(`${queueArn} is not the inbox of a site`);
  return name.slice(0, -suffix.length);
}
