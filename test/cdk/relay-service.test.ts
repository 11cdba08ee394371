import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { outlineOf } from '../../cdk/site-outline.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { evaluate } from './iam/evaluate.ts';
import { roleArn, stackPolicies } from './iam/stack-policies.ts';
import { SITE_IN_VPC, secretArn } from './site-in-vpc.ts';
import { allowedBy, at, type JsonObject, list, makeStack, resources, target } from './template.ts';

const stack = makeStack({ sites: [outlineOf(parseSiteFile('east.yaml', SITE_IN_VPC), SITE_IN_VPC)] });
const template = Template.fromStack(stack);

/** The one resource of a type. */
function the(type: string): JsonObject {
  const [resource, ...others] = resources(type, template).values();
  if (resource === undefined || others.length > 0) throw new Error(`there is not one ${type}`);
  return resource;
}

const SUBNETS = ['subnet-0a1b2c3d', 'subnet-0a1b2c3e'];
const [container] = list(the('AWS::ECS::TaskDefinition')['ContainerDefinitions']);
const groups = resources('AWS::EC2::SecurityGroup', template);

describe('the relay in a VPC', () => {
  it('is one task on Fargate and ARM that nobody reaches from outside, and not two', () => {
    expect(the('AWS::ECS::TaskDefinition')).toMatchObject({
      RequiresCompatibilities: ['FARGATE'],
      RuntimePlatform: { CpuArchitecture: 'ARM64' },
      Cpu: '256',
      Memory: '512',
    });
    expect(the('AWS::ECS::Service')).toMatchObject({
      DesiredCount: 1,
      DeploymentConfiguration: {
        MinimumHealthyPercent: 0,
        MaximumPercent: 100,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      },
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED', Subnets: SUBNETS } },
    });
  });

  it('is nobody in particular, may end its work, and writes nowhere but into its log, which is kept for a month', () => {
    expect(container).toMatchObject({ User: '1000:1000', ReadonlyRootFilesystem: true, StopTimeout: 15 });
    expect(target(at(container, 'LogConfiguration', 'Options', 'awslogs-group'))).toBe('SiteseastRelayLogs');
    expect(resources('AWS::Logs::LogGroup', template).get('SiteseastRelayLogs')).toEqual({
      RetentionInDays: 30,
    });
  });

  it('gets its site file, region and queues from the environment, and no comment of the file', () => {
    const environment = new Map(
      list(at(container, 'Environment')).map((variable) => [at(variable, 'Name'), at(variable, 'Value')]),
    );

    expect([...environment.keys()]).toEqual([
      'AWS_REGION',
      'INTERLOCK_SITE',
      'INTERLOCK_INBOX_URL',
      'INTERLOCK_OUTCOMES_URL',
      'INTERLOCK_OUTBOX_URL',
      'INTERLOCK_ACCOUNTING_URL',
      'INTERLOCK_FEED_URL',
    ]);
    const siteFile = String(environment.get('INTERLOCK_SITE'));
    expect(parseSiteFile('east.yaml', siteFile)).toEqual(parseSiteFile('east.yaml', SITE_IN_VPC));
    expect(JSON.stringify(template.toJSON())).not.toContain('testing123');
  });

  it('is admitted to the queues of its site in the role that the stack makes, and no other relay is', () => {
    const { arnOf, roles, queues } = stackPolicies(template.toJSON() as never);
    const resource = arnOf('east-inbox.fifo');
    const own = arnOf('SiteseastRelayRole');
    const send = (role: string) =>
      evaluate(
        { caller: { kind: 'role', roleArn: role, sessionName: 'task' }, action: 'sqs:SendMessage', resource },
        { identity: roles.get(own) ?? [], resource: queues.get(resource) },
      );
    expect(send(own)).toBe('allowed');
    expect(send(roleArn('interlock-relay-east'))).toBe('explicitly denied');
  });

  it('may do what the relay of its site may, and ECS may fetch its image and write its log', () => {
    const roles = resources('AWS::IAM::Role', template);
    expect(list(roles.get('SiteseastRelayRole')?.['ManagedPolicyArns']).map(target)).toEqual([
      'SiteseastRelayPolicy',
    ]);
    expect(roles.get('SiteseastRelayTaskExecutionRole')).not.toHaveProperty('ManagedPolicyArns');
    expect(allowedBy('SiteseastRelayPolicy', template)['secretsmanager:GetSecretValue']).toEqual([
      secretArn('accounting'),
      secretArn('east'),
    ]);
    const repository = [expect.stringContaining(':repository/')];
    expect(allowedBy('SiteseastRelayTaskExecutionRoleDefaultPolicy', template)).toEqual({
      'ecr:BatchCheckLayerAvailability': repository,
      'ecr:BatchGetImage': repository,
      'ecr:GetDownloadUrlForLayer': repository,
      'ecr:GetAuthorizationToken': ['*'],
      'logs:CreateLogStream': ['SiteseastRelayLogs'],
      'logs:PutLogEvents': ['SiteseastRelayLogs'],
    });
  });

  it('makes the template, with all else in it, that was looked at last', () => {
    // Names of files after their contents, which change with the code of functions and relay.
    const text = JSON.stringify(template.toJSON()).replaceAll(/[0-9a-f]{64}/g, '<asset>');
    expect(JSON.parse(text)).toMatchSnapshot();
  });

  it('leaves nothing to explain to cdk-nag', () => {
    expect(new AwsSolutionsChecks().validateScope(stack).violations).toEqual([]);
  });
});

