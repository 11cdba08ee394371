import * as iam from 'aws-cdk-lib/aws-iam';
import { CfnOutput, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { GuardedQueue } from './guarded-queue.ts';

export interface OperatorsProps {
  readonly queues: readonly GuardedQueue[];
}

/** The one role in which people look into queues, move dead letters back and delete them. Who may take it, the account's IAM
 * policies say. */
export class Operators extends Construct {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, { queues }: OperatorsProps) {
    super(scope, id);
    this.role = new iam.Role(this, 'Role', {
      // Of a Region: the names of roles are those of the whole account.
      roleName: `interlock-operators-${Stack.of(this).region}`,
      description: 'Operators of Interlock: its queues, reading its table and deleting items',
      assumedBy: new iam.AccountRootPrincipal(),
    });
    for (const queue of queues) queue.allowOperators(this.role);
    const deadLetters = queues.filter((queue) => queue instanceof DeadLetterQueue);
    iam.Grant.addToPrincipal({
      grantee: this.role,
      actions: ['sqs:StartMessageMoveTask', 'sqs:ListMessageMoveTasks', 'sqs:CancelMessageMoveTask'],
      resourceArns: deadLetters.map(({ queueArn }) => queueArn),
    });
    new CfnOutput(this, 'RoleArn', { value: this.role.roleArn });
  }
}
