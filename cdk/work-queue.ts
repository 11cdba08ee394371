import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { QUEUES, type QueueName, queueName } from '../core/cloud.ts';
import { DeadLetterQueue, PROTECTED_AND_KEPT } from './dead-letter-queue.ts';

export interface WorkQueueProps {
  /** The site whose queue it is. */
  readonly site: string;
  /** Which of the site's queues. */
  readonly queue: QueueName;
}

/** A queue of a site, with its dead-letter queue. A FIFO queue is set for high throughput. */
export class WorkQueue extends sqs.Queue {
  constructor(scope: Construct, id: string, { site, queue }: WorkQueueProps) {
    const { fifo, visibilityTimeoutSeconds, maxReceiveCount } = QUEUES[queue];
    super(scope, id, {
      ...PROTECTED_AND_KEPT,
      queueName: queueName(site, queue),
      visibilityTimeout: Duration.seconds(visibilityTimeoutSeconds),
      deadLetterQueue: {
        queue: new DeadLetterQueue(scope, `${id}DeadLetters`, {
          queueName: queueName(site, queue, 'dead-letters'),
        }),
        maxReceiveCount,
      },
      ...(fifo && {
        fifo,
        deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
        fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      }),
    });
  }
}
