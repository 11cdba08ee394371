import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { METRICS } from '../core/cloud/metrics.ts';
import { INGEST_TIMEOUT_SECONDS } from '../core/cloud/queues.ts';
import type { Deployment } from '../core/deployment.ts';
import { NodeFunction } from './node-function.ts';
import { RunbookAlarm } from './runbook-alarm.ts';

export interface IngestFunctionProps {
  /** The catalogue, and the sites with their NASes. */
  readonly deployment: Deployment;
}

/** A wrong catalogue or a NAS with profiles of its own makes many at once; a lost record makes one. */
const DRIFT_LIMIT = 10;

/** ingest, deployed together with the catalogue and the sites. */
export class IngestFunction extends NodeFunction {
  constructor(scope: Construct, id: string, { deployment }: IngestFunctionProps) {
    super(scope, id, {
      folder: 'ingest',
      timeoutSeconds: INGEST_TIMEOUT_SECONDS,
      files: { 'deployment.json': JSON.stringify(deployment) },
    });
    this.addEnvironment('DEPLOYMENT_FILE', '/var/task/deployment.json');
    new RunbookAlarm(this, 'Drift', {
      heading: 'Services drift',
      metric: this.ownMetric(METRICS.drifted, {
        statistic: cloudwatch.Stats.SUM,
        period: Duration.minutes(15),
      }),
      threshold: DRIFT_LIMIT,
      evaluationPeriods: 1,
    });
  }
}
