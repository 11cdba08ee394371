import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { RETENTION_DAYS } from '../core/cloud/queues.ts';
import { ONE_MINUTE, RunbookAlarm, type RunbookHeading } from './runbook-alarm.ts';

/** What all our queues are: encrypted, reachable over TLS only, and keeping messages as long as SQS allows. */
export const PROTECTED_AND_KEPT = {
  encryption: sqs.QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
  retentionPeriod: Duration.days(RETENTION_DAYS),
} as const;

export interface DeadLetterQueueProps {
  /** Ends in `.fifo` where it serves a FIFO queue. */
  readonly queueName: string;
  /** What the runbook says of messages in it. */
  readonly heading: RunbookHeading;
}

/** For messages that failed as often as their queue allows. One is enough for an alarm. */
export class DeadLetterQueue extends sqs.Queue {
  constructor(scope: Construct, id: string, { queueName, heading }: DeadLetterQueueProps) {
    super(scope, id, {
      ...PROTECTED_AND_KEPT,
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
