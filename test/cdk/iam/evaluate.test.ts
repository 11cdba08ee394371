import { describe, expect, it } from 'vitest';
import { type Call, type Caller, evaluate, type Statement } from './evaluate.ts';

const ACCOUNT = 'arn:aws:iam::123456789012:root';
const ROLE = 'arn:aws:iam::123456789012:role/service/decide';
const OTHER_ROLE = 'arn:aws:iam::123456789012:role/other';
const SESSION = 'arn:aws:sts::123456789012:assumed-role/decide/s1';
const QUEUE = 'arn:aws:sqs:eu-central-1:123456789012:inbox.fifo';
const TABLE = 'arn:aws:dynamodb:eu-central-1:123456789012:table/sessions';
const ROLE_SESSION: Caller = { kind: 'role', roleArn: ROLE, sessionName: 's1' };
const USER: Caller = { kind: 'user', userArn: 'arn:aws:iam::123456789012:user/ann' };
const ANONYMOUS: Caller = { kind: 'anonymous' };

const SEND: Call = { caller: ROLE_SESSION, action: 'sqs:SendMessage', resource: QUEUE };
const ALLOW: Statement = { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: QUEUE };
const DENY: Statement = { ...ALLOW, Effect: 'Deny' };
const EVERYONE = { Principal: { AWS: '*' } } as const;

interface Case {
  readonly call?: Partial<Call>;
  readonly identity?: readonly Statement[];
  readonly resource?: readonly Statement[];
}
const decide = ({ call = {}, identity = [], resource }: Case) =>
  evaluate(
    { ...SEND, ...call },
    { identity: [{ Statement: identity }], resource: resource && { Statement: resource } },
  );

describe('within an account', () => {
  it.each<[string, string, Case]>([
    ['nothing that no policy allows', 'implicitly denied', {}],
    ['what the caller may', 'allowed', { identity: [ALLOW] }],
    ['what the resource lets its role do', 'allowed', { resource: [{ ...ALLOW, Principal: { AWS: ROLE } }] }],
    [
      'what the caller may, with a resource that says nothing',
      'allowed',
      { identity: [ALLOW], resource: [] },
    ],
    ['an explicit deny of the caller, before any allow', 'explicitly denied', { identity: [ALLOW, DENY] }],
    [
      'an explicit deny of the resource, before any allow',
      'explicitly denied',
      {
        identity: [ALLOW],
        resource: [
          { ...ALLOW, ...EVERYONE },
          { ...DENY, ...EVERYONE },
        ],
      },
    ],
    ['another action', 'implicitly denied', { identity: [{ ...ALLOW, Action: 'sqs:ReceiveMessage' }] }],
    ['another resource', 'implicitly denied', { identity: [{ ...ALLOW, Resource: `${QUEUE}x` }] }],
    [
      'a prefix of an action, which is no pattern',
      'implicitly denied',
      { identity: [{ ...ALLOW, Action: 'sqs:Send' }] },
    ],
    ['an action in other case', 'allowed', { identity: [{ ...ALLOW, Action: 'SQS:sendmessage' }] }],
    [
      'patterns',
      'allowed',
      { identity: [{ ...ALLOW, Action: 'sqs:*', Resource: 'arn:aws:sqs:*:*:inb?x.fifo' }] },
    ],
    [
      'a full stop, which is itself',
      'implicitly denied',
      {
        call: { resource: QUEUE.replace('.fifo', 'xfifo') },
        identity: [ALLOW],
      },
    ],
  ])('%s: %s', (_, decision, about) => {
    expect(decide(about)).toBe(decision);
  });
});

