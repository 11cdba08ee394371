import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../core/cloud/metrics.ts';
import { at, type JsonObject, list, makeStack, QUEUES, resources, target, template } from './template.ts';

const ALARMS = [...resources('AWS::CloudWatch::Alarm').values()];

/** The alarms on a metric, by the queue, function or service that it is of. */
function alarmsOn(metricName: string): Record<string, JsonObject> {
  const alarms = ALARMS.filter(({ MetricName }) => MetricName === metricName);
  return Object.fromEntries(
    alarms.map((alarm) => [target(at(list(alarm['Dimensions'])[0], 'Value')), alarm]),
  );
}

function thresholdsOf(metricName: string) {
  return Object.fromEntries(
    Object.entries(alarmsOn(metricName)).map(([of, { Threshold }]) => [of, Threshold]),
  );
}

describe('an alarm', () => {
  it('comes with the first message in any dead-letter queue, and stays while it lies there', () => {
    const alarms = alarmsOn('ApproximateNumberOfMessagesVisible');
    const names = [...QUEUES.values()].map(({ QueueName }) => String(QueueName));

    expect(Object.keys(alarms).sort()).toEqual(names.filter((name) => /-dead(\.fifo)?$/.test(name)).sort());
    for (const alarm of Object.values(alarms)) {
      expect(alarm).toMatchObject({ Threshold: 1, EvaluationPeriods: 1, TreatMissingData: 'ignore' });
    }
  });

  it('comes when a message waits too long, each queue by its own measure', () => {
    const seconds = { inbox: 48, outcomes: 48, outbox: 120, accounting: 900, feed: 120 };
    const ofSite = (site: string) =>
      Object.entries(seconds).map(([queue, threshold]) => [`${site}-${queue}.fifo`, threshold]);

    expect(thresholdsOf('ApproximateAgeOfOldestMessage')).toEqual(
      Object.fromEntries([...ofSite('north'), ...ofSite('south')]),
    );
  });

  it.each(['north', 'south'])(
    'comes when the relay of %s has not asked its outbox for five minutes',
    (site) => {
      const metrics = (alarm: JsonObject) =>
        list(alarm['Metrics']).map((metric) => at(metric, 'MetricStat', 'Metric'));
      const ofSite = ALARMS.find((alarm) =>
        metrics(alarm).some(
          (metric) => target(at(list(at(metric, 'Dimensions'))[0], 'Value')) === `${site}-outbox.fifo`,
        ),
      );

      expect(ofSite).toMatchObject({
        ComparisonOperator: 'LessThanThreshold',
        Threshold: 1,
        EvaluationPeriods: 5,
        TreatMissingData: 'breaching',
      });
      expect(metrics(ofSite ?? {}).map((metric) => at(metric, 'MetricName'))).toEqual([
        undefined,
        'NumberOfEmptyReceives',
        'NumberOfMessagesReceived',
      ]);
    },
  );

  it('comes when a function fails or is throttled, and when account falls five minutes behind', () => {
    expect(thresholdsOf('Errors')).toEqual({ Account: 1, Decide: 1, Ingest: 1, Sweep: 1 });
    expect(thresholdsOf('Throttles')).toEqual({ Account: 1, Decide: 1, Ingest: 1, Sweep: 1 });
    expect(thresholdsOf('IteratorAge')).toEqual({ Account: 300_000 });
  });

  it('comes when a NAS does not deactivate, when it is not known what it has, when sessions are of a NAS that no site file names, and when sweep is late or says nothing', () => {
    expect(alarmsOn(METRICS.stuckDeactivations)).toMatchObject({
      decide: { Namespace: 'Interlock', Threshold: 1, EvaluationPeriods: 4, DatapointsToAlarm: 1 },
    });
    expect(alarmsOn(METRICS.unconfirmed)).toMatchObject({
      decide: { Namespace: 'Interlock', Statistic: 'Sum', Threshold: 1, EvaluationPeriods: 1 },
    });
    expect(alarmsOn(METRICS.unknownNas)).toMatchObject({
      sweep: { Statistic: 'Maximum', Threshold: 1, Period: 3600, EvaluationPeriods: 2, DatapointsToAlarm: 1 },
    });
    expect(alarmsOn(METRICS.unmadeRecords)).toMatchObject({
      account: { Namespace: 'Interlock', Statistic: 'Sum', Threshold: 1, EvaluationPeriods: 1 },
    });
    expect(alarmsOn(METRICS.overdue)).toMatchObject({
      sweep: { Namespace: 'Interlock', Threshold: 300_000, TreatMissingData: 'breaching' },
    });
  });

  it('comes when ten services or more contradict the table within a quarter of an hour', () => {
    const alarm = {
      Namespace: 'Interlock',
      Statistic: 'Sum',
      Threshold: 10,
      Period: 900,
      EvaluationPeriods: 1,
    };
    expect(alarmsOn(METRICS.drifted)).toMatchObject({ decide: alarm, ingest: alarm });
  });

  it('tells nobody, unless there is a topic to tell', () => {
    const alarmTopicArn = 'arn:aws:sns:eu-central-1:123456789012:operators';
    const told = resources('AWS::CloudWatch::Alarm', Template.fromStack(makeStack({ alarmTopicArn })));

    for (const alarm of ALARMS) expect(alarm).not.toHaveProperty('AlarmActions');
    expect(told.size).toBe(ALARMS.length);
    for (const alarm of told.values()) {
      expect(alarm).toMatchObject({ AlarmActions: [alarmTopicArn], OKActions: [alarmTopicArn] });
    }
  });
});

describe('the runbook', () => {
  const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');

  it('has a heading for each alarm that names one, and none besides', () => {
    const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) => `docs/runbook.md: ${heading}`);
    const named = new Set(ALARMS.map(({ AlarmDescription }) => AlarmDescription));

    expect(headings.sort()).toEqual([...named].sort());
  });
});

describe('the dashboard', () => {
  const [dashboard] = resources('AWS::CloudWatch::Dashboard').values();
  const text = JSON.stringify(dashboard);

  it('shows every alarm', () => {
    const ids = Object.keys(template.findResources('AWS::CloudWatch::Alarm'));
    expect(ids.filter((id) => !text.includes(`"${id}"`))).toEqual([]);
  });

  it.each([...Object.values(METRICS), 'IteratorAge'])('shows %s', (metric) => {
    expect(text).toContain(metric);
  });
});
