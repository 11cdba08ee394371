// The calls that relays, functions, operators and strangers could make, and which of them have to pass. What is not listed has to be
// refused, and what is about messages has to be so whatever other policies of the account allow.
import { QUEUES as SHAPES } from '../../../core/cloud/queues.ts';
import { INDEX_ATTRIBUTES, INDEXES, type ItemKind, KEY_PREFIXES, TABLE } from '../../../core/cloud/table.ts';
import { LOOK_UP_ATTRIBUTES } from '../../../core/look-up.ts';
import { HISTORY_ATTRIBUTES } from '../../../core/subscriber/history.ts';
import { STORED_SECRET_OF_NORTH } from '../deployment.ts';
import { type Call, type Caller, type Decision, evaluate, type Policy } from './evaluate.ts';
import { roleArn, type StackPolicies } from './stack-policies.ts';

const SITES = ['north', 'south'];
export const DEAD_LETTERS = [
  ...SITES.flatMap((site) => Object.keys(SHAPES).map((queue) => `${site}-${queue}-dead.fifo`)),
  'interlock-due-dead',
  'interlock-account-dead',
];
export const QUEUE_NAMES = [
  ...SITES.flatMap((site) => Object.keys(SHAPES).map((queue) => `${site}-${queue}.fifo`)),
  'interlock-due',
  ...DEAD_LETTERS,
];
const of = (queue: string) => SITES.map((site) => `${site}-${queue}.fifo`);

const RECEIVE = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'];
/** All that touches messages. */
export const MESSAGE_ACTIONS = ['sqs:SendMessage', ...RECEIVE, 'sqs:PurgeQueue'];
const POLL = ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl'];
const MOVE = ['sqs:StartMessageMoveTask', 'sqs:ListMessageMoveTasks', 'sqs:CancelMessageMoveTask'];
const MANAGE = [
  'sqs:CreateQueue',
  'sqs:DeleteQueue',
  'sqs:SetQueueAttributes',
  'sqs:TagQueue',
  'sqs:ListQueueTags',
];

// --- What there is to call ------------------------------------------------------------------------------------

interface Target {
  readonly actions: readonly string[];
  readonly resource: string;
  readonly context?: NonNullable<Call['context']>;
}

const KINDS = Object.keys(KEY_PREFIXES) as ItemKind[];
const ITEM_ACTIONS = [
  'GetItem',
  'PutItem',
  'DeleteItem',
  'UpdateItem',
  'BatchGetItem',
  'BatchWriteItem',
  'Query',
].map((name) => `dynamodb:${name}`);
const keyOf = (kind: ItemKind) => `${KEY_PREFIXES[kind]}bng-1#0001`;

