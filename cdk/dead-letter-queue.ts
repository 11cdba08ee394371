import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { GuardedQueue } from './guarded-queue.ts';
import { ONE_MINUTE, RunbookAlarm, type RunbookHeading } from './runbook-alarm.ts';

export interface DeadLetterQueueProps {
  /** Ends in `.fifo` where it serves a FIFO queue. */
  readonly queueName: string;
  /** What the runbook says of messages in it. */
  readonly heading: RunbookHeading;
}

/** For messages that failed as often as their queue allows. One is enough for an alarm. */
export class DeadLetterQueue extends GuardedQueue {
  constructor(scope: Construct, id: string, { queueName, heading }: DeadLetterQueueProps) {
    super(scope, id, {
      queueName,
      ...(queueName.endsWith('.fifo') && { fifo: true }),
    });
    new RunbookAlarm(this, 'NotEmpty', {
      heading,
      metric: this.metricApproximateNumberOfMessagesVisible({ period: ONE_MINUTE }),
      threshold: 1,
      evaluationPeriods: 1,
      // SQS stops measuring a queue that has not been used for six hours; its messages are still there.
      treatMissingData: cloudwatch.TreatMissingData.IGNORE,
    });
  }
}
