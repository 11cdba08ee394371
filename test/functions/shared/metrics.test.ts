import { expect, it } from 'vitest';
import { Metrics } from '../../../functions/shared/metrics.ts';
import { embeddedMetrics } from './embedded-metrics.ts';

const NOW = 1_780_000_000_000;

it('writes measurements with equal dimensions on one line', () => {
  const metrics = new Metrics('decide');
  metrics.add('Latency', 'Milliseconds', 12.5);
  metrics.add('Answers', 'Count', 1, { Answer: 'CoA-ACK' });
  metrics.add('Races', 'Count', 2);
  metrics.add('Latency', 'Milliseconds', 7);
  metrics.add('Answers', 'Count', 1, { Answer: 'CoA-NAK' });

  const lines = metrics.flush(NOW).map((line) => JSON.parse(line));

  expect(lines).toHaveLength(3);
  expect(lines[0]).toEqual({
    _aws: {
      Timestamp: NOW,
      CloudWatchMetrics: [
        {
          Namespace: 'Interlock',
          Dimensions: [['service']],
          Metrics: [
            { Name: 'Latency', Unit: 'Milliseconds' },
            { Name: 'Races', Unit: 'Count' },
          ],
        },
      ],
    },
    service: 'decide',
    Latency: [12.5, 7],
    Races: [2],
  });
  expect(lines.flatMap(embeddedMetrics).map(({ dimensions }) => dimensions)).toEqual([
    { service: 'decide' },
    { service: 'decide' },
    { service: 'decide', Answer: 'CoA-ACK' },
    { service: 'decide', Answer: 'CoA-NAK' },
  ]);
});

it('writes many values on as many lines as CloudWatch needs', () => {
  const metrics = new Metrics('account');
  const values = Array.from({ length: 250 }, (_, index) => index);
  for (const value of values) metrics.add('Records', 'Count', value);

  const found = metrics.flush(NOW).flatMap((line) => embeddedMetrics(JSON.parse(line)));

  expect(found.map((metric) => metric.values.length)).toEqual([100, 100, 50]);
  expect(found.flatMap((metric) => metric.values)).toEqual(values);
});

it('writes each measurement once', () => {
  const metrics = new Metrics('sweep');
  metrics.add('Due', 'Count', 0);

  expect(metrics.flush(NOW)).toHaveLength(1);
  expect(metrics.flush(NOW)).toEqual([]);
});
