import { Stack, type StackProps } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { ACCOUNT_TIMEOUT_SECONDS, DECIDE_TIMEOUT_SECONDS, SWEEP_TIMEOUT_SECONDS } from '../core/cloud.ts';
import type { Deployment } from '../core/deployment.ts';
import { DueQueue } from './due-queue.ts';
import { NodeFunction } from './node-function.ts';
import { SessionsTable } from './sessions-table.ts';
import { Sites } from './sites.ts';

export interface InterlockStackProps extends StackProps {
  /** The catalogue, and the sites with their NASes. */
  readonly deployment: Deployment;
}

/** Everything of Interlock that exists in AWS. */
export class InterlockStack extends Stack {
  constructor(scope: Construct, id: string, { deployment, ...props }: InterlockStackProps) {
    super(scope, id, props);

    const sessions = new SessionsTable(this, 'Sessions');
    const due = new DueQueue(this, 'Due');
    const sites = new Sites(this, 'Sites', { names: Object.keys(deployment.nasesBySite) });

    const decide = new NodeFunction(this, 'Decide', {
      folder: 'decide',
      timeoutSeconds: DECIDE_TIMEOUT_SECONDS,
      files: { 'deployment.json': JSON.stringify(deployment) },
    });
    decide.addEnvironment('DEPLOYMENT_FILE', '/var/task/deployment.json');
    sites.deliverInboxesTo(decide);
    due.deliverTo(decide, 'Due');
    sessions.grantReadWrite(decide);
    sites.grantSendToOutboxes(decide);

    const account = new NodeFunction(this, 'Account', {
      folder: 'account',
      timeoutSeconds: ACCOUNT_TIMEOUT_SECONDS,
    });
    sessions.deliverChangesTo(account);
    sites.grantSendToAccounting(account);

    const sweep = new NodeFunction(this, 'Sweep', {
      folder: 'sweep',
      timeoutSeconds: SWEEP_TIMEOUT_SECONDS,
    });
    sessions.grantQueryDue(sweep);
    due.fillBy(sweep);
  }
}