describe('a relay in a VPC that takes accounting', () => {
  const text = SITE_IN_VPC.replace(
    'http: 0.0.0.0:8080',
    'http: 0.0.0.0:8080\n  accounting: 0.0.0.0:1813',
  ).concat(
    `accountingFrom: [{ name: bng-1, source: [10.0.1.0/24, 10.0.1.7/24], secret: "${secretArn('east')}:feed", mode: proxy }]\n`,
  );
  const withFeed = Template.fromStack(
    makeStack({ sites: [outlineOf(parseSiteFile('east.yaml', text), text)] }),
  );
  const ofType = (type: string) => [...resources(type, withFeed).values()];

  it('has a port of its own for it, at the load balancer and in the task', () => {
    const ports = (type: string) => ofType(type).map(({ Port, Protocol }) => [Port, Protocol]);
    expect(ports('AWS::ElasticLoadBalancingV2::Listener').sort()).toEqual([
      [1813, 'UDP'],
      [3799, 'UDP'],
    ]);
    expect(ports('AWS::ElasticLoadBalancingV2::TargetGroup').sort()).toEqual([
      [1813, 'UDP'],
      [3799, 'UDP'],
    ]);
    const [task] = ofType('AWS::ECS::TaskDefinition');
    expect(at(list(task?.['ContainerDefinitions'])[0], 'PortMappings')).toContainEqual({
      ContainerPort: 1813,
      Protocol: 'udp',
    });
  });

  it('is reached there by its feeds, and by them alone', () => {
    const rules = ofType('AWS::EC2::SecurityGroup').flatMap(({ SecurityGroupIngress }) =>
      list(SecurityGroupIngress ?? []),
    );
    const sources = (port: number) =>
      rules.filter((rule) => at(rule, 'FromPort') === port).map((rule) => at(rule, 'CidrIp'));
    expect(sources(1813)).toEqual(['10.0.1.7/24']);
    expect(sources(3799)).toEqual(['10.0.0.0/24', '10.1.0.7/32']);
  });
});

describe('its load balancer', () => {
  it('is an internal one that takes CoA on UDP in each subnet, wherever the relay is', () => {
    const attributes = list(the('AWS::ElasticLoadBalancingV2::LoadBalancer')['LoadBalancerAttributes']);

    expect(the('AWS::ElasticLoadBalancingV2::LoadBalancer')).toMatchObject({
      Type: 'network',
      Scheme: 'internal',
      Subnets: SUBNETS,
    });
    expect(attributes).toContainEqual({ Key: 'load_balancing.cross_zone.enabled', Value: 'true' });
    expect(the('AWS::ElasticLoadBalancingV2::Listener')).toMatchObject({ Port: 3799, Protocol: 'UDP' });
    expect(Object.keys(template.findOutputs('*'))).toContainEqual(
      expect.stringMatching(/^SiteseastRelayHost/),
    );
  });

  it('knows a relay by its TCP port, and forgets the old one at once', () => {
    expect(the('AWS::ElasticLoadBalancingV2::TargetGroup')).toMatchObject({
      Port: 3799,
      Protocol: 'UDP',
      TargetType: 'ip',
      HealthCheckPort: '8080',
      HealthCheckProtocol: 'TCP',
      TargetGroupAttributes: [
        { Key: 'deregistration_delay.timeout_seconds', Value: '0' },
        { Key: 'deregistration_delay.connection_termination.enabled', Value: 'true' },
      ],
    });
  });

  it('hears the clients of the site file, and the relay hears the load balancer', () => {
    const udp = { IpProtocol: 'udp', FromPort: 3799, ToPort: 3799 };
    const tcp = { IpProtocol: 'tcp', FromPort: 8080, ToPort: 8080 };
    const ingress = [...resources('AWS::EC2::SecurityGroupIngress', template).values()];

    expect(groups.get('SiteseastRelayLoadBalancerGroup')?.['SecurityGroupIngress']).toMatchObject([
      { ...udp, CidrIp: '10.0.0.0/24' },
      { ...udp, CidrIp: '10.1.0.7/32' },
    ]);
    expect(groups.get('SiteseastRelayGroup')).not.toHaveProperty('SecurityGroupIngress');
    expect(ingress).toMatchObject([udp, tcp]);
    for (const { GroupId, SourceSecurityGroupId } of ingress) {
      expect([GroupId, SourceSecurityGroupId].map(target)).toEqual([
        'SiteseastRelayGroup.GroupId',
        'SiteseastRelayLoadBalancerGroup.GroupId',
      ]);
    }
  });

  it('lets the relay out by UDP and to AWS', () => {
    expect(groups.get('SiteseastRelayGroup')?.['SecurityGroupEgress']).toMatchObject([
      { IpProtocol: 'udp', FromPort: 0, ToPort: 65535, CidrIp: '0.0.0.0/0' },
      { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, CidrIp: '0.0.0.0/0' },
    ]);
  });
});
