import { describe, expect, it } from 'vitest';
import { GRANTS, MESSAGE_ACTIONS, type Part, violations } from './iam/calls.ts';
import type { Policy, Statement } from './iam/evaluate.ts';
import { SOURCES } from './iam/sources.ts';
import { roleArn, type StackPolicies, stackPolicies } from './iam/stack-policies.ts';
import { template } from './template.ts';

const policies = stackPolicies(template.toJSON() as never);

describe('the policies of the stack', () => {
  it('let through the calls that relays, functions and operators make, and no others', () => {
    expect([...violations(policies)]).toEqual([]);
  });

  it.each(SOURCES)('are held against every call that %s makes', (_, actions, callers) => {
    const granted = new Set(
      callers.flatMap((name) => {
        const grants = GRANTS[name] ?? [];
        return typeof grants === 'string' ? [] : grants.flatMap(([actions]) => actions);
      }),
    );
    expect(actions.filter((action) => !granted.has(action))).toEqual([]);
    expect(actions.length).toBeGreaterThan(1);
  });
});

/** A statement in words, and the policies with another one in its place; with none where there is no other. */
interface Place {
  /** The calls that it is about. */
  readonly part: Part;
  readonly where: string;
  readonly statement: Statement;
  with(other: Statement | undefined): StackPolicies;
}

function replaced(policy: Policy, old: Statement, other: Statement | undefined): Policy {
  return {
    Statement: policy.Statement.flatMap((one) => (one !== old ? [one] : other === undefined ? [] : [other])),
  };
}

const nameOf = (arn: string) => arn.slice(arn.lastIndexOf(':') + 1);
const places: readonly Place[] = [
  ...[...policies.queues].flatMap(([arn, policy]) =>
    policy.Statement.map((statement) => ({
      part: { queue: arn },
      where: `${nameOf(arn)} ${statement.Sid ?? 'TLS'}`,
      statement,
      with: (other: Statement | undefined) => ({
        ...policies,
        queues: new Map([...policies.queues, [arn, replaced(policy, statement, other)]]),
      }),
    })),
  ),
  ...[...policies.roles].flatMap(([arn, documents]) =>
    documents.flatMap((policy, index) =>
      policy.Statement.map((statement, number) => ({
        part: {
          callers: [
            /interlock-operators/.test(arn)
              ? 'operators'
              : nameOf(arn).replace(/^role\/(\w+)Role\w{8}$/, '$1'),
          ],
        },
        where: `${nameOf(arn)} ${number}`,
        statement,
        with: (other: Statement | undefined) => ({
          ...policies,
          roles: new Map([
            ...policies.roles,
            [arn, documents.with(index, replaced(policy, statement, other))],
          ]),
        }),
      })),
    ),
  ),
  ...[...policies.unattached].flatMap(([name, policy]) =>
    policy.Statement.map((statement, number) => ({
      part: { callers: ['relay of north', 'relay of south', 'a relay in a role of another name'] },
      where: `${name} ${number}`,
      statement,
      with: (other: Statement | undefined) => ({
        ...policies,
        unattached: new Map([...policies.unattached, [name, replaced(policy, statement, other)]]),
      }),
    })),
  ),
];

