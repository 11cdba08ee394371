// The policies of a synthesised template as IAM gets them: references resolved, by the roles and queues that they are of.
import type { Json, JsonObject } from '../template.ts';
import { at, list } from '../template.ts';
import type { Policy } from './evaluate.ts';

const REGION = 'eu-central-1';
const ACCOUNT = '123456789012';

/** The ARN of a role with this name in the account of the stack. */
export const roleArn = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;

export interface StackPolicies {
  /** The ARN of each resource, by its logical id without the hash; of a queue, by its name. */
  arnOf(name: string): string;
  /** The ARN of each role, with the policies that it has. */
  readonly roles: ReadonlyMap<string, readonly Policy[]>;
  /** The policies that are attached to no role of the stack, by logical id without the hash. */
  readonly unattached: ReadonlyMap<string, Policy>;
  /** The policies of queues, by the ARN of the queue. */
  readonly queues: ReadonlyMap<string, Policy>;
}

type Template = {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: JsonObject }>>;
};

export function stackPolicies(template: Template): StackPolicies {
  const resources = Object.entries(template.Resources);
  const ofType = (...types: string[]) => resources.filter(([, { Type }]) => types.includes(Type));

  function resolve(value: Json): Json {
    if (typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(resolve);
    const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value as JsonObject;
    if (typeof Ref === 'string') return PSEUDO_PARAMETERS[Ref] ?? physicalName(Ref);
    if (attribute !== undefined) return arnOfAttribute(...(list(attribute).map(String) as [string, string]));
    if (join !== undefined) {
      const [separator, parts] = list(join);
      return list(parts as Json)
        .map((part) => String(resolve(part)))
        .join(String(separator));
    }
    return Object.fromEntries(
      Object.entries(value as JsonObject).map(([key, inner]) => [key, resolve(inner)]),
    );
  }

  /** What CloudFormation would call it; a hash stays part of the name that it makes up. */
  function physicalName(logicalId: string): string {
    const { QueueName, RoleName } = template.Resources[logicalId]?.Properties ?? {};
    return String(resolve(QueueName ?? RoleName ?? logicalId));
  }

  function arnOfAttribute(logicalId: string, attribute: string): string {
    const name = physicalName(logicalId);
    const in_ = (service: string, rest: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
    switch (`${template.Resources[logicalId]?.Type} ${attribute}`) {
      case 'AWS::SQS::Queue Arn':
        return in_('sqs', name);
      case 'AWS::IAM::Role Arn':
        return roleArn(name);
      case 'AWS::DynamoDB::Table Arn':
        return in_('dynamodb', `table/${name}`);
      case 'AWS::DynamoDB::Table StreamArn':
        return in_('dynamodb', `table/${name}/stream/2026-11-22T12:00:00.000`);
      case 'AWS::Logs::LogGroup Arn':
        return in_('logs', `log-group:${name}:*`);
      default:
        return in_('unknown', `${name}.${attribute}`);
    }
  }

  const documents = ofType('AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy').map(([id, { Properties }]) => ({
    id,
    roles: list(Properties['Roles'] ?? []).map(resolve),
    policy: resolve(Properties['PolicyDocument']) as unknown as Policy,
  }));
  const roles = ofType('AWS::IAM::Role').map(([id, { Properties }]) => {
    const managed = list(Properties['ManagedPolicyArns'] ?? []).map((arn) => at(arn, 'Ref'));
    const own = documents.filter((one) => one.roles.includes(physicalName(id)) || managed.includes(one.id));
    return [roleArn(physicalName(id)), own.map(({ policy }) => policy)] as const;
  });
  const attached = new Set(roles.flatMap(([, policies]) => policies));
  const queues = ofType('AWS::SQS::QueuePolicy').flatMap(([, { Properties }]) =>
    list(Properties['Queues']).map(
      (queue) =>
        [
          arnOfAttribute(String(at(queue, 'Ref')), 'Arn'),
          resolve(Properties['PolicyDocument']) as unknown as Policy,
        ] as const,
    ),
  );
  const attributes = {
    'AWS::SQS::Queue': 'Arn',
    'AWS::IAM::Role': 'Arn',
    'AWS::DynamoDB::Table': 'Arn',
    'AWS::Logs::LogGroup': 'Arn',
  };
  const arns = new Map(
    Object.entries(attributes).flatMap(([type, attribute]) =>
      ofType(type).map(([id]) => [nameOf(id), arnOfAttribute(id, attribute)] as const),
    ),
  );
  function nameOf(id: string): string {
    const { QueueName } = template.Resources[id]?.Properties ?? {};
    return typeof QueueName === 'string' ? QueueName : id.replace(/[0-9A-F]{8}$/, '');
  }
  return {
    arnOf(name) {
      const arn = arns.get(name);
      if (arn === undefined) throw new Error(`the template has no ${name}`);
      return arn;
    },
    roles: new Map(roles),
    unattached: new Map(
      documents.filter(({ policy }) => !attached.has(policy)).map(({ id, policy }) => [nameOf(id), policy]),
    ),
    queues: new Map(queues),
  };
}

const PSEUDO_PARAMETERS: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws',
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
};
