import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { QUEUES as SHAPES } from '../../core/cloud/queues.ts';
import { INDEX_ATTRIBUTES, TABLE } from '../../core/cloud/table.ts';
import { LOOK_UP_ATTRIBUTES } from '../../core/look-up.ts';
import { COMMAND_START_WITHIN_MS } from '../../core/subscriber/command.ts';
import { HISTORY_ATTRIBUTES } from '../../core/subscriber/history.ts';
import {
  AccountEnvironment,
  DecideEnvironment,
  SweepEnvironment,
} from '../../functions/shared/environment.ts';
import { STORED_SECRET_OF_NORTH, sites } from './deployment.ts';
import {
  allowedBy,
  at,
  type JsonObject,
  list,
  makeStack,
  QUEUES,
  resources,
  stack,
  statements,
  target,
  template,
} from './template.ts';

const MAPPINGS = [...resources('AWS::Lambda::EventSourceMapping').values()];

function queue(name: string): JsonObject | undefined {
  return [...QUEUES.values()].find(({ QueueName }) => QueueName === name);
}

function mapping(source: string): JsonObject | undefined {
  return MAPPINGS.find(({ EventSourceArn }) => target(EventSourceArn) === source);
}

const WORK_QUEUES = ['north', 'south'].flatMap((site) => [
  `${site}-inbox.fifo`,
  `${site}-outcomes.fifo`,
  `${site}-outbox.fifo`,
  `${site}-accounting.fifo`,
  `${site}-feed.fifo`,
]);

describe('a work queue', () => {
  it.each(WORK_QUEUES)('has a dead-letter queue of its kind: %s', (name) => {
    const redrive = at(queue(name), 'RedrivePolicy');
    const deadLetters = name.replace(/(\.fifo)?$/, '-dead$1');

    expect(target(at(redrive, 'deadLetterTargetArn'))).toBe(deadLetters);
    expect(at(redrive, 'maxReceiveCount')).toBeGreaterThanOrEqual(5);
    expect(queue(deadLetters)?.['FifoQueue']).toBe(queue(name)?.['FifoQueue']);
  });

  it.each(WORK_QUEUES)('is set for high throughput, by group and not by content: %s', (name) => {
    expect(queue(name)).toMatchObject({
      FifoQueue: true,
      DeduplicationScope: 'messageGroup',
      FifoThroughputLimit: 'perMessageGroupId',
    });
    expect(queue(name)).not.toHaveProperty('ContentBasedDeduplication');
  });
});

