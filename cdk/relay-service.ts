import { join } from 'node:path';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { QueueName } from '../core/cloud/queues.ts';
import { networkKey } from '../core/config/network.ts';
import type { RelayInVpc } from './site-outline.ts';

export interface RelayServiceProps extends RelayInVpc {
  /** What the relay may do. */
  readonly policy: iam.IManagedPolicy;
  readonly queues: Readonly<Record<QueueName, IQueue>>;
}

const CONTAINER = 'relay';

/** The relay of one site on Fargate, behind a Network Load Balancer, which keeps the client's address of each packet. The
 * VPC exists already, with its routes to clients, NASes, accounting servers and AWS. */
export class RelayService extends Construct {
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: RelayServiceProps) {
    super(scope, id);
    const { vpc, site, policy } = props;
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
      managedPolicies: [policy],
    });
    const { coa, http, accounting } = site.relay;
    const network = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: vpc.id,
      privateSubnetIds: [...vpc.subnets],
      // The library wants as many as there are subnets; their names are not used.
      availabilityZones: [...vpc.subnets],
    });
    const clientGroup = this.#securityGroup(
      'LoadBalancerGroup',
      network,
      `Clients of the relay of ${site.site}`,
    );
    const relayGroup = this.#securityGroup('Group', network, `The relay of ${site.site}`);
    /** The UDP ports of the relay, what they are for, and who may send to them. */
    const ports = [
      { id: 'Coa', port: coa.port, label: 'CoA', senders: site.clients },
      ...(accounting === undefined
        ? []
        : [{ id: 'Feed', port: accounting.port, label: 'Accounting', senders: site.accountingFrom }]),
    ];
    for (const { port, label, senders } of ports) {
      // Two equal rules are an error; EC2 compares networks without the bits behind the prefix.
      const sources = senders.flatMap(({ source }) => source);
      const networks = new Map(sources.map((source) => [networkKey(source), source]));
      for (const { address, prefix } of networks.values()) {
        clientGroup.addIngressRule(ec2.Peer.ipv4(`${address}/${prefix}`), ec2.Port.udp(port), label);
      }
    }
    // Packets have their clients' addresses; a rule that names the load balancer's group admits them because they come
    // through it.
    for (const { port, label } of ports)
      relayGroup.connections.allowFrom(clientGroup, ec2.Port.udp(port), label);
    relayGroup.connections.allowFrom(clientGroup, ec2.Port.tcp(http.port), 'Health checks');
    // One for each NAS would soon be more than a security group may have.
    relayGroup.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.allUdp(), 'NASes and accounting servers');
    relayGroup.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'AWS');

    const cluster = new ecs.Cluster(this, 'Cluster', { clusterName: `interlock-${site.site}`, vpc: network });
    const service = new ecs.FargateService(this, 'Service', {
      serviceName: 'relay',
      // Its type is not exact about what is optional.
      cluster: cluster as ecs.ICluster,
      taskDefinition: this.#taskDefinition(props),
      securityGroups: [relayGroup],
      assignPublicIp: false,
      // One at a time, also while a new one replaces the old, as far as ECS can: two would both receive replies from the
      // outbox, and a client accepts only a reply from the address that it asked.
      desiredCount: 1,
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { rollback: true },
    });
    const loadBalancer = new elbv2.NetworkLoadBalancer(this, 'LoadBalancer', {
      vpc: network,
      internetFacing: false,
      securityGroups: [clientGroup],
      // It has an address in each subnet, and the relay is in one of them.
      crossZoneEnabled: true,
    });
    for (const { id, port } of ports) {
      const targets = new elbv2.NetworkTargetGroup(this, id === 'Coa' ? 'Targets' : `${id}Targets`, {
        vpc: network,
        port,
        protocol: elbv2.Protocol.UDP,
        targets: [
          service.loadBalancerTarget({
            containerName: CONTAINER,
            containerPort: port,
            protocol: ecs.Protocol.UDP,
          }),
        ],
        // Not /healthz: ECS replaces an unhealthy task, which mends neither SQS nor the route to it.
        healthCheck: {
          protocol: elbv2.Protocol.TCP,
          port: String(http.port),
          interval: Duration.seconds(5),
          timeout: Duration.seconds(4),
          healthyThresholdCount: 2,
        },
        // A client that sends from one port is one flow, which goes to the old relay while that is a target.
        deregistrationDelay: Duration.seconds(0),
        connectionTermination: true,
      });
      loadBalancer.addListener(id, {
        port,
        protocol: elbv2.Protocol.UDP,
        defaultTargetGroups: [targets],
      });
    }
    new CfnOutput(this, 'Host', { value: loadBalancer.loadBalancerDnsName });
    acknowledge(network, 'Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId', 'The routes are not used.');
    acknowledge(cluster, 'AwsSolutions-ECS4', 'One task, watched by its queue, its log and its own metrics.');
    acknowledge(
      loadBalancer,
      'AwsSolutions-ELB2',
      'Access logs are about TLS listeners; this one takes UDP.',
    );
  }

  #securityGroup(id: string, vpc: ec2.IVpc, description: string): ec2.SecurityGroup {
    return new ec2.SecurityGroup(this, id, { vpc, description, allowAllOutbound: false });
  }

  #taskDefinition({ site, siteFile, queues }: RelayServiceProps): ecs.FargateTaskDefinition {
    const taskDefinition = new ecs.FargateTaskDefinition(this, 'Task', {
      cpu: 256,
      memoryLimitMiB: 512,
      runtimePlatform: { cpuArchitecture: ecs.CpuArchitecture.ARM64 },
      taskRole: this.role,
    });
    const { coa, http, accounting } = site.relay;
    taskDefinition.addContainer(CONTAINER, {
      image: ecs.ContainerImage.fromAsset(join(import.meta.dirname, '..'), {
        file: 'relay/Dockerfile',
        platform: Platform.LINUX_ARM64,
      }),
      environment: {
        AWS_REGION: Stack.of(this).region,
        INTERLOCK_SITE: siteFile,
        INTERLOCK_INBOX_URL: queues.inbox.queueUrl,
        INTERLOCK_OUTCOMES_URL: queues.outcomes.queueUrl,
        INTERLOCK_OUTBOX_URL: queues.outbox.queueUrl,
        INTERLOCK_ACCOUNTING_URL: queues.accounting.queueUrl,
        INTERLOCK_FEED_URL: queues.feed.queueUrl,
      },
      portMappings: [
        { containerPort: coa.port, protocol: ecs.Protocol.UDP },
        ...(accounting === undefined ? [] : [{ containerPort: accounting.port, protocol: ecs.Protocol.UDP }]),
        { containerPort: http.port, protocol: ecs.Protocol.TCP },
      ],
      // More than the relay's 8 s to finish its work, and less than the 30 s for which it would overlap with the next.
      stopTimeout: Duration.seconds(15),
      user: '1000:1000',
      readonlyRootFilesystem: true,
      logging: ecs.LogDriver.awsLogs({
        streamPrefix: site.site,
        logGroup: new logs.LogGroup(this, 'Logs', { retention: logs.RetentionDays.ONE_MONTH }),
      }),
    });
    acknowledge(taskDefinition, 'AwsSolutions-ECS2', 'URLs, and a site file in which each secret is an ARN.');
    acknowledge(
      taskDefinition,
      'AwsSolutions-IAM5[Resource::*]',
      'To fetch its image it has to log in to ECR: ecr:GetAuthorizationToken knows no resources.',
    );
    return taskDefinition;
  }
}

function acknowledge(scope: Construct, id: string, reason: string): void {
  Validations.of(scope).acknowledge({ id, reason });
}
