// Reads secrets from AWS Secrets Manager.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Clock } from '../clock.ts';
import { describeError } from '../telemetry/describe-error.ts';
import type { ReadStoredSecret } from './secrets.ts';

/**
 * Returns a function that reads secrets, each from the region of its ARN. A call may take `callTimeoutMs`, with the
 * retries of the SDK. No client is created before the first call.
 */
export function secretsManager(
  clock: Pick<Clock, 'abortAfter'>,
  { callTimeoutMs = 10_000 } = {},
): ReadStoredSecret {
  const clients = new Map<string, SecretsManagerClient>();
  return async ({ arn, region, versionStage }) => {
    const client = clients.get(region) ?? new SecretsManagerClient({ region });
    clients.set(region, client);
    const command = new GetSecretValueCommand({ SecretId: arn, VersionStage: versionStage });
    const abortSignal = clock.abortAfter(callTimeoutMs);
    // The SDK does not pass the signal on to what looks for credentials.
    const timeout = new Promise<never>((_, reject) => {
      abortSignal.onabort = () => reject(new Error(`no answer within ${callTimeoutMs / 1000} seconds`));
    });
    const answer = client.send(command, { abortSignal }).catch((error) => {
      throw new Error(describeError(error));
    });
    const { SecretString } = await Promise.race([timeout, answer]);
    if (SecretString === undefined) throw new Error('expected text, and the secret is binary');
    return SecretString;
  };
}
