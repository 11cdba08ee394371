import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { RETENTION_DAYS } from '../core/cloud.ts';

/** Encrypted, reachable over TLS only, and patient: what all our queues are. */
export const PROTECTED_AND_KEPT = {
  encryption: sqs.QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
  retentionPeriod: Duration.days(RETENTION_DAYS),
} as const;

export interface DeadLetterQueueProps {
  /** Ends in `.fifo` where it serves a FIFO queue. */
  readonly queueName: string;
}

/** Where messages end up that nobody could process. */
export class DeadLetterQueue extends sqs.Queue {
  constructor(scope: Construct, id: string, { queueName }: DeadLetterQueueProps) {
    super(scope, id, {
      ...PROTECTED_AND_KEPT,
      queueName,
      ...(queueName.endsWith('.fifo') && { fifo: true }),
    });
  }
}
