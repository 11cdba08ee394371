// A secret in a site file: the secret itself, or a reference to it.

/** A secret of AWS Secrets Manager, all of it or one key of it. */
export interface StoredSecret {
  readonly kind: 'stored';
  readonly arn: string;
  readonly region: string;
  /** The key that holds the text, where the secret is a JSON object. */
  readonly key: string | undefined;
  /** Which of its versions: AWSCURRENT, or AWSPREVIOUS for the one before the last rotation. */
  readonly versionStage: string;
}

export type SecretReference =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string }
  | StoredSecret;

/**
 * An ARN of Secrets Manager, which ends in six random characters, then `:KEY:STAGE:` as in an ECS task definition. Each
 * part may be empty or left out. The version id, which ECS allows last, is refused: a secret that is bound to one
 * version cannot be rotated.
 */
const STORED =
  /^(arn:(?:aws|aws-cn|aws-us-gov):secretsmanager:([a-z0-9-]+):\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6})(?::([^:]*)(?::([^:]*):?)?)?$/;

const NOT_A_NAME = `expected \${NAME} and nothing else, or a secret without "\${"`;
const WITHOUT_BRACES = `expected \${NAME}, with braces; a secret that looks like $NAME has to be in a variable or a file`;
const NOT_STORED =
  'expected arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-123456, followed by :KEY:STAGE if needed';

export type ParsedReference =
  | { readonly ok: true; readonly reference: SecretReference }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads `${NAME}`, `file:PATH` and the ARN of a secret; any other text is the secret itself. It is not ok for another
 * kind of ARN, nor for `$NAME` or `${` within other text, where no variable is expanded; `reason` says what was
 * expected.
 */
export function parseSecretReference(text: string): ParsedReference {
  const [, name] = /^\$\{(\w+)\}$/.exec(text) ?? [];
  if (name !== undefined) return { ok: true, reference: { kind: 'environment', name } };
  if (/\$\{/.test(text)) return { ok: false, reason: NOT_A_NAME };
  if (/^\$[A-Za-z_]\w*$/.test(text)) return { ok: false, reason: WITHOUT_BRACES };
  if (text.startsWith('arn:')) {
    const [, arn, region, key, versionStage] = STORED.exec(text) ?? [];
    if (arn === undefined || region === undefined) return { ok: false, reason: NOT_STORED };
    const wanted = { key: key || undefined, versionStage: versionStage || 'AWSCURRENT' };
    return { ok: true, reference: { kind: 'stored', arn, region, ...wanted } };
  }
  if (text.startsWith('file:')) {
    return { ok: true, reference: { kind: 'file', path: text.slice('file:'.length) } };
  }
  return { ok: true, reference: { kind: 'text', text } };
}