describe('every queue', () => {
  it('keeps messages for 14 days, encrypted, and requests for five minutes', () => {
    for (const properties of QUEUES.values()) {
      const isInbox = String(properties['QueueName']).endsWith('-inbox.fifo');
      const seconds = isInbox ? 300 : 1_209_600;
      expect(properties).toMatchObject({ MessageRetentionPeriod: seconds, SqsManagedSseEnabled: true });
    }
  });

  it('moves a request that fails to the dead letters before it forgets it', () => {
    const { visibilityTimeoutSeconds, maxReceiveCount, retentionSeconds = 0 } = SHAPES.inbox;
    expect(visibilityTimeoutSeconds * maxReceiveCount).toBeLessThan(retentionSeconds);
  });

  it('refuses whoever comes without TLS, and who has no work with its messages', () => {
    const policies = [...resources('AWS::SQS::QueuePolicy').values()];
    const queues = policies.map((policy) => {
      const [tls, ...others] = statements(policy);
      expect(tls).toMatchObject({
        Effect: 'Deny',
        Action: 'sqs:*',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      });
      expect(others.map(({ Sid }) => Sid)).toEqual([
        'OnlySendersSend',
        'OnlyReceiversReceive',
        'OnlyOperatorsPurge',
        'Operators',
      ]);
      const [queue, ...more] = new Set(statements(policy).map(({ Resource }) => target(Resource)));
      expect(more).toEqual([]);
      return queue;
    });
    expect(queues.sort()).toEqual([...QUEUES.values()].map(({ QueueName }) => QueueName).sort());
  });

  it.each([
    [
      'north-inbox.fifo',
      ['DecideRole', 'OperatorsRole', 'interlock-relay-north'],
      ['DecideRole', 'OperatorsRole'],
    ],
    [
      'north-outbox.fifo',
      ['DecideRole', 'IngestRole', 'OperatorsRole'],
      ['OperatorsRole', 'interlock-relay-north'],
    ],
    [
      'interlock-due',
      ['DecideRole', 'IngestRole', 'OperatorsRole', 'SweepRole'],
      ['DecideRole', 'OperatorsRole'],
    ],
    ['north-feed-dead.fifo', ['OperatorsRole'], ['OperatorsRole']],
    ['interlock-account-dead', ['AccountRole', 'OperatorsRole'], ['OperatorsRole']],
  ])('is for those alone: %s', (name, senders, receivers) => {
    const policy = [...resources('AWS::SQS::QueuePolicy').values()].find(
      (one) => target(statements(one)[0]?.['Resource']) === name,
    );
    const excepted = (sid: string) => {
      const statement = statements(policy ?? {}).find(({ Sid }) => Sid === sid);
      const roles = list(at(statement, 'Condition', 'ArnNotEquals', 'aws:PrincipalArn'));
      return roles.map((role) => String(target(role)).replace(/^.*:role\/(.*)"\]\]\}$/, '$1')).sort();
    };
    expect(excepted('OnlySendersSend')).toEqual(senders);
    expect(excepted('OnlyReceiversReceive')).toEqual(receivers);
    expect(excepted('OnlyOperatorsPurge')).toEqual(['OperatorsRole']);
  });
});

describe('a relay whose role has another name', () => {
  it('is admitted by that name', () => {
    const north = sites.map((site) =>
      site.name === 'north' ? { ...site, relayRole: 'hosts/host-7' } : site,
    );
    const text = JSON.stringify(
      Template.fromStack(makeStack({ sites: north })).findResources('AWS::SQS::QueuePolicy'),
    );
    expect(text).toContain(':role/hosts/host-7"');
    expect(text).not.toContain('interlock-relay-north');
    expect(text).toContain(':role/interlock-relay-south"');
  });
});

describe('the sessions table', () => {
  it('has both images in its stream, can be restored, and is not deleted by accident', () => {
    const [table] = Object.values(template.findResources('AWS::DynamoDB::Table'));

    expect(table).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
        TimeToLiveSpecification: { AttributeName: 'expiresAtSeconds', Enabled: true },
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        DeletionProtectionEnabled: true,
      },
    });
  });

  it('goes with its stack where that is wanted', () => {
    const disposable = Template.fromStack(makeStack({ deletionProtection: false }));

    expect(Object.values(disposable.findResources('AWS::DynamoDB::Table'))).toMatchObject([
      { DeletionPolicy: 'Delete', Properties: { DeletionProtectionEnabled: false } },
    ]);
  });

  it('has an index of what is due, in order of time, one of the sessions of a NAS, and those that find a session', () => {
    const Projection = { ProjectionType: 'KEYS_ONLY' };
    expect(resources('AWS::DynamoDB::Table').get('SessionsTable')).toMatchObject({
      AttributeDefinitions: expect.arrayContaining([{ AttributeName: 'dueAtMs', AttributeType: 'N' }]),
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'dueBucket', KeyType: 'HASH' },
            { AttributeName: 'dueAtMs', KeyType: 'RANGE' },
          ],
          Projection,
        },
        ...[['nas', 'nasBucket'], ...Object.values(TABLE.lookUpIndexes).map((name) => [name, name])].map(
          ([IndexName, key]) => ({
            IndexName,
            KeySchema: [
              { AttributeName: key, KeyType: 'HASH' },
              { AttributeName: 'pk', KeyType: 'RANGE' },
            ],
            Projection,
          }),
        ),
      ],
    });
  });
});

