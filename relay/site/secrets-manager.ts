// The shell around AWS Secrets Manager.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { describeError } from '../telemetry/describe-error.ts';
import type { ReadStoredSecret } from './secrets.ts';

/**
 * Reads secrets, each from the region that its ARN names. A call, retries of the client among it, may take
 * `callTimeoutMs`. Nothing is made before the first call.
 */
export function secretsManager({ callTimeoutMs = 10_000 } = {}): ReadStoredSecret {
  const clients = new Map<string, SecretsManagerClient>();
  return async ({ arn, region, versionStage }) => {
    const client = clients.get(region) ?? new SecretsManagerClient({ region });
    clients.set(region, client);
    const command = new GetSecretValueCommand({ SecretId: arn, VersionStage: versionStage });
    const abortSignal = AbortSignal.timeout(callTimeoutMs);
    // The signal does not reach what looks for credentials.
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
