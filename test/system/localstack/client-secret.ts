// The secret of the site's client in Secrets Manager, rotated once.
import assert from 'node:assert/strict';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { type LocalStack, REGION } from './localstack.ts';

export class ClientSecret {
  /** As a site file refers to it: the current one and the one before. */
  readonly references: readonly string[];
  readonly #arn: string;
  readonly #client: SecretsManagerClient;

  private constructor(arn: string, client: SecretsManagerClient) {
    this.references = [`${arn}:client`, `${arn}:client:AWSPREVIOUS`];
    this.#arn = arn;
    this.#client = client;
  }

  /** Creates it in LocalStack with the value `previous`, and then rotates it. */
  static async create({ endpoint }: LocalStack, previous: string): Promise<ClientSecret> {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const client = new SecretsManagerClient({ endpoint, region: REGION, credentials });
    const value = (secret: string) => ({ SecretString: JSON.stringify({ client: secret }) });
    const { ARN } = await client.send(
      new CreateSecretCommand({ Name: 'interlock/demo', ...value(previous) }),
    );
    assert(ARN !== undefined);
    await client.send(new PutSecretValueCommand({ SecretId: ARN, ...value('what nobody here has yet') }));
    return new ClientSecret(ARN, client);
  }

  /** Deletes it, and looks whether any secret is left. */
  async delete(): Promise<void> {
    await this.#client.send(
      new DeleteSecretCommand({ SecretId: this.#arn, ForceDeleteWithoutRecovery: true }),
    );
    const { SecretList } = await this.#client.send(new ListSecretsCommand());
    assert.deepEqual(SecretList, []);
  }
}
