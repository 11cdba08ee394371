import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import { CfnOutput, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { QUEUES, type QueueName, queueName } from '../core/cloud/queues.ts';
import { RelayService } from './relay-service.ts';
import { ONE_MINUTE, RunbookAlarm, type RunbookHeading } from './runbook-alarm.ts';
import type { SiteOutline } from './site-outline.ts';
import { WorkQueue } from './work-queue.ts';

/** A relay holds a command for as long as its NAS may take to answer, at most 120 s. */
const OUTBOX_LATE_SECONDS = 120;
/** A session that logs on is to be known before its first plan change. */
const FEED_LATE_SECONDS = 120;

/** One site: its five queues, the policy for the credentials of its relay, and the relay itself if it runs in a VPC. The
 * construct's id is the site's name. */
export class Site extends Construct {
  readonly inbox: WorkQueue;
  readonly outcomes: WorkQueue;
  readonly outbox: WorkQueue;
  readonly accounting: WorkQueue;
  readonly feed: WorkQueue;

  constructor(scope: Construct, { name: site, relayRole, secretArns, relay }: SiteOutline) {
    super(scope, site);
    const queue = (id: string, name: QueueName, heading: RunbookHeading) =>
      new WorkQueue(this, id, {
        queueName: queueName(site, name),
        deadLetters: { queueName: queueName(site, name, 'dead-letters'), heading },
        shape: QUEUES[name],
      });
    this.inbox = queue('Inbox', 'inbox', 'Dead letters in an inbox');
    this.inbox.alarmWhenLate('An inbox is late', 2 * QUEUES.inbox.visibilityTimeoutSeconds);
    this.outcomes = queue('Outcomes', 'outcomes', 'Dead letters of outcomes');
    this.outcomes.alarmWhenLate('Outcomes are late', 2 * QUEUES.outcomes.visibilityTimeoutSeconds);
    this.outbox = queue('Outbox', 'outbox', 'Dead letters in an outbox');
    this.outbox.alarmWhenLate('An outbox is late', OUTBOX_LATE_SECONDS);
    this.accounting = queue('Accounting', 'accounting', 'Dead letters in accounting');
    this.accounting.alarmWhenLate('Accounting is late', 15 * 60);
    this.feed = queue('Feed', 'feed', 'Dead letters in a feed');
    this.feed.alarmWhenLate('A feed is late', FEED_LATE_SECONDS);
    this.#alarmWithoutPolls();

    const policy = new iam.ManagedPolicy(this, 'RelayPolicy', {
      description: `What the relay of the site ${site} may do`,
    });

    new CfnOutput(this, 'RelayPolicyArn', { value: policy.managedPolicyArn });
    new CfnOutput(this, 'InboxUrl', { value: this.inbox.queueUrl });
    new CfnOutput(this, 'OutcomesUrl', { value: this.outcomes.queueUrl });
    new CfnOutput(this, 'OutboxUrl', { value: this.outbox.queueUrl });
    new CfnOutput(this, 'AccountingUrl', { value: this.accounting.queueUrl });
    new CfnOutput(this, 'FeedUrl', { value: this.feed.queueUrl });
    const { inbox, outcomes, outbox, accounting, feed } = this;
    const service =
      relay &&
      new RelayService(this, 'Relay', {
        ...relay,
        policy,
        queues: { inbox, outcomes, outbox, accounting, feed },
      });
    // A relay at the site has a role that the operator has made; the queues know it by its name.
    const named = { service: 'iam', region: '', resource: 'role', resourceName: relayRole };
    this.#grantRelay(policy, service?.role.roleArn ?? Stack.of(this).formatArn(named), secretArns);
  }

  /** A relay polls its outbox every two seconds, so a queue that counts no polls has no relay. The relay needs no
   * permission for that. */
  #alarmWithoutPolls(): void {
    new RunbookAlarm(this, 'RelaySilent', {
      heading: 'A relay does not poll',
      metric: new cloudwatch.MathExpression({
        // The latest minute is filled with 0 until SQS has reported it; that is why the alarm wants several in a row.
        expression: 'FILL(empty, 0) + FILL(received, 0)',
        usingMetrics: {
          empty: this.outbox.metricNumberOfEmptyReceives(),
          received: this.outbox.metricNumberOfMessagesReceived(),
        },
        period: ONE_MINUTE,
      }),
      comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      threshold: 1,
      evaluationPeriods: 5,
      treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    });
  }

  /** Lets `relay`, which has the role with this ARN, send to its inbox, its queue of outcomes and its feed queue, receive from its outbox and its
   * accounting queue, and read these secrets. */
  #grantRelay(relay: iam.IGrantable, roleArn: string, secretArns: readonly string[]): void {
    for (const queue of [this.inbox, this.outcomes, this.feed]) queue.allowSend(relay, roleArn);
    for (const queue of [this.outbox, this.accounting]) queue.allowReceive(relay, roleArn);
    if (secretArns.length > 0) {
      iam.Grant.addToPrincipal({
        grantee: relay,
        actions: ['secretsmanager:GetSecretValue'],
        resourceArns: [...secretArns],
      });
    }
  }
}
