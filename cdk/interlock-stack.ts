import { Topic } from 'aws-cdk-lib/aws-sns';
import { Stack, type StackProps } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { AccountFunction } from './account-function.ts';
import { Dashboard } from './dashboard.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { DecideFunction } from './decide-function.ts';
import { DueQueue } from './due-queue.ts';
import { GuardedQueue } from './guarded-queue.ts';
import { IngestFunction } from './ingest-function.ts';
import { Operators } from './operators.ts';
import type { DeploymentAndSites } from './read-deployment.ts';
import { notify, RunbookAlarm } from './runbook-alarm.ts';
import { SessionsTable, type SessionsTableProps } from './sessions-table.ts';
import { Sites } from './sites.ts';
import { SweepFunction } from './sweep-function.ts';

export interface InterlockStackProps extends StackProps, SessionsTableProps, DeploymentAndSites {
  /**
   * The SNS topic that is notified when an alarm goes off and when it ends.
   * @default none: the alarms are shown in CloudWatch only
   */
  readonly alarmTopicArn?: string | undefined;
}

/** Everything of Interlock that exists in AWS. */
export class InterlockStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    { deployment, sites: outlines, alarmTopicArn, ...props }: InterlockStackProps,
  ) {
    super(scope, id, props);

    const sessions = new SessionsTable(this, 'Sessions', props);
    const due = new DueQueue(this, 'Due');
    const sites = new Sites(this, 'Sites', { outlines });

    const decide = new DecideFunction(this, 'Decide', { deployment });
    sites.deliverInboxesTo(decide);
    due.deliverTo(decide, 'Due');
    sessions.grantReadWrite(decide, ['session', 'request']);
    sessions.grantLookUp(decide);
    sites.grantSendToOutboxes(decide);
    sites.grantSendToInboxes(decide);
    due.grantSend(decide);

    const ingest = new IngestFunction(this, 'Ingest', { deployment });
    sites.deliverFeedsTo(ingest);
    sites.grantSendToFeeds(ingest);
    sites.grantSendToOutboxes(ingest);
    sessions.grantReadWrite(ingest, ['session', 'nas']);
    sessions.grantReadNases(ingest);
    due.grantSend(ingest);

    const account = new AccountFunction(this, 'Account', { deployment });
    sessions.deliverWritesTo(account);
    sessions.grantWriteHistory(account);
    sites.grantSendToAccounting(account);

    const sweep = new SweepFunction(this, 'Sweep', { deployment });
    sessions.grantQueryDue(sweep);
    sessions.grantScanKeys(sweep);
    due.fillBy(sweep);

    const operators = new Operators(this, 'Operators', {
      queues: this.node.findAll().filter((construct) => construct instanceof GuardedQueue),
    });
    sessions.grantReadAndDelete(operators.role);

    // A writer is updated after account, or account would get items of a shape that it cannot read yet.
    for (const writer of [decide, ingest]) writer.node.addDependency(account);

    const all = this.node.findAll();
    const alarms = all.filter((construct) => construct instanceof RunbookAlarm);
    const deadLetterQueues = all.filter((construct) => construct instanceof DeadLetterQueue);
    new Dashboard(this, 'Dashboard', {
      alarms,
      decide,
      ingest,
      account,
      sweep,
      sites: sites.all,
      deadLetterQueues,
    });
    if (alarmTopicArn !== undefined) notify(alarms, Topic.fromTopicArn(this, 'AlarmTopic', alarmTopicArn));
  }
}
