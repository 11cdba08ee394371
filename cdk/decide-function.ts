import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { CLOCK_SKEW_LIMIT_MS, METRICS } from '../core/cloud/metrics.ts';
import { DECIDE_TIMEOUT_SECONDS } from '../core/cloud/queues.ts';
import type { Deployment } from '../core/deployment.ts';
import { DriftAlarm } from './drift-alarm.ts';
import { NodeFunction } from './node-function.ts';
import { RunbookAlarm } from './runbook-alarm.ts';

export interface DecideFunctionProps {
  /** The catalogue, and the sites with their NASes. */
  readonly deployment: Deployment;
}

/** decide, deployed together with the catalogue and the sites. */
export class DecideFunction extends NodeFunction {
  constructor(scope: Construct, id: string, { deployment }: DecideFunctionProps) {
    super(scope, id, {
      folder: 'decide',
      timeoutSeconds: DECIDE_TIMEOUT_SECONDS,
      files: { 'deployment.json': JSON.stringify(deployment) },
    });
    this.addEnvironment('DEPLOYMENT_FILE', '/var/task/deployment.json');
    new RunbookAlarm(this, 'Stuck', {
      heading: 'Deactivations are stuck',
      metric: this.ownMetric(METRICS.stuckDeactivations, { statistic: cloudwatch.Stats.SUM }),
      threshold: 1,
      // Retries come up to 15 minutes apart: four periods of 5 minutes hold one.
      evaluationPeriods: 4,
      datapointsToAlarm: 1,
    });
    new RunbookAlarm(this, 'Unconfirmed', {
      heading: 'Services are unconfirmed',
      metric: this.ownMetric(METRICS.unconfirmed, { statistic: cloudwatch.Stats.SUM }),
      threshold: 1,
      evaluationPeriods: 1,
    });
    // A record that comes while a command is under way is taken by decide, once that is settled.
    new DriftAlarm(this);
    new RunbookAlarm(this, 'ClockSkew', {
      heading: 'The clock of a relay is wrong',
      metric: this.ownMetric(METRICS.clockSkew, { statistic: cloudwatch.Stats.MAXIMUM }),
      threshold: CLOCK_SKEW_LIMIT_MS,
      evaluationPeriods: 1,
    });
  }
}