/** By name: what a call is about, and all that could be done with it. */
function targets({ arnOf }: StackPolicies): ReadonlyMap<string, Target> {
  const table = arnOf('SessionsTable');
  const item = (context: NonNullable<Call['context']>): Target => ({
    actions: ITEM_ACTIONS,
    resource: table,
    context,
  });
  const put = (kind: ItemKind, more: NonNullable<Call['context']> = {}) =>
    item({
      'dynamodb:LeadingKeys': [keyOf(kind)],
      'dynamodb:Attributes': kind === 'history' ? HISTORY_ATTRIBUTES : ['pk', 'sk', 'services', 'revision'],
      ...more,
    });
  return new Map<string, Target>([
    ...QUEUE_NAMES.map(
      (name) =>
        [
          name,
          { actions: [...MESSAGE_ACTIONS, ...POLL, ...MOVE, ...MANAGE], resource: arnOf(name) },
        ] as const,
    ),
    ...KINDS.map((kind) => [kind, put(kind)] as const),
    ['nas and session', item({ 'dynamodb:LeadingKeys': [keyOf('nas'), keyOf('session')] })],
    ['history and session', item({ 'dynamodb:LeadingKeys': [keyOf('history'), keyOf('session')] })],
    // Unless its key is looked at, account could empty a session.
    ['session in the shape of history', put('session', { 'dynamodb:Attributes': HISTORY_ATTRIBUTES })],
    ['history without its key', item({ 'dynamodb:Attributes': HISTORY_ATTRIBUTES })],
    ['history without its attributes', item({ 'dynamodb:LeadingKeys': [keyOf('history')] })],
    ['history that shows its former self', put('history', { 'dynamodb:ReturnValues': 'ALL_OLD' })],
    ['history that shows nothing', put('history', { 'dynamodb:ReturnValues': 'NONE' })],
    ...[...INDEX_ATTRIBUTES, TABLE.sessionsIndex, 'services'].map(
      (name) =>
        [
          `history with ${name}`,
          put('history', { 'dynamodb:Attributes': [...HISTORY_ATTRIBUTES, name] }),
        ] as const,
    ),
    [
      'all items',
      {
        actions: ['dynamodb:Scan', 'dynamodb:DeleteTable', 'dynamodb:ExportTableToPointInTime'],
        resource: table,
      },
    ],
    ...INDEXES.map(
      ({ name }) =>
        [
          `index ${name}`,
          { actions: ['dynamodb:Query', 'dynamodb:Scan'], resource: `${table}/index/${name}` },
        ] as const,
    ),
    [
      'stream',
      {
        actions: ['GetRecords', 'GetShardIterator', 'DescribeStream', 'ListStreams', 'GetResourcePolicy'].map(
          (name) => `dynamodb:${name}`,
        ),
        resource: `${table}/stream/2026-11-22T12:00:00.000`,
      },
    ],
    // What belongs to others in the account, and has no policy.
    [OTHER_QUEUE, { actions: [...MESSAGE_ACTIONS, ...POLL, ...MOVE], resource: elsewhere('sqs', 'jobs') }],
    ...(['session', 'nas', 'history'] as const).map(
      (kind) =>
        [`${kind} of others`, { ...put(kind), resource: elsewhere('dynamodb', 'table/others') }] as const,
    ),
    ['all items of others', { actions: ['dynamodb:Scan'], resource: elsewhere('dynamodb', 'table/others') }],
    [
      'an index of others',
      {
        actions: ['dynamodb:Query', 'dynamodb:Scan'],
        resource: elsewhere('dynamodb', 'table/others/index/due'),
      },
    ],
    [
      'a stream of others',
      { actions: ['dynamodb:GetRecords'], resource: elsewhere('dynamodb', 'table/others/stream/one') },
    ],
    [
      'a log of others',
      { actions: ['logs:PutLogEvents'], resource: elsewhere('logs', 'log-group:others:log-stream:one') },
    ],
    ['secret of north', { actions: SECRET_ACTIONS, resource: STORED_SECRET_OF_NORTH }],
    [
      'another secret',
      { actions: SECRET_ACTIONS, resource: STORED_SECRET_OF_NORTH.replace('north', 'other') },
    ],
    ...['Decide', 'Ingest', 'Account', 'Sweep'].map(
      (name) =>
        [
          `log of ${name}`,
          {
            actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DeleteLogGroup'],
            resource: arnOf(`${name}Logs`).replace(':*', ':log-stream:one'),
          },
        ] as const,
    ),
  ]);
}
const OTHER_QUEUE = 'a queue of others';
const elsewhere = (service: string, rest: string) => `arn:aws:${service}:eu-central-1:123456789012:${rest}`;
const SECRET_ACTIONS = ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'];

// --- What has to pass -----------------------------------------------------------------------------------------

type Grants =
  | readonly (readonly [actions: readonly string[], targets: readonly string[]])[]
  | 'all but messages';
const HAS_ITEMS = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'];
const indexes = (...names: string[]) => names.map((name) => `index ${name}`);
const logs = (name: string) => [['logs:CreateLogStream', 'logs:PutLogEvents'], [`log of ${name}`]] as const;
const relay = (site: string) =>
  [
    [['sqs:SendMessage'], [`${site}-inbox.fifo`, `${site}-outcomes.fifo`, `${site}-feed.fifo`]],
    [RECEIVE, [`${site}-outbox.fifo`, `${site}-accounting.fifo`]],
  ] as const;
const EVERYTHING_KEYED = [
  ...KINDS,
  'session in the shape of history',
  'nas and session',
  'history and session',
];
const HISTORIES = [
  'history without its key',
  'history without its attributes',
  'history that shows its former self',
  'history that shows nothing',
  ...[...INDEX_ATTRIBUTES, TABLE.sessionsIndex, 'services'].map((name) => `history with ${name}`),
];

/** By name of the caller: what it does. */
export const GRANTS: Readonly<Record<string, Grants>> = {
  'relay of north': [...relay('north'), [['secretsmanager:GetSecretValue'], ['secret of north']]],
  'relay of south': relay('south'),
  Decide: [
    [['sqs:SendMessage'], [...of('outbox'), ...of('inbox'), 'interlock-due']],
    [
      [...RECEIVE, ...POLL],
      [...of('inbox'), ...of('outcomes'), 'interlock-due'],
    ],
    [HAS_ITEMS, ['session', 'session in the shape of history', 'request']],
    [['dynamodb:Query'], indexes(...LOOK_UP_ATTRIBUTES.map((attribute) => TABLE.lookUpIndexes[attribute]))],
    logs('Decide'),
  ],
  Ingest: [
    [['sqs:SendMessage'], [...of('outbox'), ...of('feed'), 'interlock-due']],
    [[...RECEIVE, ...POLL], of('feed')],
    [HAS_ITEMS, ['session', 'session in the shape of history', 'nas', 'nas and session']],
    [['dynamodb:BatchGetItem'], ['nas']],
    [['dynamodb:Query'], indexes(TABLE.nasIndex.name)],
    logs('Ingest'),
  ],
  Account: [
    [['sqs:SendMessage'], [...of('accounting'), 'interlock-account-dead']],
    [['dynamodb:PutItem'], ['history', 'history that shows nothing']],
    [
      ['GetRecords', 'GetShardIterator', 'DescribeStream', 'ListStreams'].map((name) => `dynamodb:${name}`),
      ['stream'],
    ],
    logs('Account'),
  ],
  Sweep: [
    [['sqs:SendMessage'], ['interlock-due']],
    [['dynamodb:Query'], indexes(TABLE.dueIndex.name)],
    [['dynamodb:Scan'], indexes(TABLE.sessionsIndex)],
    logs('Sweep'),
  ],
  operators: [
    [[...MESSAGE_ACTIONS, ...POLL], QUEUE_NAMES],
    [MOVE, DEAD_LETTERS],
    [
      ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:DeleteItem'],
      [...EVERYTHING_KEYED, ...HISTORIES],
    ],
    [['dynamodb:Scan'], ['all items']],
    [['dynamodb:Query', 'dynamodb:Scan'], indexes(...INDEXES.map(({ name }) => name))],
  ],
  // An administrator may do anything but touch messages.
  'an administrator': 'all but messages',
  'a user who is an administrator': 'all but messages',
  'a relay in a role of another name': [[['secretsmanager:GetSecretValue'], ['secret of north']]],
  'a function of others': [],
  'an anonymous caller': [],
};

