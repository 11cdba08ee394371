import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { DUE_DEAD_LETTERS_NAME, DUE_QUEUE, DUE_QUEUE_NAME, SWEEP_INTERVAL_SECONDS } from '../core/cloud.ts';
import type { NodeFunction } from './node-function.ts';
import { WorkQueue } from './work-queue.ts';

/** Sessions on their way to the time at which they have to be looked at. */
export class DueQueue extends WorkQueue {
  constructor(scope: Construct, id: string) {
    super(scope, id, { queueName: DUE_QUEUE_NAME, deadLettersName: DUE_DEAD_LETTERS_NAME, shape: DUE_QUEUE });
  }

  /** Has `sweep` fill the queue once an interval, and tells it the queue's URL. */
  fillBy(sweep: NodeFunction): void {
    this.grant(sweep, 'sqs:SendMessage');
    sweep.addEnvironment('DUE_QUEUE_URL', this.queueUrl);
    new events.Rule(this, 'Schedule', {
      schedule: events.Schedule.rate(Duration.seconds(SWEEP_INTERVAL_SECONDS)),
      targets: [new targets.LambdaFunction(sweep)],
    });
  }
}
