// cfn-lint, which is installed with LocalStack, knows what CloudFormation takes and LocalStack does not ask about.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SITE_IN_VPC } from '../../cdk/site-in-vpc.ts';
import { run } from '../runs/process.ts';
import type { Installation } from './install.ts';
import { REGION } from './localstack.ts';

const PROJECT = join(import.meta.dirname, '../../..');

/**
 * Looks at the template of a site whose relay runs in a VPC, which LocalStack cannot deploy; all else is in it, too.
 * @param directory one that does not exist, for the template and what it is made from
 * @throws Error with the complaints.
 */
export async function lintTemplate({ python }: Installation, directory: string): Promise<void> {
  await mkdir(join(directory, 'sites'), { recursive: true });
  await cp(join(PROJECT, 'config/services.yaml'), join(directory, 'services.yaml'));
  await writeFile(join(directory, 'sites/east.yaml'), SITE_IN_VPC);
  const output = join(directory, 'cdk.out');
  const cdk = join(PROJECT, 'node_modules/.bin/cdk');
  await run(cdk, ['synth', '--quiet', '-c', `config=${directory}`, '--output', output], { cwd: PROJECT });
  const template = join(output, 'Interlock.template.json');
  // W3005: the library has each function wait for its role, which it does in any case. E3505 compares the visibility timeout of a
  // queue with the timeout of every function that the template leads to from there, and decide and ingest wait for account; that
  // it fits the function that reads the queue is tested with the stack.
  const options = ['--regions', REGION, '--ignore-checks', 'W3005', 'E3505'];
  await run(join(dirname(python), 'cfn-lint'), [...options, '--template', template]);
}
