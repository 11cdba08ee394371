import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { RETENTION_DAYS } from '../core/cloud/queues.ts';
import { ONE_MINUTE, RunbookAlarm, type RunbookHeading } from './runbook-alarm.ts';

/** Encrypted, reachable over TLS only, and patient: what all our queues are. */
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

/** Where messages end up that nobody could process. One is enough for an alarm. */
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
      // SQS stops measuring a queue that nobody has touched for six hours; what lies in it is still there.
      treatMissingData: cloudwatch.TreatMissingData.IGNORE,
    });
  }
}
