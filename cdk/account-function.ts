import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { METRICS } from '../core/cloud/metrics.ts';
import { ACCOUNT_TIMEOUT_SECONDS } from '../core/cloud/queues.ts';
import { type Deployment, nasSites } from '../core/deployment.ts';
import { NodeFunction } from './node-function.ts';
import { RunbookAlarm } from './runbook-alarm.ts';

export interface AccountFunctionProps {
  /** The sites of the NASes are taken from it. */
  readonly deployment: Deployment;
}

/** account, deployed together with the sites of the NASes. */
export class AccountFunction extends NodeFunction {
  constructor(scope: Construct, id: string, { deployment }: AccountFunctionProps) {
    super(scope, id, {
      folder: 'account',
      timeoutSeconds: ACCOUNT_TIMEOUT_SECONDS,
      files: { 'nas-sites.json': JSON.stringify([...nasSites(deployment)]) },
    });
    this.addEnvironment('NAS_SITES_FILE', '/var/task/nas-sites.json');
    new RunbookAlarm(this, 'Unmade', {
      heading: 'Accounting records cannot be made',
      metric: this.ownMetric(METRICS.unmadeRecords, { statistic: cloudwatch.Stats.SUM }),
      threshold: 1,
      evaluationPeriods: 1,
    });
  }
}
