import * as iam from 'aws-cdk-lib/aws-iam';
import { CfnOutput } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { QUEUES, type QueueName, queueName } from '../core/cloud.ts';
import { WorkQueue } from './work-queue.ts';

/** One site: its three queues, and the policy for the credentials of its relay. The construct's id is its name. */
export class Site extends Construct {
  readonly inbox: WorkQueue;
  readonly outbox: WorkQueue;
  readonly accounting: WorkQueue;

  constructor(scope: Construct, site: string) {
    super(scope, site);
    const queue = (id: string, name: QueueName) =>
      new WorkQueue(this, id, {
        queueName: queueName(site, name),
        deadLettersName: queueName(site, name, 'dead-letters'),
        shape: QUEUES[name],
      });
    this.inbox = queue('Inbox', 'inbox');
    this.outbox = queue('Outbox', 'outbox');
    this.accounting = queue('Accounting', 'accounting');

    const policy = new iam.ManagedPolicy(this, 'RelayPolicy', {
      description: `What the relay of the site ${site} may do`,
    });
    this.grantRelay(policy);

    new CfnOutput(this, 'RelayPolicyArn', { value: policy.managedPolicyArn });
    new CfnOutput(this, 'InboxUrl', { value: this.inbox.queueUrl });
    new CfnOutput(this, 'OutboxUrl', { value: this.outbox.queueUrl });
    new CfnOutput(this, 'AccountingUrl', { value: this.accounting.queueUrl });
  }

  /** Lets `relay` send to its inbox and work off its outbox and its accounting queue. */
  grantRelay(relay: iam.IGrantable): void {
    this.inbox.grant(relay, 'sqs:SendMessage');
    for (const queue of [this.outbox, this.accounting]) {
      queue.grant(relay, 'sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessage');
    }
  }
}
