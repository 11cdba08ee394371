import * as iam from 'aws-cdk-lib/aws-iam';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Duration, Lazy } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { RETENTION_DAYS } from '../core/cloud/queues.ts';

/** What all our queues are: encrypted, reachable over TLS only, and keeping messages as long as SQS allows. */
const PROTECTED_AND_KEPT = {
  encryption: sqs.QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
  retentionPeriod: Duration.days(RETENTION_DAYS),
} as const;

/** The permissions for the messages of a queue. IAM has none for the batches of calls: those are the same ones. */
const SEND = ['sqs:SendMessage'];
const RECEIVE = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'];
const PURGE = ['sqs:PurgeQueue'];

/**
 * A queue to whose messages its policy admits certain roles alone, whatever the account's IAM policies allow: a
 * message is trusted because it is in its queue. The queue itself can be managed by all who may manage queues, or
 * CloudFormation could no longer change it.
 */
export class GuardedQueue extends sqs.Queue {
  readonly #senders: string[] = [];
  readonly #receivers: string[] = [];
  readonly #operators: string[] = [];

  constructor(scope: Construct, id: string, props: sqs.QueueProps) {
    super(scope, id, { ...PROTECTED_AND_KEPT, ...props });
    this.#denyOthers('OnlySendersSend', SEND, () => [...this.#senders, ...this.#operators]);
    this.#denyOthers('OnlyReceiversReceive', RECEIVE, () => [...this.#receivers, ...this.#operators]);
    this.#denyOthers('OnlyOperatorsPurge', PURGE, () => this.#operators);
  }

  /** Lets `sender`, which has the role with this ARN, send messages. */
  allowSend(sender: iam.IGrantable, roleArn: string): void {
    this.grant(sender, ...SEND);
    this.#senders.push(roleArn);
  }

  /** Lets `receiver`, which has the role with this ARN, receive, hide and delete messages, and take these actions. */
  allowReceive(receiver: iam.IGrantable, roleArn: string, ...actions: readonly string[]): void {
    this.grant(receiver, ...RECEIVE, ...actions);
    this.#receivers.push(roleArn);
  }

  /** Lets operators do all of that, and purge the queue. */
  allowOperators(role: iam.IRole): void {
    // Here and not in the policy of the role, which has no room for the queues of all sites.
    this.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'Operators',
        principals: [new iam.ArnPrincipal(role.roleArn)],
        actions: [...SEND, ...RECEIVE, ...PURGE, 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes'],
        resources: [this.queueArn],
      }),
    );
    this.#operators.push(role.roleArn);
  }

  /** The role of a session is its aws:PrincipalArn. A caller without one, such as an anonymous one, is denied, too. */
  #denyOthers(sid: string, actions: readonly string[], roles: () => string[]): void {
    this.addToResourcePolicy(
      new iam.PolicyStatement({
        sid,
        effect: iam.Effect.DENY,
        // Not NotPrincipal: that would deny the sessions of a role that it names.
        principals: [new iam.AnyPrincipal()],
        actions: [...actions],
        resources: [this.queueArn],
        conditions: { ArnNotEquals: { 'aws:PrincipalArn': Lazy.list({ produce: roles }) } },
      }),
    );
  }
}
