// Whether IAM lets a call through: the part of its policy language that the stack uses, within one account.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// What this does not know is an error, and never an allow.

/** An element of a statement that may be one value or a list. */
type OneOrMore = string | readonly string[];
type Principals = '*' | { readonly AWS?: OneOrMore; readonly Service?: OneOrMore };
/** Values by context key, by operator. */
type Conditions = Readonly<Record<string, Readonly<Record<string, OneOrMore | boolean>>>>;

export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: Principals;
  readonly NotPrincipal?: Principals;
  readonly Action: OneOrMore;
  readonly Resource: OneOrMore;
  readonly Condition?: Conditions;
}

export interface Policy {
  readonly Statement: readonly Statement[];
}

/** Who calls: a session of a role, a user, or an anonymous caller. */
export type Caller =
  | { readonly kind: 'role'; readonly roleArn: string; readonly sessionName: string }
  | { readonly kind: 'user'; readonly userArn: string }
  | { readonly kind: 'anonymous' };

/** A call as the service presents it to IAM. */
export interface Call {
  readonly caller: Caller;
  readonly action: string;
  readonly resource: string;
  /** Values by context key, beside those of the caller. */
  readonly context?: Readonly<Record<string, OneOrMore>>;
}

export interface Policies {
  /** Those of the role or user. */
  readonly identity: readonly Policy[];
  /** That of the queue, if it has one. */
  readonly resource?: Policy | undefined;
}

export type Decision = 'allowed' | 'explicitly denied' | 'implicitly denied';

/** An explicit deny of any policy wins; else an allow of either the caller's or the resource's is enough. */
export function evaluate(call: Call, { identity, resource }: Policies): Decision {
  let known: Context | undefined;
  const context = () => (known ??= contextOf(call));
  const ofIdentity = identity
    .flatMap(({ Statement }) => Statement)
    .filter((one) => applies(one, call, context));
  const ofResource = (resource?.Statement ?? []).filter(
    (one) => matchesPrincipal(one, call.caller) && applies(one, call, context),
  );
  const applying = [...ofIdentity, ...ofResource];
  if (applying.some(({ Effect }) => Effect === 'Deny')) return 'explicitly denied';
  return applying.some((one) => one.Effect === 'Allow' && !isDelegation(one, call.caller))
    ? 'allowed'
    : 'implicitly denied';
}

function applies(
  { Action, Resource, Condition = {} }: Statement,
  call: Call,
  context: () => Context,
): boolean {
  return (
    list(Action).some((action) => matches(action.toLowerCase(), call.action.toLowerCase())) &&
    list(Resource).some((arn) => matches(arn, call.resource)) &&
    Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) =>
        holds(operator, context().get(key.toLowerCase()), texts(values)),
      ),
    )
  );
}

// --- Principals -----------------------------------------------------------------------------------------------

/** All ARNs that mean a caller in a `Principal`: a session is itself, a session of its role, and part of its account. */
function arnsOf(caller: Caller): readonly string[] {
  if (caller.kind === 'anonymous') return [];
  const own = ownArns(caller);
  return [...own, `arn:aws:iam::${accountOf(own[0] ?? '')}:root`];
}

function ownArns(caller: Exclude<Caller, { kind: 'anonymous' }>): readonly string[] {
  if (caller.kind === 'user') return [caller.userArn];
  const { roleArn, sessionName } = caller;
  // Without the path of the role, as STS has it.
  const role = roleArn.slice(roleArn.lastIndexOf('/') + 1);
  return [`arn:aws:sts::${accountOf(roleArn)}:assumed-role/${role}/${sessionName}`, roleArn];
}

const accountOf = (arn: string) => arn.split(':')[4] ?? '';

function matchesPrincipal({ Principal, NotPrincipal }: Statement, caller: Caller): boolean {
  if (Principal !== undefined)
    return names(Principal).some((name) => name === '*' || arnsOf(caller).includes(name));
  if (NotPrincipal === undefined) throw new Error('a statement of a resource has a Principal');
  // Each ARN of a caller is a principal of its own: one that is not named is not excepted, and takes the caller along.
  const excepted = new Set(names(NotPrincipal));
  return caller.kind === 'anonymous' || !arnsOf(caller).every((arn) => excepted.has(arn));
}

