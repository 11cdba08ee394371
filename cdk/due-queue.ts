import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { METRICS } from '../core/cloud/metrics.ts';
import {
  DUE_DEAD_LETTERS_NAME,
  DUE_QUEUE,
  DUE_QUEUE_NAME,
  SWEEP_INTERVAL_SECONDS,
} from '../core/cloud/queues.ts';
import type { NodeFunction } from './node-function.ts';
import { ONE_MINUTE, RunbookAlarm } from './runbook-alarm.ts';
import { WorkQueue } from './work-queue.ts';

const LATE_MINUTES = 5;

/** Sessions that are due, each delivered to decide at its time. */
export class DueQueue extends WorkQueue {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      queueName: DUE_QUEUE_NAME,
      deadLetters: { queueName: DUE_DEAD_LETTERS_NAME, heading: 'Dead letters in the due queue' },
      shape: DUE_QUEUE,
    });
  }

  /** Lets `sender` send to the queue, and gives it the queue's URL. */
  grantSend(sender: NodeFunction): void {
    this.allowSend(sender, sender.roleArn);
    sender.addEnvironment('DUE_QUEUE_URL', this.queueUrl);
  }

  /** Has `sweep` fill the queue once an interval. A session that is overdue for long raises an alarm, and so does a sweep
   * that no longer reports how long that is. */
  fillBy(sweep: NodeFunction): void {
    this.grantSend(sweep);
    new events.Rule(this, 'Schedule', {
      schedule: events.Schedule.rate(Duration.seconds(SWEEP_INTERVAL_SECONDS)),
      targets: [new targets.LambdaFunction(sweep)],
    });
    new RunbookAlarm(this, 'Overdue', {
      heading: 'Due sessions are late',
      metric: sweep.ownMetric(METRICS.overdue, { statistic: cloudwatch.Stats.MAXIMUM, period: ONE_MINUTE }),
      threshold: LATE_MINUTES * 60_000,
      evaluationPeriods: LATE_MINUTES,
      treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    });
  }
}
