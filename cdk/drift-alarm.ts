import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import { METRICS } from '../core/cloud/metrics.ts';
import type { NodeFunction } from './node-function.ts';
import { RunbookAlarm } from './runbook-alarm.ts';

/** A wrong catalogue or a NAS with profiles of its own makes many at once; a lost record makes one. */
const DRIFT_LIMIT = 10;

/** The alarm of a function that takes records of services: many of them contradict the table. */
export class DriftAlarm extends RunbookAlarm {
  constructor(scope: NodeFunction) {
    super(scope, 'Drift', {
      heading: 'Services drift',
      metric: scope.ownMetric(METRICS.drifted, {
        statistic: cloudwatch.Stats.SUM,
        period: Duration.minutes(15),
      }),
      threshold: DRIFT_LIMIT,
      evaluationPeriods: 1,
    });
  }
}