/** The AWS principals that are named, an account by the ARN of its root. */
function names(principals: Principals): readonly string[] {
  if (principals === '*') return ['*'];
  return list(principals.AWS ?? []).map((name) =>
    /^\d{12}$/.test(name) ? `arn:aws:iam::${name}:root` : name,
  );
}

/** Where a resource allows a whole account, the policies of that account's callers decide. */
function isDelegation({ Principal }: Statement, caller: Caller): boolean {
  if (Principal === undefined || caller.kind === 'anonymous') return false;
  const own = new Set(['*', ...ownArns(caller)]);
  return !names(Principal).some((name) => own.has(name));
}

// --- Conditions -----------------------------------------------------------------------------------------------

/** Values by context key in lower case; a key that the call does not have is absent. */
type Context = ReadonlyMap<string, readonly string[]>;

function contextOf({ caller, context = {} }: Call): Context {
  const own =
    caller.kind === 'anonymous'
      ? {}
      : { 'aws:PrincipalArn': caller.kind === 'role' ? caller.roleArn : caller.userArn };
  const all = Object.entries({ 'aws:SecureTransport': 'true', ...own, ...context });
  return new Map(all.map(([key, value]) => [key.toLowerCase(), list(value)]));
}

type Comparison = (pattern: string, value: string) => boolean;
const equal: Comparison = (expected, value) => expected === value;
const equalIgnoringCase: Comparison = (expected, value) => expected.toLowerCase() === value.toLowerCase();
/** Each of the six parts of an ARN by itself: a `*` does not reach into the next part. */
const equalArn: Comparison = (pattern, value) => {
  const [patterns, values] = [partsOf(pattern), partsOf(value)];
  return (
    patterns.length === values.length && patterns.every((part, index) => matches(part, values[index] ?? ''))
  );
};
const partsOf = (arn: string) => {
  const parts = arn.split(':');
  return [...parts.slice(0, 5), parts.slice(5).join(':')];
};

const OPERATORS: Readonly<Record<string, { readonly compare: Comparison; readonly isNegated?: true }>> = {
  StringEquals: { compare: equal },
  StringNotEquals: { compare: equal, isNegated: true },
  StringLike: { compare: matches },
  StringNotLike: { compare: matches, isNegated: true },
  ArnEquals: { compare: equalArn },
  ArnLike: { compare: equalArn },
  ArnNotEquals: { compare: equalArn, isNegated: true },
  ArnNotLike: { compare: equalArn, isNegated: true },
  Bool: { compare: equalIgnoringCase },
};

/** Whether the values of a key, if the call has it, satisfy an operator. */
function holds(
  operator: string,
  values: readonly string[] | undefined,
  expected: readonly string[],
): boolean {
  if (operator === 'Null') return expected.includes(String(values === undefined));
  const [, quantifier, name = '', ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(operator) ?? [];
  const known = OPERATORS[name];
  if (known === undefined) throw new Error(`this evaluator does not know the operator ${operator}`);
  const { compare, isNegated = false } = known;
  if (values === undefined) {
    // No value at all: each of them is as wanted, and none is.
    if (quantifier !== undefined) return quantifier === 'ForAllValues' || ifExists !== undefined;
    return isNegated || ifExists !== undefined;
  }
  const satisfies = (value: string) => expected.some((one) => compare(one, value)) !== isNegated;
  if (quantifier === 'ForAllValues') return values.every(satisfies);
  if (quantifier === 'ForAnyValue') return values.some(satisfies);
  const [value, ...others] = values;
  if (value === undefined || others.length > 0) throw new Error(`${operator} is for a key with one value`);
  return satisfies(value);
}

// --- Patterns -------------------------------------------------------------------------------------------------

/** `*` is any text, `?` any character. */
function matches(pattern: string, value: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === value;
  const expression = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 's').test(value);
}

const list = (value: OneOrMore): readonly string[] => (typeof value === 'string' ? [value] : value);
const texts = (value: OneOrMore | boolean) => (typeof value === 'boolean' ? [String(value)] : list(value));
