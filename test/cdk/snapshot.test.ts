import { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { outlineOf } from '../../cdk/site-outline.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { makeStack } from './template.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:east-a1B2c3';
const SITE = `
site: east
relay:
  coa: 0.0.0.0:3799
  http: 0.0.0.0:8080
  vpc: { id: vpc-0123456789abcdef0, subnets: [subnet-0a1b2c3d, subnet-0a1b2c3e] }
clients: [{ name: policy, source: 10.0.0.0/24, secret: "${ARN}" }]
nases: [{ name: bng-1, address: 10.0.1.1:3799, secret: "${ARN}", identifiedBy: [bng-1] }]
`;
/** Names of files after their contents, which change with the code of functions and relay. */
const ASSET = /[0-9a-f]{64}/g;

test('the template of a site with its relay in a VPC is the one that was looked at last', () => {
  const stack = makeStack({ sites: [outlineOf(parseSiteFile('east.yaml', SITE), SITE)] });
  const text = JSON.stringify(Template.fromStack(stack).toJSON()).replaceAll(ASSET, '<asset>');
  expect(JSON.parse(text)).toMatchSnapshot();
});
