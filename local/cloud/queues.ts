// The queues of the deployed stack, on any SQS endpoint.
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import {
  ACCOUNT_FAILURES_QUEUE_NAME,
  DUE_DEAD_LETTERS_NAME,
  DUE_QUEUE,
  DUE_QUEUE_NAME,
  QUEUES,
  type QueueName,
  type QueueShape,
  queueName,
  RETENTION_DAYS,
} from '../../core/cloud/queues.ts';

export interface Queue {
  readonly url: string;
  readonly arn: string;
}

/** A queue and its dead-letter queue. */
export interface WorkQueue extends Queue {
  readonly deadLetters: Queue;
}

export interface CloudQueues {
  /** By site. */
  readonly queues: Readonly<Record<string, Readonly<Record<QueueName, WorkQueue>>>>;
  /** From sweep to decide. */
  readonly due: WorkQueue;
  /** The on-failure destination of account. */
  readonly accountFailures: Queue;
}

const RETENTION_SECONDS = RETENTION_DAYS * 24 * 60 * 60;

/** Creates the queues of all sites that are missing, and sets the attributes of all. */
export async function ensureQueues(
  client: SQSClient,
  endpoint: string,
  sites: readonly string[],
): Promise<CloudQueues> {
  const ensure = async (name: string, attributes: Readonly<Record<string, string>> = {}): Promise<Queue> => {
    const fifo = name.endsWith('.fifo') && { Attributes: { FifoQueue: 'true' } };
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, ...fifo }));
    await client.send(
      new SetQueueAttributesCommand({
        QueueUrl,
        Attributes: { MessageRetentionPeriod: String(RETENTION_SECONDS), ...attributes },
      }),
    );
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
    );
    // A URL from before a restart has the old port.
    return { url: endpoint + new URL(QueueUrl ?? '').pathname, arn: Attributes?.QueueArn ?? '' };
  };
  const ensureWorkQueue = async (
    name: string,
    deadLettersName: string,
    shape: QueueShape,
  ): Promise<WorkQueue> => {
    const { visibilityTimeoutSeconds, maxReceiveCount, retentionSeconds = RETENTION_SECONDS } = shape;
    const deadLetters = await ensure(deadLettersName);
    const work = await ensure(name, {
      MessageRetentionPeriod: String(retentionSeconds),
      VisibilityTimeout: String(visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount }),
    });
    return { ...work, deadLetters };
  };
  const ensureOfSite = (site: string, queue: QueueName): Promise<WorkQueue> =>
    ensureWorkQueue(queueName(site, queue), queueName(site, queue, 'dead-letters'), QUEUES[queue]);
  const queues: Record<string, Record<QueueName, WorkQueue>> = {};
  for (const site of sites) {
    queues[site] = {
      inbox: await ensureOfSite(site, 'inbox'),
      outcomes: await ensureOfSite(site, 'outcomes'),
      outbox: await ensureOfSite(site, 'outbox'),
      accounting: await ensureOfSite(site, 'accounting'),
      feed: await ensureOfSite(site, 'feed'),
    };
  }
  const due = await ensureWorkQueue(DUE_QUEUE_NAME, DUE_DEAD_LETTERS_NAME, DUE_QUEUE);
  return { queues, due, accountFailures: await ensure(ACCOUNT_FAILURES_QUEUE_NAME) };
}