/** Every way to break a statement, in words. */
function mutantsOf(statement: Statement): readonly (readonly [string, Statement | undefined])[] {
  const { Effect, Action, Resource, Condition = {} } = statement;
  const actions = [Action].flat();
  const resources = [Resource].flat();
  const withCondition = (changed: object) => ({ ...statement, Condition: changed }) as Statement;
  return [
    ['is missing', undefined],
    ['does the opposite', { ...statement, Effect: Effect === 'Allow' ? 'Deny' : 'Allow' }],
    ...(actions.length > 1
      ? actions.map(
          (action) =>
            [`lacks ${action}`, { ...statement, Action: actions.filter((one) => one !== action) }] as const,
        )
      : []),
    ...(resources.length > 1
      ? resources.map(
          (arn) =>
            [
              `lacks ${nameOf(arn)}`,
              { ...statement, Resource: resources.filter((one) => one !== arn) },
            ] as const,
        )
      : []),
    ['is about something else', { ...statement, Resource: 'arn:aws:sqs:eu-central-1:123456789012:other' }],
    ...(Effect === 'Allow'
      ? ([
          ['is about everything', { ...statement, Resource: '*' }],
          ['allows everything', { ...statement, Action: '*' }],
        ] as const)
      : []),
    ...(statement.Principal !== undefined && Effect === 'Allow'
      ? ([['is for everyone', { ...statement, Principal: '*' }]] as const)
      : []),
    ...(statement.Principal !== undefined && Effect === 'Deny'
      ? ([
          ['is about an account that is another', { ...statement, Principal: { AWS: '210987654321' } }],
        ] as const)
      : []),
    ...Object.entries(Condition).flatMap(([operator, keys]) => {
      const { [operator]: _, ...others } = Condition;
      const values = Object.entries(keys).flatMap(([key, wanted]) =>
        typeof wanted === 'boolean'
          ? []
          : [wanted].flat().map((value) => [key, [wanted].flat(), value] as const),
      );
      return [
        [`lacks ${operator}`, withCondition(others)] as const,
        ...values
          .filter(([, wanted]) => wanted.length > 1)
          .map(
            ([key, wanted, value]) =>
              [
                `lacks ${nameOf(value)} in ${operator}`,
                withCondition({
                  ...Condition,
                  [operator]: { ...keys, [key]: wanted.filter((one) => one !== value) },
                }),
              ] as const,
          ),
        ...(operator === 'ArnNotEquals' ? brokenExceptions(statement) : []),
      ];
    }),
  ];
}

/** Ways to get the exception of a deny wrong. */
function brokenExceptions(statement: Statement): readonly (readonly [string, Statement])[] {
  const keys = statement.Condition?.['ArnNotEquals'] ?? {};
  const roles = [keys['aws:PrincipalArn'] as string | readonly string[]].flat();
  const except = (...others: string[]) => ({
    ...statement,
    Condition: { ArnNotEquals: { 'aws:PrincipalArn': [...roles, ...others] } },
  });
  const account = 'arn:aws:iam::123456789012:root';
  return [
    ['excepts those that it denies', { ...statement, Condition: { ArnEquals: keys } }],
    ['excepts callers without an ARN', { ...statement, Condition: { 'ForAnyValue:ArnNotEquals': keys } }],
    ['excepts a stranger', except(roleArn('others'))],
    ['excepts administrators', except(roleArn('cdk-hnb659fds-cfn-exec-role'))],
    ['excepts every role', except(roleArn('*'))],
    ['excepts every user', except('arn:aws:iam::123456789012:user/*')],
    ...['north', 'south']
      .map((site) => roleArn(`interlock-relay-${site}`))
      .filter((relay) => !roles.includes(relay))
      .map((relay) => [`excepts ${nameOf(relay)}`, except(relay)] as const),
    [
      'names roles and not their sessions',
      (({ Principal: _, Condition: __, ...rest }) => ({
        ...rest,
        NotPrincipal: { AWS: [...roles, account] },
      }))(statement),
    ],
  ];
}

/** Mutants that no call can tell from the policy that they are made of. */
const EQUAL: readonly RegExp[] = [
  // The policy of a queue is about this queue, whatever its statements name besides.
  /Operators is about everything$/,
];

describe('a policy that is broken on purpose', () => {
  const queues = places.filter(({ statement }) => statement.Principal !== undefined);
  const identities = places.filter(({ statement }) => statement.Principal === undefined);
  it.each([
    ['of a queue', queues],
    ['of a role', identities],
  ])('%s is seen', { timeout: 120_000 }, (_, statements) => {
    const mutants = statements.flatMap((place) =>
      mutantsOf(place.statement).map(([what, other]) => ({
        part: place.part,
        what: `${place.where} ${what}`,
        broken: place.with(other),
      })),
    );
    const unseen = mutants
      .filter(({ broken, part }) => violations(broken, part).next().done === true)
      .map(({ what }) => what);
    expect(unseen.filter((what) => !EQUAL.some((equal) => equal.test(what)))).toEqual([]);
    expect(mutants.length).toBeGreaterThan(100);
  });

  it('is missing as a whole, and is seen', () => {
    for (const arn of policies.queues.keys()) {
      const queues = new Map([...policies.queues].filter(([other]) => other !== arn));
      expect([...violations({ ...policies, queues })].length).toBeGreaterThan(MESSAGE_ACTIONS.length);
    }
  });
});