describe('a principal', () => {
  const allowing = (Principal: NonNullable<Statement['Principal']>, caller?: Caller) =>
    decide({ resource: [{ ...ALLOW, Principal }], ...(caller && { call: { caller } }) });
  const denying = (Principal: NonNullable<Statement['Principal']>, caller?: Caller) =>
    decide({ identity: [ALLOW], resource: [{ ...DENY, Principal }], ...(caller && { call: { caller } }) });

  it('is a session by its own ARN, and by that of its role, with the path of the role in the latter alone', () => {
    expect(allowing({ AWS: SESSION })).toBe('allowed');
    expect(allowing({ AWS: ROLE })).toBe('allowed');
    expect(allowing({ AWS: OTHER_ROLE })).toBe('implicitly denied');
    expect(allowing({ AWS: SESSION.replace('s1', 's2') })).toBe('implicitly denied');
    expect(allowing({ AWS: SESSION.replace('/decide', '/service/decide') })).toBe('implicitly denied');
  });

  it('that is an account allows no caller by itself, and denies all of its callers', () => {
    expect(allowing({ AWS: ACCOUNT })).toBe('implicitly denied');
    expect(allowing({ AWS: '123456789012' })).toBe('implicitly denied');
    expect(denying({ AWS: ACCOUNT })).toBe('explicitly denied');
    expect(denying({ AWS: '123456789012' }, USER)).toBe('explicitly denied');
    expect(denying({ AWS: '210987654321' })).toBe('allowed');
  });

  it('that is * is everyone, anonymous callers included', () => {
    for (const Principal of ['*', { AWS: '*' }] as const) {
      expect(allowing(Principal, ANONYMOUS)).toBe('allowed');
      expect(denying(Principal, USER)).toBe('explicitly denied');
    }
    expect(allowing({ AWS: ACCOUNT }, ANONYMOUS)).toBe('implicitly denied');
    expect(allowing({ Service: 'sqs.amazonaws.com' })).toBe('implicitly denied');
  });

  it('that is excepted by NotPrincipal has to be named as session, role and account', () => {
    const except = (...AWS: string[]) =>
      decide({ identity: [ALLOW], resource: [{ ...DENY, NotPrincipal: { AWS } }] });
    expect(except(ROLE)).toBe('explicitly denied');
    expect(except(ROLE, ACCOUNT)).toBe('explicitly denied');
    expect(except(ROLE, SESSION)).toBe('explicitly denied');
    expect(except(ROLE, SESSION, ACCOUNT)).toBe('allowed');
  });

  it('that is excepted by its aws:PrincipalArn is so in every session, and no other caller is', () => {
    const deny = {
      ...DENY,
      ...EVERYONE,
      Condition: { ArnNotEquals: { 'aws:PrincipalArn': [ROLE, OTHER_ROLE] } },
    };
    const about = { identity: [ALLOW], resource: [deny] };
    expect(decide(about)).toBe('allowed');
    expect(decide({ ...about, call: { caller: { ...ROLE_SESSION, sessionName: 's2' } } })).toBe('allowed');
    const stranger = { kind: 'role', roleArn: `${ROLE}2`, sessionName: 's1' } as const;
    for (const caller of [USER, ANONYMOUS, stranger])
      expect(decide({ ...about, call: { caller } })).toBe('explicitly denied');
  });

  it('is needed in a statement of a resource', () => {
    expect(() => decide({ resource: [ALLOW] })).toThrow('has a Principal');
  });
});

