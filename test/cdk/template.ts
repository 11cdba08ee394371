// The template of a stack of two sites, and how to read it.
import { Template } from 'aws-cdk-lib/assertions';
import { App } from 'aws-cdk-lib/core';
import { InterlockStack, type InterlockStackProps } from '../../cdk/interlock-stack.ts';
import { deployment, sites } from './deployment.ts';

export function makeStack(props: Partial<InterlockStackProps> = {}): InterlockStack {
  // Without bundling: the functions' code is another matter. Without the validation of the template's syntax, which
  // takes seconds: `cdk synth` does it.
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] }, builtinCloudFormationValidation: false });
  return new InterlockStack(app, 'Interlock', { deployment, sites, ...props });
}

export const stack = makeStack();
export const template = Template.fromStack(stack);

export type Json = string | number | boolean | undefined | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** The properties of all resources of a type, by logical id without its hash. */
export function resources(type: string, from = template): Map<string, JsonObject> {
  return new Map(
    Object.entries(from.findResources(type)).map(([id, { Properties }]) => [withoutHash(id), Properties]),
  );
}

const withoutHash = (logicalId: string) => logicalId.replace(/[0-9A-F]{8}$/, '');
export const at = (value: Json, ...path: readonly string[]): Json =>
  path.reduce<Json>((inner, name) => (inner as JsonObject | undefined)?.[name], value);
export const list = (value: Json): readonly Json[] => (Array.isArray(value) ? value : [value]);

export const QUEUES = resources('AWS::SQS::Queue');

/** What an ARN or a name means: the name of a queue, the logical id of anything else, with `.StreamArn` for its
 * stream. */
export function target(name: Json): Json {
  const reference = at(name, 'Fn::GetAtt') ?? at(name, 'Ref');
  if (reference === undefined) return typeof name === 'string' ? name : JSON.stringify(name);
  const [logicalId, attribute = 'Arn'] = list(reference);
  const id = withoutHash(String(logicalId));
  return QUEUES.get(id)?.['QueueName'] ?? (attribute === 'Arn' ? id : `${id}.${attribute}`);
}

export function statements(policy: JsonObject): readonly JsonObject[] {
  return list(at(policy, 'PolicyDocument', 'Statement')) as readonly JsonObject[];
}

/** What the policy with this logical id allows: its targets by action, sorted. */
export function allowedBy(policyId: string, from = template): Record<string, readonly Json[]> {
  const policies = new Map(
    ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) => [...resources(type, from)]),
  );
  const allowed = statements(policies.get(policyId) ?? {})
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Action, Resource }) =>
      list(Action).flatMap((action) => list(Resource).map((arn) => [String(action), target(arn)] as const)),
    );
  const byAction = Object.groupBy(allowed, ([action]) => action);
  return Object.fromEntries(
    Object.entries(byAction).map(([action, pairs = []]) => [action, pairs.map(([, arn]) => arn).sort()]),
  );
}
