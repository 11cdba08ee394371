// The queues of the deployed stack on any SQS endpoint.
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import {
  ACCOUNT_FAILURES_QUEUE_NAME,
  QUEUES,
  type QueueName,
  queueName,
  RETENTION_DAYS,
} from '../core/cloud.ts';

export interface Queue {
  readonly url: string;
  readonly arn: string;
}

export interface CloudQueues {
  /** By site. */
  readonly queues: Readonly<
    Record<string, Readonly<Record<QueueName, Queue & { readonly deadLetters: Queue }>>>
  >;
  /** Where the mapping puts the stream records that account could not process. */
  readonly accountFailures: Queue;
}

const KEPT = { MessageRetentionPeriod: String(RETENTION_DAYS * 24 * 60 * 60) };

/** Creates the queues of all sites where they are not there yet, and gives them their attributes of today. */
export async function ensureQueues(
  client: SQSClient,
  endpoint: string,
  sites: readonly string[],
): Promise<CloudQueues> {
  const ensure = async (name: string, attributes: Readonly<Record<string, string>> = {}): Promise<Queue> => {
    const fifo = name.endsWith('.fifo') && { Attributes: { FifoQueue: 'true' } };
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, ...fifo }));
    await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { ...KEPT, ...attributes } }));
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
    );
    // A URL that was stored before a restart still has the old port.
    return { url: endpoint + new URL(QueueUrl ?? '').pathname, arn: Attributes?.QueueArn ?? '' };
  };
  const ensureQueue = async (site: string, queue: QueueName) => {
    const { visibilityTimeoutSeconds, maxReceiveCount } = QUEUES[queue];
    const deadLetters = await ensure(queueName(site, queue, 'dead-letters'));
    const work = await ensure(queueName(site, queue), {
      VisibilityTimeout: String(visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount }),
    });
    return { ...work, deadLetters };
  };
  const ensureSite = async (site: string) =>
    [
      site,
      {
        inbox: await ensureQueue(site, 'inbox'),
        outbox: await ensureQueue(site, 'outbox'),
        accounting: await ensureQueue(site, 'accounting'),
      },
    ] as const;
  return {
    queues: Object.fromEntries(await Promise.all(sites.map(ensureSite))),
    accountFailures: await ensure(ACCOUNT_FAILURES_QUEUE_NAME),
  };
}
