import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { METRICS } from '../core/cloud/metrics.ts';
import { SWEEP_TIMEOUT_SECONDS } from '../core/cloud/queues.ts';
import { type Deployment, nasNames } from '../core/deployment.ts';
import { NodeFunction } from './node-function.ts';
import { RunbookAlarm } from './runbook-alarm.ts';

export interface SweepFunctionProps {
  /** The names of the NASes are taken from it. */
  readonly deployment: Deployment;
}

/** sweep, deployed together with the names of the NASes. */
export class SweepFunction extends NodeFunction {
  constructor(scope: Construct, id: string, { deployment }: SweepFunctionProps) {
    super(scope, id, {
      folder: 'sweep',
      timeoutSeconds: SWEEP_TIMEOUT_SECONDS,
      files: { 'nas-names.json': JSON.stringify([...nasNames(deployment)]) },
    });
    this.addEnvironment('NAS_NAMES_FILE', '/var/task/nas-names.json');
    new RunbookAlarm(this, 'UnknownNas', {
      heading: 'Sessions of an unknown NAS',
      metric: this.ownMetric(METRICS.unknownNas, {
        statistic: cloudwatch.Stats.MAXIMUM,
        period: Duration.hours(1),
      }),
      threshold: 1,
      // sweep counts once an hour, not always in the same minute of it: two periods hold a count.
      evaluationPeriods: 2,
      datapointsToAlarm: 1,
    });
  }
}
