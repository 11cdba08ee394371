import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Duration, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { METRIC_NAMESPACE, METRICS } from '../core/cloud/metrics.ts';
import type { DeadLetterQueue } from './dead-letter-queue.ts';
import type { NodeFunction } from './node-function.ts';
import type { Site } from './site.ts';

export interface DashboardProps {
  readonly alarms: readonly cloudwatch.IAlarm[];
  readonly decide: NodeFunction;
  readonly ingest: NodeFunction;
  readonly account: NodeFunction;
  readonly sweep: NodeFunction;
  readonly sites: readonly Site[];
  readonly deadLetterQueues: readonly DeadLetterQueue[];
}

/** As many as CloudWatch allows. */
const ALARMS_IN_A_WIDGET = 100;

/** All of Interlock on one page: alarms, requests and answers, outcomes of commands, what waits. */
export class Dashboard extends cloudwatch.Dashboard {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id, { dashboardName: Stack.of(scope).stackName, defaultInterval: Duration.hours(3) });
    const { alarms, decide, ingest, account, sweep, sites, deadLetterQueues } = props;
    const functions = [decide, ingest, account, sweep];
    const latency = (statistic: string, label: string) =>
      decide.ownMetric(METRICS.decisionLatency, { statistic, label });

    for (let rest = alarms; rest.length > 0; rest = rest.slice(ALARMS_IN_A_WIDGET)) {
      const shown = rest.slice(0, ALARMS_IN_A_WIDGET);
      this.addWidgets(new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: shown, width: 24 }));
    }
    this.addWidgets(
      graph('Requests decided', [latency(cloudwatch.Stats.SAMPLE_COUNT, 'requests')]),
      graph('Answers, and requests without one', [
        everySeries(METRICS.answers, ['Answer']),
        everySeries(METRICS.answers, ['Answer', 'ErrorCause']),
        everySeries(METRICS.discarded, ['Reason']),
      ]),
      graph('From the relay to the decision, ms', [
        latency(cloudwatch.Stats.percentile(50), 'half within'),
        latency(cloudwatch.Stats.percentile(99), '99 % within'),
      ]),
    );
    this.addWidgets(
      graph('What NASes made of commands', [everySeries(METRICS.nasOutcomes, ['Nas', 'Result'])]),
      graph('Accounting that waits, and what cannot be made: records', [
        ...sites.map(({ node, accounting }) =>
          accounting.metricApproximateNumberOfMessagesVisible({ label: node.id }),
        ),
        account.ownMetric(METRICS.unmadeRecords, {
          statistic: cloudwatch.Stats.SUM,
          label: 'cannot be made',
        }),
        account.ownMetric(METRICS.setAsideRecords, {
          statistic: cloudwatch.Stats.SUM,
          label: 'changes put aside',
        }),
      ]),
      graph(
        'Oldest message in a queue, s',
        sites.flatMap(({ inbox, outcomes, outbox, accounting, feed }) =>
          [inbox, outcomes, outbox, accounting, feed].map((queue) =>
            queue.metricApproximateAgeOfOldestMessage(),
          ),
        ),
      ),
    );
    this.addWidgets(
      graph(
        'Dead letters',
        deadLetterQueues.map((queue) => queue.metricApproximateNumberOfMessagesVisible()),
      ),
      graph('Behind the stream, ms', [
        account.metric('IteratorAge', { statistic: cloudwatch.Stats.MAXIMUM }),
      ]),
      graph(
        'Functions: errors and throttles',
        functions.flatMap((one) => [one.metricErrors(), one.metricThrottles()]),
      ),
    );
    this.addWidgets(
      graph('Services that became unconfirmed', [everySeries(METRICS.unconfirmed, ['Nas'])]),
      graph('Services that a NAS has not confirmed for long', [
        decide.ownMetric(METRICS.stuckDeactivations, {
          statistic: cloudwatch.Stats.SUM,
          label: 'failed 3 times or more',
        }),
      ]),
      graph('Due sessions: the oldest is overdue, ms', [
        sweep.ownMetric(METRICS.overdue, { statistic: cloudwatch.Stats.MAXIMUM, label: 'overdue' }),
      ]),
    );
    this.addWidgets(
      graph('Sessions of NASes that no site file names', [
        sweep.ownMetric(METRICS.unknownNas, {
          statistic: cloudwatch.Stats.MAXIMUM,
          period: Duration.hours(1),
          label: 'sessions',
        }),
      ]),
      graph('Services that NASes account and that contradict the table', [
        everySeries(METRICS.drifted, ['Nas']),
      ]),
      graph('Clocks of relays: ms from the right time', [
        everySeries(METRICS.clockSkew, ['Relay'], cloudwatch.Stats.MAXIMUM),
      ]),
    );
  }
}

function graph(title: string, left: cloudwatch.IMetric[]): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, left, width: 8, leftYAxis: { min: 0 } });
}

/** A metric of ours by its dimensions, one line for each combination of their values. */
function everySeries(
  metric: string,
  dimensions: readonly string[],
  statistic: string = cloudwatch.Stats.SUM,
): cloudwatch.SearchExpression {
  const schema = [METRIC_NAMESPACE, 'service', ...dimensions].join(',');
  return new cloudwatch.SearchExpression({
    expression: `SEARCH('{${schema}} MetricName="${metric}"', '${statistic}', 300)`,
    label: dimensions.map((name) => `\${PROP('Dim.${name}')}`).join(' '),
  });
}
