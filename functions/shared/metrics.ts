// Metrics in CloudWatch's Embedded Metric Format: CloudWatch Logs reads them from a line of JSON that has nothing else.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
import { METRIC_NAMESPACE } from '../../core/cloud/metrics.ts';

type MetricUnit = 'Count' | 'Milliseconds';
/** Values by name; none is empty. */
type Dimensions = Readonly<Record<string, string>>;

interface Measurement {
  readonly name: string;
  readonly unit: MetricUnit;
  readonly value: number;
  readonly dimensions: Dimensions;
}

/** A line has at most this many values of a metric, and this many metrics. */
const MAX_IN_A_LINE = 100;

/** Collects the measurements of one function. `service` is its name, and a dimension of all its metrics. */
export class Metrics {
  readonly #service: string;
  readonly #measured: Measurement[] = [];

  constructor(service: string) {
    this.#service = service;
  }

  /** Adds a value to the metric `name`, which has the dimension `service` and these. */
  add(name: string, unit: MetricUnit, value: number, dimensions: Dimensions = {}): void {
    this.#measured.push({ name, unit, value, dimensions });
  }

  /** The values added since the last call, as lines. `nowMs` is milliseconds since 1970-01-01 UTC. */
  flush(nowMs: number): readonly string[] {
    const sets = Map.groupBy(this.#measured.splice(0), ({ dimensions }) => JSON.stringify(dimensions));
    const lines: string[] = [];
    for (const set of sets.values()) {
      for (let start = 0; start < set.length; start += MAX_IN_A_LINE) {
        lines.push(this.#line(set.slice(start, start + MAX_IN_A_LINE), nowMs));
      }
    }
    return lines;
  }

  /** All of them have the same dimensions. */
  #line(measured: readonly Measurement[], nowMs: number): string {
    const dimensions = { service: this.#service, ...measured[0]?.dimensions };
    const metrics = Map.groupBy(measured, ({ name }) => name);
    const directive = {
      Namespace: METRIC_NAMESPACE,
      Dimensions: [Object.keys(dimensions)],
      Metrics: Array.from(metrics, ([Name, [first]]) => ({ Name, Unit: first?.unit })),
    };
    const values = Array.from(metrics, ([name, all]) => [name, all.map(({ value }) => value)] as const);
    return JSON.stringify({
      _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] },
      ...dimensions,
      ...Object.fromEntries(values),
    });
  }
}
