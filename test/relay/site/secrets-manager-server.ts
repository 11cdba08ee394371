// Secrets Manager on this machine, as far as the relay needs it: GetSecretValue in its JSON protocol, over HTTP.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { LOCALHOST } from '../support.ts';

export interface SecretsManagerServer {
  readonly endpoint: string;
  /** What was asked for, as `REGION ARN STAGE`. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

/**
 * Starts it with what it has under `ARN STAGE`: text, octets, or undefined for a question that it leaves unanswered. It
 * denies access to everything else.
 */
export async function startSecretsManager(
  secrets: Readonly<Record<string, string | Buffer | undefined>>,
): Promise<SecretsManagerServer> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const { SecretId: arn, VersionStage: stage } = JSON.parse(await text(request));
    const [, region] =
      /Credential=[^/]+\/\d+\/([^/]+)\/secretsmanager\//.exec(String(request.headers.authorization)) ?? [];
    asked.push(`${region} ${arn} ${stage}`);
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    const name = `${arn} ${stage}`;
    const secret = secrets[name];
    if (request.headers['x-amz-target'] !== 'secretsmanager.GetSecretValue') {
      answer(400, { __type: 'UnknownOperationException' });
    } else if (!(name in secrets)) {
      answer(400, { __type: 'AccessDeniedException', Message: 'the relay is not authorized' });
    } else if (typeof secret === 'string') {
      answer(200, { ARN: arn, SecretString: secret });
    } else if (secret !== undefined) {
      answer(200, { ARN: arn, SecretBinary: secret.toString('base64') });
    }
  });
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  return {
    endpoint: `http://${LOCALHOST}:${(server.address() as AddressInfo).port}`,
    asked,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