describe('decide', () => {
  it.each([
    'north-inbox.fifo',
    'north-outcomes.fifo',
    'south-inbox.fifo',
    'south-outcomes.fifo',
    'interlock-due',
  ])('gets %s in batches of 10, may fail in part, and has 50 invocations at a time for it', (name) => {
    expect(mapping(name)).toMatchObject({
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 50 },
    });
  });

  it('leaves others most of the 1000 concurrent executions of an account, with ingest, whatever one site sends', () => {
    const ofNorth = MAPPINGS.filter(({ EventSourceArn }) =>
      String(target(EventSourceArn)).startsWith('north-'),
    );
    const concurrency = ofNorth.map((one) => Number(at(one, 'ScalingConfig', 'MaximumConcurrency')));
    expect(concurrency.toSorted((a, b) => a - b)).toEqual([20, 50, 50]);
  });

  it('has a sixth of the time for which its inbox hides a message', () => {
    expect(resources('AWS::Lambda::Function').get('Decide')?.['Timeout']).toBe(4);
    expect(queue('north-inbox.fifo')?.['VisibilityTimeout']).toBe(24);
  });

  it('gets a message again while the command that it may have died over is not too late', () => {
    expect(SHAPES.inbox.visibilityTimeoutSeconds * 1000).toBeLessThan(COMMAND_START_WITHIN_MS);
  });

  it('may get, look up, put and delete sessions, work off inboxes and what is due, send to inboxes and outboxes, log, and nothing else', () => {
    const inboxes = [
      'interlock-due',
      ...['north', 'south'].flatMap((site) => [`${site}-inbox.fifo`, `${site}-outcomes.fifo`]),
    ];
    expect(allowedBy('DecideRoleDefaultPolicy')).toEqual({
      'dynamodb:DeleteItem': ['SessionsTable'],
      'dynamodb:GetItem': ['SessionsTable'],
      'dynamodb:PutItem': ['SessionsTable'],
      'dynamodb:Query': LOOK_UP_ATTRIBUTES.map((attribute) => TABLE.lookUpIndexes[attribute])
        .sort()
        .map((name) => expect.stringContaining(`/index/${name}"`)),
      'sqs:ReceiveMessage': inboxes,
      'sqs:DeleteMessage': inboxes,
      'sqs:ChangeMessageVisibility': inboxes,
      'sqs:GetQueueAttributes': inboxes,
      'sqs:GetQueueUrl': inboxes,
      'sqs:SendMessage': [
        'interlock-due',
        ...['north', 'south'].flatMap((site) => [`${site}-inbox.fifo`, `${site}-outbox.fifo`]),
      ],
      'logs:CreateLogStream': ['DecideLogs'],
      'logs:PutLogEvents': ['DecideLogs'],
    });
  });
});

