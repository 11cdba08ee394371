import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

/** The headings of docs/runbook.md. */
export type RunbookHeading =
  | 'Dead letters in an inbox'
  | 'Dead letters of outcomes'
  | 'Dead letters in an outbox'
  | 'Dead letters in accounting'
  | 'Dead letters in a feed'
  | 'Dead letters in the due queue'
  | 'Changes that account could not process'
  | 'Accounting records cannot be made'
  | 'An inbox is late'
  | 'Outcomes are late'
  | 'An outbox is late'
  | 'Accounting is late'
  | 'A feed is late'
  | 'A relay does not poll'
  | 'The clock of a relay is wrong'
  | 'A function fails'
  | 'A function is throttled'
  | 'account is behind the stream'
  | 'Deactivations are stuck'
  | 'Services are unconfirmed'
  | 'Services drift'
  | 'Sessions of an unknown NAS'
  | 'Due sessions are late';

export interface RunbookAlarmProps extends cloudwatch.CreateAlarmOptions {
  /** The heading under which the runbook says what the alarm means and what to do. */
  readonly heading: RunbookHeading;
  readonly metric: cloudwatch.IMetric;
}

/** An alarm whose description names its heading in the runbook. It goes off at `threshold` or more unless `props` say
 * otherwise. */
export class RunbookAlarm extends cloudwatch.Alarm {
  constructor(scope: Construct, id: string, { heading, ...props }: RunbookAlarmProps) {
    super(scope, id, {
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // A metric of failures or of waiting messages has often no data when there are none.
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      alarmDescription: `docs/runbook.md: ${heading}`,
      ...props,
    });
  }
}

/** Notifies `topic` when one of `alarms` goes off and when it ends. */
export function notify(alarms: readonly RunbookAlarm[], topic: ITopic): void {
  const action = new SnsAction(topic);
  for (const alarm of alarms) {
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }
}

/** The finest resolution of AWS' own metrics, and so the least delay of an alarm. */
export const ONE_MINUTE = Duration.minutes(1);
