import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StoredSecret } from '../../../core/config/secret-reference.ts';
import { systemClock } from '../../../relay/clock.ts';
import { secretsManager } from '../../../relay/site/secrets-manager.ts';
import { ManualClock } from '../manual-clock.ts';
import { type SecretsManagerServer, startSecretsManager } from './secrets-manager-server.ts';

const arnOf = (name: string) => `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-a1B2c3`;
const stored = (name: string, versionStage = 'AWSCURRENT'): StoredSecret => ({
  kind: 'stored',
  arn: arnOf(name),
  region: 'eu-west-1',
  key: undefined,
  versionStage,
});

let server: SecretsManagerServer;

beforeEach(async () => {
  server = await startSecretsManager({
    [`${arnOf('demo')} AWSCURRENT`]: 'new',
    [`${arnOf('demo')} AWSPREVIOUS`]: 'old',
    [`${arnOf('binary')} AWSCURRENT`]: Buffer.from('octets'),
    [`${arnOf('silent')} AWSCURRENT`]: undefined,
  });
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', server.endpoint);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_REGION', 'eu-central-1');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});

test('reads a version of a secret from the region that its ARN names', async () => {
  const read = secretsManager(systemClock);
  expect(await read(stored('demo'))).toBe('new');
  expect(await read(stored('demo', 'AWSPREVIOUS'))).toBe('old');
  expect(server.asked).toEqual([
    `eu-west-1 ${arnOf('demo')} AWSCURRENT`,
    `eu-west-1 ${arnOf('demo')} AWSPREVIOUS`,
  ]);
});

test.each([
  ['the reason of AWS', 'secret', 'AccessDeniedException: the relay is not authorized'],
  ['that a secret is not text', 'binary', 'expected text, and the secret is binary'],
])('says %s', async (_, name, reason) => {
  await expect(secretsManager(systemClock)(stored(name))).rejects.toThrow(reason);
});

test('says that nobody answers', async () => {
  const clock = new ManualClock();
  const reading = expect(secretsManager(clock)(stored('silent'))).rejects.toThrow(
    'no answer within 10 seconds',
  );
  await clock.advance(10_000);
  await reading;
});
