import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { INBOX_BATCH_SIZE, type QueueShape } from '../core/cloud/queues.ts';
import { DeadLetterQueue, type DeadLetterQueueProps } from './dead-letter-queue.ts';
import { GuardedQueue } from './guarded-queue.ts';
import type { NodeFunction } from './node-function.ts';
import { ONE_MINUTE, RunbookAlarm, type RunbookHeading } from './runbook-alarm.ts';

export interface WorkQueueProps {
  readonly queueName: string;
  readonly deadLetters: DeadLetterQueueProps;
  readonly shape: QueueShape;
}

/** A queue with its dead-letter queue. A FIFO queue is set for high throughput. */
export class WorkQueue extends GuardedQueue {
  readonly #maxConcurrency: number | undefined;

  constructor(scope: Construct, id: string, { queueName, deadLetters, shape }: WorkQueueProps) {
    const { fifo, visibilityTimeoutSeconds, maxReceiveCount, retentionSeconds } = shape;
    super(scope, id, {
      ...(retentionSeconds !== undefined && { retentionPeriod: Duration.seconds(retentionSeconds) }),
      queueName,
      visibilityTimeout: Duration.seconds(visibilityTimeoutSeconds),
      deadLetterQueue: {
        queue: new DeadLetterQueue(scope, `${id}DeadLetters`, deadLetters),
        maxReceiveCount,
      },
      ...(fifo && {
        fifo,
        deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
        fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      }),
    });
    this.#maxConcurrency = shape.maxConcurrency;
  }

  /** Invokes `consumer` with batches of messages; SQS delivers again those that fail. */
  deliverTo(consumer: NodeFunction, id: string): void {
    // Lambda polls in the role of the function.
    this.allowReceive(consumer, consumer.roleArn, 'sqs:GetQueueAttributes', 'sqs:GetQueueUrl');
    consumer.addEventSourceMapping(id, {
      eventSourceArn: this.queueArn,
      batchSize: INBOX_BATCH_SIZE,
      reportBatchItemFailures: true,
      ...(this.#maxConcurrency !== undefined && { maxConcurrency: this.#maxConcurrency }),
    });
  }

  /** Raises an alarm when a message has been in the queue for `seconds`. */
  alarmWhenLate(heading: RunbookHeading, seconds: number): void {
    new RunbookAlarm(this, 'Late', {
      heading,
      metric: this.metricApproximateAgeOfOldestMessage({ period: ONE_MINUTE }),
      threshold: seconds,
      evaluationPeriods: 2,
    });
  }
}
