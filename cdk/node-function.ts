import { join } from 'node:path';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { AssetHashType, DockerImage, Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { InferInput } from 'valibot';
import { METRIC_NAMESPACE, type METRICS } from '../core/cloud/metrics.ts';
import type {
  AccountEnvironment,
  DecideEnvironment,
  IngestEnvironment,
  SweepEnvironment,
} from '../functions/shared/environment.ts';
import { bundle } from './bundle.ts';
import { RunbookAlarm } from './runbook-alarm.ts';

/** What the functions read from their environment. */
export type EnvironmentVariable =
  | keyof InferInput<typeof DecideEnvironment>
  | keyof InferInput<typeof IngestEnvironment>
  | keyof InferInput<typeof AccountEnvironment>
  | keyof InferInput<typeof SweepEnvironment>;

export interface NodeFunctionProps {
  /** The folder of `functions` whose `lambda.ts` exports `handler`. */
  readonly folder: string;
  readonly timeoutSeconds: number;
  /**
   * Files beside the code in /var/task: content by name.
   * @default none
   */
  readonly files?: Readonly<Record<string, string>>;
  /**
   * Memory in megabytes; processor time grows with it.
   * @default 512
   */
  readonly memorySize?: number;
}

/** A function on Node 24 and ARM, with a log group of its own. It may do what others grant it, and nothing else. */
export class NodeFunction extends lambda.Function {
  readonly #service: string;
  readonly roleArn: string;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    const { folder, timeoutSeconds, files = {}, memorySize = 512 } = props;
    // A role that the library makes would come with write access to all log groups.
    const role = new iam.Role(scope, `${id}Role`, {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    });
    super(scope, id, {
      code: bundledCode(folder, files),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      timeout: Duration.seconds(timeoutSeconds),
      memorySize,
      environment: { NODE_OPTIONS: '--enable-source-maps' },
      loggingFormat: lambda.LoggingFormat.JSON,
      // Not a higher level: metrics are lines of the level INFO, too.
      applicationLogLevelV2: lambda.ApplicationLogLevel.INFO,
      logGroup: new logs.LogGroup(scope, `${id}Logs`, { retention: logs.RetentionDays.ONE_MONTH }),
      role,
    });
    this.#service = folder;
    this.roleArn = role.roleArn;
    this.logGroup.grantWrite(this);
    new RunbookAlarm(this, 'Failing', {
      heading: 'A function fails',
      metric: this.metricErrors(),
      threshold: 1,
      evaluationPeriods: 1,
    });
    new RunbookAlarm(this, 'Throttled', {
      heading: 'A function is throttled',
      metric: this.metricThrottles(),
      threshold: 1,
      evaluationPeriods: 1,
    });
  }

  /** A metric that the function itself counts or measures. */
  ownMetric(
    name: (typeof METRICS)[keyof typeof METRICS],
    options: cloudwatch.MetricOptions,
  ): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: METRIC_NAMESPACE,
      metricName: name,
      dimensionsMap: { service: this.#service },
      ...options,
    });
  }

  override addEnvironment(name: EnvironmentVariable, value: string): this {
    return super.addEnvironment(name, value);
  }
}

function bundledCode(folder: string, files: Readonly<Record<string, string>>): lambda.Code {
  return lambda.Code.fromAsset(join(import.meta.dirname, '../functions', folder), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // The library requires an image, but bundling happens here.
      image: DockerImage.fromRegistry('scratch'),
      local: {
        tryBundle(directory) {
          bundle(folder, files, directory);
          return true;
        },
      },
    },
  });
}