describe('account', () => {
  it('gets the changes of session states only, may fail in part, and leaves word of what it cannot process', () => {
    const changes = mapping('SessionsTable.StreamArn');

    expect(changes).toMatchObject({
      StartingPosition: 'TRIM_HORIZON',
      FilterCriteria: { Filters: [{ Pattern: '{"dynamodb":{"Keys":{"sk":{"S":["STATE"]}}}}' }] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      BisectBatchOnFunctionError: true,
      ParallelizationFactor: 10,
      MaximumRetryAttempts: 100,
    });
    expect(target(at(changes, 'DestinationConfig', 'OnFailure', 'Destination'))).toBe(
      'interlock-account-dead',
    );
  });

  it('may read the stream, put items, send to accounting queues, log, and nothing else', () => {
    expect(allowedBy('AccountRoleDefaultPolicy')).toEqual({
      'dynamodb:PutItem': ['SessionsTable'],
      'dynamodb:DescribeStream': ['SessionsTable.StreamArn'],
      'dynamodb:GetRecords': ['SessionsTable.StreamArn'],
      'dynamodb:GetShardIterator': ['SessionsTable.StreamArn'],
      'dynamodb:ListStreams': ['SessionsTable.StreamArn'],
      'sqs:SendMessage': ['interlock-account-dead', 'north-accounting.fifo', 'south-accounting.fifo'],
      'logs:CreateLogStream': ['AccountLogs'],
      'logs:PutLogEvents': ['AccountLogs'],
    });
  });
});

describe('what account may put into the table', () => {
  const policy = resources('AWS::IAM::Policy').get('AccountRoleDefaultPolicy') ?? {};
  const put = statements(policy).find(({ Action }) => Action === 'dynamodb:PutItem');
  const attributes = list(at(put, 'Condition', 'ForAllValues:StringEquals', 'dynamodb:Attributes'));

  it('is made of the attributes of history: it can make no session and gets into no index', () => {
    expect(attributes).toEqual(HISTORY_ATTRIBUTES);
    const ofOthers = ['services', 'recentEvents', TABLE.sessionsIndex, ...INDEX_ATTRIBUTES];
    expect(attributes.filter((name) => ofOthers.includes(String(name)))).toEqual([]);
  });

  it('has the partition keys of history, and names keys and attributes', () => {
    expect(at(put, 'Condition', 'ForAllValues:StringLike')).toEqual({
      'dynamodb:LeadingKeys': ['HISTORY#*'],
    });
    expect(at(put, 'Condition', 'Null')).toEqual({
      'dynamodb:LeadingKeys': 'false',
      'dynamodb:Attributes': 'false',
    });
  });

  it('does not show what it replaces', () => {
    expect(at(put, 'Condition', 'StringEqualsIfExists')).toEqual({ 'dynamodb:ReturnValues': 'NONE' });
  });
});

describe('sweep', () => {
  it('runs once a minute', () => {
    const [rule] = resources('AWS::Events::Rule').values();
    expect(rule).toMatchObject({ ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' });
    expect(target(at(list(at(rule, 'Targets'))[0], 'Arn'))).toBe('Sweep');
  });

  it('may look up what is due, scan the keys of sessions, send what is due to its queue, log, and nothing else', () => {
    expect(allowedBy('SweepRoleDefaultPolicy')).toEqual({
      'dynamodb:Query': [expect.stringContaining('/index/due')],
      'dynamodb:Scan': [expect.stringContaining('/index/acctSessionId')],
      'sqs:SendMessage': ['interlock-due'],
      'logs:CreateLogStream': ['SweepLogs'],
      'logs:PutLogEvents': ['SweepLogs'],
    });
  });
});

describe('a writer of sessions', () => {
  it.each(['Decide', 'Ingest'])('is updated after account, which reads what it writes: %s', (id) => {
    const [[, writer] = []] = Object.entries(template.findResources('AWS::Lambda::Function')).filter(
      ([name]) => new RegExp(`^${id}[0-9A-F]{8}$`).test(name),
    );
    expect(writer?.['DependsOn']).toContainEqual(expect.stringMatching(/^Account[0-9A-F]{8}$/));
  });
});

describe('a function', () => {
  it.each([
    ['Decide', DecideEnvironment],
    ['Account', AccountEnvironment],
    ['Sweep', SweepEnvironment],
  ])('%s runs on Node 24 and ARM, in exactly the environment that it reads', (id, { entries }) => {
    const properties = resources('AWS::Lambda::Function').get(id);

    expect(properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
    const variables = at(properties, 'Environment', 'Variables') ?? {};
    expect(Object.keys(variables).sort()).toEqual(['NODE_OPTIONS', ...Object.keys(entries)].sort());
  });

  it.each(['Decide', 'Account', 'Sweep'])(
    '%s logs in the JSON of Lambda, from the level of metrics on',
    (id) => {
      expect(resources('AWS::Lambda::Function').get(id)?.['LoggingConfig']).toEqual({
        LogFormat: 'JSON',
        ApplicationLogLevel: 'INFO',
        LogGroup: { Ref: expect.stringMatching(`^${id}Logs`) },
      });
    },
  );

  it('has no role with a policy of somebody else', () => {
    for (const role of resources('AWS::IAM::Role').values()) {
      expect(role).not.toHaveProperty('ManagedPolicyArns');
    }
  });
});

describe('a relay', () => {
  it.each([
    ['north', { 'secretsmanager:GetSecretValue': [STORED_SECRET_OF_NORTH] }],
    ['south', {}],
  ])(
    'may use the queues of its own site, %s, read what secrets that has on AWS, and nothing else',
    (site, secrets) => {
      const workedOff = [`${site}-accounting.fifo`, `${site}-outbox.fifo`];
      expect(allowedBy(`Sites${site}RelayPolicy`)).toEqual({
        'sqs:SendMessage': [`${site}-feed.fifo`, `${site}-inbox.fifo`, `${site}-outcomes.fifo`],
        'sqs:ReceiveMessage': workedOff,
        'sqs:DeleteMessage': workedOff,
        'sqs:ChangeMessageVisibility': workedOff,
        ...secrets,
      });
    },
  );

  it('is at its site: nothing in the stack runs it', () => {
    const types = Object.values<{ Type: string }>(template.toJSON()['Resources']).map(({ Type }) => Type);
    expect(types.filter((type) => /ECS|EC2|LoadBalancing/.test(type))).toEqual([]);
  });
});

describe('policies', () => {
  it('name every action and every resource', () => {
    const policies = [...resources('AWS::IAM::Policy'), ...resources('AWS::IAM::ManagedPolicy')];
    expect(policies.map(([id]) => id).sort()).toEqual([
      'AccountRoleDefaultPolicy',
      'DecideRoleDefaultPolicy',
      'IngestRoleDefaultPolicy',
      'OperatorsRoleDefaultPolicy',
      'SitesnorthRelayPolicy',
      'SitessouthRelayPolicy',
      'SweepRoleDefaultPolicy',
    ]);
    // A condition compares keys with patterns; it grants nothing.
    const granted = policies.flatMap(([, policy]) =>
      statements(policy).map(({ Condition: _, ...granted }) => granted),
    );
    expect(JSON.stringify(granted)).not.toContain('*');
  });
});

describe('the stack', () => {
  it('has nothing that cdk-nag finds and nobody has explained', () => {
    expect(new AwsSolutionsChecks().validateScope(stack).violations).toEqual([]);
  });
});