const ADMINISTRATOR: Policy = { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };

/** Each caller with the policies that it has. */
function callers({ arnOf, roles, unattached }: StackPolicies) {
  const session = (arn: string): Caller => ({ kind: 'role', roleArn: arn, sessionName: 'one' });
  const relayPolicy = (site: string) => unattached.get(`Sites${site}RelayPolicy`) ?? { Statement: [] };
  const inRole = (name: string, identity: readonly Policy[]) => ({
    caller: session(roleArn(name)),
    identity,
  });
  const ofStack = (name: string) => {
    const arn = arnOf(`${name}Role`);
    return { caller: session(arn), identity: roles.get(arn) ?? [] };
  };
  return new Map<string, { readonly caller: Caller; readonly identity: readonly Policy[] }>([
    ...SITES.map(
      (site) => [`relay of ${site}`, inRole(`interlock-relay-${site}`, [relayPolicy(site)])] as const,
    ),
    ...['Decide', 'Ingest', 'Account', 'Sweep'].map((name) => [name, ofStack(name)] as const),
    ['operators', ofStack('Operators')],
    ['an administrator', inRole('cdk-hnb659fds-cfn-exec-role', [ADMINISTRATOR])],
    [
      'a user who is an administrator',
      { caller: { kind: 'user', userArn: 'arn:aws:iam::123456789012:user/ann' }, identity: [ADMINISTRATOR] },
    ],
    ['a relay in a role of another name', inRole('interlock-relay-east', [relayPolicy('north')])],
    ['a function of others', inRole('others', [{ Statement: [] }])],
    ['an anonymous caller', { caller: { kind: 'anonymous' }, identity: [] }],
  ]);
}

/** Calls to look at: those about this queue, by its ARN, or of these callers. */
export interface Part {
  readonly queue?: string;
  readonly callers?: readonly string[];
}

/** Every call, or every one in `part`, that the policies decide otherwise than they should, in words. */
export function* violations(
  policies: StackPolicies,
  { queue: only, callers: who }: Part = {},
): Generator<string> {
  const all = targets(policies);
  for (const [name, { caller, identity }] of callers(policies)) {
    if (who?.includes(name) === false) continue;
    const mayCall = passing(GRANTS[name] ?? []);
    for (const [target, { actions, resource, context }] of all) {
      if (only !== undefined && only !== resource) continue;
      for (const action of actions) {
        const call: Call = { caller, action, resource, ...(context && { context }) };
        const decision = evaluate(call, { identity, resource: policies.queues.get(resource) });
        const expected: readonly Decision[] = mayCall(action, target)
          ? ['allowed']
          : isGuarded(action, target)
            ? ['explicitly denied']
            : ['implicitly denied', 'explicitly denied'];
        if (!expected.includes(decision)) yield `${name}: ${action} of ${target} is ${decision}`;
      }
    }
    // Without TLS.
    for (const queue of QUEUE_NAMES) {
      const resource = policies.arnOf(queue);
      if (only !== undefined && only !== resource) continue;
      const call: Call = {
        caller,
        action: 'sqs:GetQueueUrl',
        resource,
        context: { 'aws:SecureTransport': 'false' },
      };
      const decision = evaluate(call, { identity, resource: policies.queues.get(resource) });
      if (decision !== 'explicitly denied') yield `${name}: ${queue} is ${decision} without TLS`;
    }
  }
}

const isGuarded = (action: string, target: string) =>
  MESSAGE_ACTIONS.includes(action) && target !== OTHER_QUEUE;

function passing(grants: Grants): (action: string, target: string) => boolean {
  if (typeof grants === 'string') return (action, target) => !isGuarded(action, target);
  const pairs = new Set(
    grants.flatMap(([actions, names]) =>
      actions.flatMap((action) => names.map((name) => `${action} ${name}`)),
    ),
  );
  return (action, target) => pairs.has(`${action} ${target}`);
}