describe('a condition', () => {
  /** Whether it holds in a call with this context. */
  const holds = (
    Condition: NonNullable<Statement['Condition']>,
    context: NonNullable<Call['context']> = {},
  ) =>
    decide({
      call: { action: 'dynamodb:PutItem', resource: TABLE, context },
      identity: [{ Effect: 'Allow', Action: 'dynamodb:PutItem', Resource: TABLE, Condition }],
    }) === 'allowed';
  const KEY = 'dynamodb:LeadingKeys';

  it.each<[string, string, string, boolean]>([
    ['StringEquals', 'HISTORY#1', 'HISTORY#1', true],
    ['StringEquals', 'HISTORY#*', 'HISTORY#1', false],
    ['StringEquals', 'history#1', 'HISTORY#1', false],
    ['StringNotEquals', 'HISTORY#1', 'HISTORY#1', false],
    ['StringNotEquals', 'HISTORY#1', 'HISTORY#2', true],
    ['StringLike', 'HISTORY#*', 'HISTORY#1', true],
    ['StringLike', 'HISTORY#*', 'SESSION#HISTORY#1', false],
    ['StringLike', 'HISTORY#*', 'HISTORY#\n', true],
    ['StringNotLike', 'HISTORY#*', 'SESSION#1', true],
    ['ArnEquals', 'arn:aws:iam::*:role/x', 'arn:aws:iam::1:role/x', true],
    ['ArnEquals', 'arn:aws:iam::*', 'arn:aws:iam::1:role/x', false],
    ['ArnLike', 'arn:aws:iam::1:role/*', 'arn:aws:iam::1:role/x/y', true],
    ['ArnNotEquals', 'arn:aws:iam::1:role/x', 'arn:aws:iam::1:role/x', false],
    ['ArnNotLike', 'arn:aws:iam::1:role/x', 'arn:aws:iam::1:role/y', true],
    ['Bool', 'false', 'False', true],
    ['Bool', 'false', 'true', false],
  ])('%s %s of %s: %s', (operator, pattern, value, expected) => {
    expect(holds({ [operator]: { [KEY]: pattern } }, { [KEY]: value })).toBe(expected);
  });

  it('of several values holds for one of them, and a negated one for none', () => {
    const either = ['a', 'b'];
    expect(holds({ StringEquals: { [KEY]: either } }, { [KEY]: 'b' })).toBe(true);
    expect(holds({ StringNotEquals: { [KEY]: either } }, { [KEY]: 'b' })).toBe(false);
    expect(holds({ StringNotEquals: { [KEY]: either } }, { [KEY]: 'c' })).toBe(true);
  });

  it('of several keys and operators needs all of them', () => {
    const both = { StringEquals: { one: 'a', other: 'b' }, Null: { third: 'true' } } as const;
    expect(holds(both, { one: 'a', other: 'b' })).toBe(true);
    expect(holds(both, { one: 'a', other: 'a' })).toBe(false);
    expect(holds(both, { one: 'a', other: 'b', third: 'c' })).toBe(false);
  });

  it('does not hold where the key is absent, unless it is negated or IfExists', () => {
    expect(holds({ StringEquals: { [KEY]: 'a' } })).toBe(false);
    expect(holds({ Bool: { [KEY]: 'false' } })).toBe(false);
    expect(holds({ StringNotEquals: { [KEY]: 'a' } })).toBe(true);
    expect(holds({ ArnNotEquals: { [KEY]: 'a' } })).toBe(true);
    expect(holds({ StringEqualsIfExists: { [KEY]: 'a' } })).toBe(true);
    expect(holds({ StringEqualsIfExists: { [KEY]: 'a' } }, { [KEY]: 'b' })).toBe(false);
  });

  it('ForAllValues holds where all values do, and where there is none at all; Null sees that', () => {
    const all = { 'ForAllValues:StringLike': { [KEY]: 'HISTORY#*' } };
    expect(holds(all, { [KEY]: ['HISTORY#1', 'HISTORY#2'] })).toBe(true);
    expect(holds(all, { [KEY]: ['HISTORY#1', 'SESSION#2'] })).toBe(false);
    expect(holds(all)).toBe(true);
    const present = { ...all, Null: { [KEY]: 'false' } };
    expect(holds(present)).toBe(false);
    expect(holds(present, { [KEY]: ['HISTORY#1'] })).toBe(true);
    expect(holds({ Null: { [KEY]: true } })).toBe(true);
  });

  it('ForAnyValue holds where one value does, and not where there is none at all', () => {
    const any = { 'ForAnyValue:StringEquals': { [KEY]: 'a' } };
    expect(holds(any, { [KEY]: ['b', 'a'] })).toBe(true);
    expect(holds(any, { [KEY]: ['b'] })).toBe(false);
    expect(holds(any)).toBe(false);
  });

  it('finds a key in whatever case', () => {
    expect(holds({ StringEquals: { 'AWS:principalarn': ROLE } })).toBe(true);
  });

  it('with an operator that is not known is an error, and so is one of a single value on many', () => {
    expect(() => holds({ NumericLessThan: { [KEY]: '1' } }, { [KEY]: '1' })).toThrow('NumericLessThan');
    expect(() => holds({ StringEquals: { [KEY]: 'a' } }, { [KEY]: ['a', 'b'] })).toThrow('one value');
  });
});
