import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

/** The headings of docs/runbook.md. */
export type RunbookHeading =
  | 'Dead letters in an inbox'
  | 'Dead letters in an outbox'
  | 'Dead letters in accounting'
  | 'Dead letters among what is due'
  | 'Changes that account could not process'
  | 'An inbox is late'
  | 'An outbox is late'
  | 'Accounting is late'
  | 'A relay is silent'
  | 'A function fails'
  | 'A function is throttled'
  | 'account is behind the stream'
  | 'Deactivations are stuck'
  | 'What is due is late';

export interface RunbookAlarmProps extends cloudwatch.CreateAlarmOptions {
  /** Where the runbook says what the alarm means and what to do. */
  readonly heading: RunbookHeading;
  readonly metric: cloudwatch.IMetric;
}

/** An alarm whose description says where to read on. Unless told otherwise it looks for `threshold` or more. */
export class RunbookAlarm extends cloudwatch.Alarm {
  constructor(scope: Construct, id: string, { heading, ...props }: RunbookAlarmProps) {
    super(scope, id, {
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // No failures and nothing that waits are often no numbers at all.
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      alarmDescription: `docs/runbook.md: ${heading}`,
      ...props,
    });
  }
}

/** Tells `topic` when one of `alarms` comes and when it goes. */
export function notify(alarms: readonly RunbookAlarm[], topic: ITopic): void {
  const action = new SnsAction(topic);
  for (const alarm of alarms) {
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }
}

/** The finest resolution of the metrics of AWS: how soon an alarm can be there. */
export const ONE_MINUTE = Duration.minutes(1);
