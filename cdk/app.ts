import { join } from 'node:path';
import { App } from 'aws-cdk-lib/core';
import { InterlockStack } from './interlock-stack.ts';
import { readDeployment } from './read-deployment.ts';

new InterlockStack(new App(), 'Interlock', {
  description: 'Make-before-break service switching for live broadband subscribers',
  deployment: readDeployment(join(import.meta.dirname, '../config')),
});
