// Reads lines as CloudWatch does: the Embedded Metric Format and its limits.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
import * as v from 'valibot';

const Name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(1024));
const Values = v.pipe(v.array(v.pipe(v.number(), v.finite())), v.nonEmpty(), v.maxLength(100));
const Document = v.looseObject({
  _aws: v.strictObject({
    Timestamp: v.pipe(v.number(), v.integer()),
    CloudWatchMetrics: v.array(
      v.strictObject({
        Namespace: Name,
        Dimensions: v.pipe(v.array(v.pipe(v.array(Name), v.maxLength(30))), v.nonEmpty()),
        Metrics: v.pipe(
          v.array(v.strictObject({ Name, Unit: v.picklist(['Count', 'Milliseconds']) })),
          v.maxLength(100),
        ),
      }),
    ),
  }),
});

export interface EmbeddedMetric {
  readonly namespace: string;
  readonly name: string;
  readonly unit: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

/**
 * The metrics in a line of a log; none if it is another kind of line.
 * @throws ValiError when CloudWatch would not accept it
 */
export function embeddedMetrics(line: Readonly<Record<string, unknown>>): readonly EmbeddedMetric[] {
  if (!('_aws' in line)) return [];
  return v.parse(Document, line)._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
    Dimensions.flatMap((names) =>
      Metrics.map(({ Name: name, Unit }) => ({
        namespace: Namespace,
        name,
        unit: Unit,
        dimensions: Object.fromEntries(names.map((dimension) => [dimension, v.parse(Name, line[dimension])])),
        values: v.parse(Values, line[name]),
      })),
    ),
  );
}
