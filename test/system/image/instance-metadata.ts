// What `aws_signing_helper serve` is to an SDK: the instance metadata service, version 2, as far as credentials go.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface InstanceMetadata {
  /** For AWS_EC2_METADATA_SERVICE_ENDPOINT. */
  readonly endpoint: string;
  /** The access keys that it has given away. */
  readonly accessKeys: readonly string[];
  stop(): Promise<void>;
}

const ROLE = 'interlock-relay';
const CREDENTIALS = '/latest/meta-data/iam/security-credentials/';

/** Serves credentials to whoever shows a token. The first are good for a minute, those after them for an hour. */
export async function startInstanceMetadata(): Promise<InstanceMetadata> {
  const token = randomUUID();
  const accessKeys: string[] = [];
  const giveCredentials = () => {
    const AccessKeyId = `RELAY${accessKeys.length + 1}`;
    const secondsLeft = accessKeys.length === 0 ? 60 : 3600;
    accessKeys.push(AccessKeyId);
    return JSON.stringify({
      Code: 'Success',
      Type: 'AWS-HMAC',
      AccessKeyId,
      SecretAccessKey: randomUUID(),
      Token: randomUUID(),
      LastUpdated: new Date().toISOString(),
      Expiration: new Date(Date.now() + secondsLeft * 1000).toISOString(),
    });
  };
  const server = createServer(({ method, url, headers }, response) => {
    const request = `${method} ${url}`;
    if (request === 'PUT /latest/api/token') response.end(token);
    else if (headers['x-aws-ec2-metadata-token'] !== token) response.writeHead(401).end();
    else if (request === `GET ${CREDENTIALS}`) response.end(ROLE);
    else if (request === `GET ${CREDENTIALS}${ROLE}`) response.end(giveCredentials());
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    accessKeys,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
