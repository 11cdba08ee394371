import { describe, expect, it } from 'vitest';
import { parseSecretReference } from '../../../core/config/secret-reference.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/demo-a1B2c3';
const STORED = { kind: 'stored', arn: ARN, region: 'eu-central-1', versionStage: 'AWSCURRENT' };

describe('a reference to a secret', () => {
  it.each([
    ['testing123', { kind: 'text', text: 'testing123' }],
    ['$' + '{BNG_1_SECRET}', { kind: 'environment', name: 'BNG_1_SECRET' }],
    ['cash$only', { kind: 'text', text: 'cash$only' }],
    ['$5 and more', { kind: 'text', text: '$5 and more' }],
    ['$SECRET-1', { kind: 'text', text: '$SECRET-1' }],
    ['file:/run/secrets/bng-1', { kind: 'file', path: '/run/secrets/bng-1' }],
  ])('is what it looks like: %s', (text, reference) => {
    expect(parseSecretReference(text)).toEqual({ ok: true, reference });
  });

  it.each([
    ['', {}],
    [':bng-1', { key: 'bng-1' }],
    [':bng-1:AWSPREVIOUS', { key: 'bng-1', versionStage: 'AWSPREVIOUS' }],
    ['::AWSPREVIOUS', { versionStage: 'AWSPREVIOUS' }],
    [':bng-1::', { key: 'bng-1' }],
    [':::', {}],
  ])('is the ARN of a secret, with a key and a version as ECS writes them: …%s', (suffix, parts) => {
    const reference = { ...STORED, key: undefined, ...parts };
    expect(parseSecretReference(ARN + suffix)).toEqual({ ok: true, reference });
  });

  it.each([
    ['aws-cn', 'cn-north-1'],
    ['aws-us-gov', 'us-gov-west-1'],
  ])('may be in the partition %s', (partition, region) => {
    const arn = `arn:${partition}:secretsmanager:${region}:123456789012:secret:demo-a1B2c3`;
    expect(parseSecretReference(arn)).toMatchObject({ ok: true, reference: { kind: 'stored', arn, region } });
  });

  it.each([
    'arn:aws:ssm:eu-central-1:123456789012:parameter/demo',
    'arn:aws-iso:secretsmanager:us-iso-east-1:123456789012:secret:demo-a1B2c3',
    'arn:aws:secretsmanager:eu-central-1:12345678901:secret:demo-a1B2c3',
    'arn:aws:secretsmanager:eu-central-1:123456789012:secret:demo',
    'arn:aws:secretsmanager:eu-central-1:123456789012:secret:demo-*',
    `${ARN}:bng-1::9e6cbbd2-5f5e-4a3c-8f7e-0d5d6f0e8b11`,
  ])('is no other ARN: %s', (text) => {
    expect(parseSecretReference(text)).toEqual({
      ok: false,
      reason:
        'expected arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-123456, followed by :KEY:STAGE if needed',
    });
  });

  it.each(['$BNG_1_SECRET', '$s', '$_x'])('has braces where it names a variable: %s', (text) => {
    expect(parseSecretReference(text)).toEqual({
      ok: false,
      reason: `expected \${NAME}, with braces; a secret that looks like $NAME has to be in a variable or a file`,
    });
  });

  it.each([
    'x$' + '{VAR}',
    '$' + '{VAR}x',
    '$' + '{VAR:-x}',
    '$' + '{BNG-1}',
    '$' + '{VAR',
    'file:$' + '{FOLDER}/bng-1',
    'arn:aws:secretsmanager:$' + '{REGION}:123456789012:secret:demo-a1B2c3',
  ])('is no variable in the midst of other text: %s', (text) => {
    expect(parseSecretReference(text)).toEqual({
      ok: false,
      reason: `expected \${NAME} and nothing else, or a secret without "\${"`,
    });
  });
});
