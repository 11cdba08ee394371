import { describe, expect, it } from 'vitest';
import type { SecretReference, StoredSecret } from '../../../core/config/secret-reference.ts';
import { resolveSecrets } from '../../../relay/site/secrets.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/demo-a1B2c3';
const stored = (changes: Partial<StoredSecret> = {}): StoredSecret => ({
  kind: 'stored',
  arn: ARN,
  region: 'eu-central-1',
  key: undefined,
  versionStage: 'AWSCURRENT',
  ...changes,
});

/** What becomes of references when Secrets Manager has this text, or in each version this one, and which it is asked. */
async function resolveStored(references: readonly SecretReference[], text: string | Record<string, string>) {
  const asked: string[] = [];
  const resolved = await resolveSecrets(references, {
    folder: '.',
    environment: {},
    readStoredSecret: async ({ arn, versionStage }) => {
      asked.push(`${arn} ${versionStage}`);
      const found = typeof text === 'string' ? text : text[versionStage];
      if (found === undefined) throw new Error(`ResourceNotFoundException: there is no ${versionStage}`);
      return found;
    },
  });
  return { asked, results: references.map((reference) => resolved.get(reference)) };
}

describe('a secret of Secrets Manager', () => {
  it('is the whole text, less a newline at its end', async () => {
    const { results } = await resolveStored([stored()], 'a secret of twenty-four.\n');
    expect(results).toEqual([{ ok: true, text: 'a secret of twenty-four.' }]);
  });

  it.each(['12345', '"quoted"', '{not JSON', 'null'])('may look like JSON: %s', async (text) => {
    expect((await resolveStored([stored()], text)).results).toEqual([{ ok: true, text }]);
  });

  it('is read once, however many of its keys are wanted, and once in each version', async () => {
    const references = [
      stored({ key: 'policy' }),
      stored({ key: 'bng-1' }),
      stored({ key: 'bng-1', versionStage: 'AWSPREVIOUS' }),
    ];
    const { asked, results } = await resolveStored(references, {
      AWSCURRENT: '{"policy":"one","bng-1":"two"}',
      AWSPREVIOUS: '{"bng-1":"three"}',
    });

    expect(results).toEqual(['one', 'two', 'three'].map((text) => ({ ok: true, text })));
    expect(asked).toEqual([`${ARN} AWSCURRENT`, `${ARN} AWSPREVIOUS`]);
  });

  it.each<[given: string, text: string, key: string | undefined, reason: string]>([
    ['a JSON object without a key', '{"bng-1":"two"}', undefined, 'expected ARN:KEY, with one of its keys'],
    ['a key that is not there', '{"bng-1":"two"}', 'bng-2', 'expected a secret in ARN under the key bng-2'],
    ['a key of every object', '{}', 'toString', 'expected a secret in ARN under the key toString'],
    ['a number', '{"bng-1":2}', 'bng-1', 'expected a secret in ARN under the key bng-1'],
    ['a key of what is not JSON', 'two', 'bng-1', 'expected a secret in ARN under the key bng-1'],
    ['nothing', '\n', undefined, 'expected a secret in ARN'],
  ])('is refused without being quoted: %s', async (_, text, key, reason) => {
    const { results } = await resolveStored([stored({ key })], text);
    const prefix = reason.includes('ARN:KEY') ? `${ARN}: ` : '';
    expect(results).toEqual([{ ok: false, reason: prefix + reason.replace(/ARN(?!:)/, ARN) }]);
  });

  it('is refused with the reason of AWS', async () => {
    const { results } = await resolveStored([stored({ versionStage: 'AWSPREVIOUS' })], {});
    expect(results).toEqual([
      { ok: false, reason: `${ARN}: ResourceNotFoundException: there is no AWSPREVIOUS` },
    ]);
  });
});
