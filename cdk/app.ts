// Context keys: `config`, the directory with services.yaml and sites/; `deletionProtection=false`, for a deployment whose
// table is deleted with it; `alarmTopicArn`, the SNS topic that is notified of alarms.
import { join } from 'node:path';
import { Annotations, App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ConfigurationError } from '../core/config/problems.ts';
import { printable, printableLines } from '../core/printable.ts';
import { InterlockStack } from './interlock-stack.ts';
import { readDeployment } from './read-deployment.ts';

const app = new App();
const { node } = app;
Validations.of(app).addPlugins(new AwsSolutionsChecks());
try {
  const config = node.tryGetContext('config') ?? join(import.meta.dirname, '../config');
  const { warnings, ...read } = readDeployment(config);
  const stack = new InterlockStack(app, 'Interlock', {
    description: 'Make-before-break service switching for live broadband subscribers',
    ...read,
    deletionProtection: node.tryGetContext('deletionProtection') !== 'false',
    alarmTopicArn: node.tryGetContext('alarmTopicArn'),
  });
  for (const warning of warnings)
    Annotations.of(stack).addWarningV2('interlock:configuration', printable(warning));
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(printableLines(error.message));
  process.exitCode = 1;
}
