import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { InterlockStack } from './interlock-stack.ts';
import { readDeployment } from './read-deployment.ts';

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks());
new InterlockStack(app, 'Interlock', {
  description: 'Make-before-break service switching for live broadband subscribers',
  deployment: readDeployment(join(import.meta.dirname, '../config')),
  alarmTopicArn: app.node.tryGetContext('alarmTopicArn'),
});
