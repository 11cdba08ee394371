import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Secret, verifyRequest } from '../../../core/radius/authenticator.ts';
import type { ReadStoredSecret } from '../../../relay/site/secrets.ts';
import { readSite } from '../../../relay/site/site.ts';
import { EventRecorder, OLD_SECRET, packetOf, SECRET, signedRequest } from '../support.ts';

const TEXT = 'a secret of twenty-four.';
const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/demo-a1B2c3';
const readStoredSecret: ReadStoredSecret = async ({ arn }) => {
  if (arn !== ARN) throw new Error('AccessDeniedException: not for you');
  return TEXT;
};
const request = packetOf(signedRequest({ secret: SECRET }));

let folder: string;
let file: string;
let events: EventRecorder;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-site-'));
  file = join(folder, 'site.yaml');
  events = new EventRecorder();
});

afterEach(() => rm(folder, { recursive: true }));

const read = async (
  clientSecret: string,
  environment = {},
  accountingSecret = JSON.stringify(TEXT),
  nasSecret = JSON.stringify(TEXT),
  nas = '',
) => {
  await writeFile(
    file,
    `
site: test
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:8080" }
clients: [{ name: policy-server, source: 192.0.2.0/24, secret: ${clientSecret} }]
accounting: [{ address: "[::1]:1813", secret: ${accountingSecret} }]
nases: [{ name: bng-1, address: "192.0.2.1:3799", secret: ${nasSecret}, identifiedBy: [192.0.2.1]${nas} }]
`,
  );
  return readSite(file, environment, events.add, readStoredSecret);
};

test.each([
  ['as it stands', TEXT, {}],
  ['from the environment', '$' + '{COA_SECRET}', { COA_SECRET: TEXT }],
  ['from Secrets Manager', ARN, {}],
  ['from a file beside the site file, less its last newline', 'file:secret.txt', {}],
])('takes a secret %s', async (_, reference, environment) => {
  await writeFile(join(folder, 'secret.txt'), `${TEXT}\n`);
  const { clients } = await read(JSON.stringify(reference), environment);
  const [secret] = clients[0]?.secrets ?? [];
  expect(secret !== undefined && verifyRequest(request, secret)).toEqual({ ok: true });
  expect(events.all).toEqual([]);
});

test('gives what the relay needs to know', async () => {
  const site = await read(JSON.stringify([TEXT, 'its predecessor, as long']));
  expect(site).toMatchObject({
    name: 'test',
    coa: { address: '127.0.0.1', port: 3799 },
    http: { address: '127.0.0.1', port: 8080 },
    eventTimestampWindowSeconds: 300,
    clients: [
      {
        name: 'policy-server',
        sources: [{ address: '192.0.2.0', prefix: 24, family: 'ipv4' }],
        secrets: { length: 2 },
        requireMessageAuthenticator: false,
        requireEventTimestamp: false,
      },
    ],
    accounting: [{ name: '[::1]:1813', address: '::1', port: 1813, messageAuthenticator: false }],
    nases: [
      {
        name: 'bng-1',
        address: '192.0.2.1',
        port: 3799,
        secrets: { length: 1 },
        answerTimeoutSeconds: 30,
        messageAuthenticator: true,
        requireMessageAuthenticator: false,
        zeroAuthenticatorReplies: false,
      },
    ],
  });
});

test('takes an accounting server with two secrets for two servers', async () => {
  const { accounting } = await read(TEXT, {}, JSON.stringify([TEXT, 'its predecessor, as long']));
  expect(accounting.map(({ name }) => name)).toEqual(['[::1]:1813', '[::1]:1813 (previous secret)']);
});

test('takes the current secret of a NAS and the previous one, in this order', async () => {
  const environment = { NAS_SECRET: TEXT };
  const secrets = '["$' + '{NAS_SECRET}", "its predecessor, as long"]';
  const { nases } = await read(TEXT, environment, JSON.stringify(TEXT), secrets);
  const signed = (secret: Secret) => packetOf(signedRequest({ secret }));
  expect(
    nases[0]?.secrets.map((secret) => [SECRET, OLD_SECRET].map((by) => verifyRequest(signed(by), secret).ok)),
  ).toEqual([
    [true, false],
    [false, true],
  ]);
});

test('warns of secrets of twelve characters or fewer', async () => {
  await read('testing123', {}, JSON.stringify(['exactly12chr', 'thirteen char']), 'testing123');
  expect(events.all).toEqual([
    { kind: 'weak-secret', path: 'clients.0.secret' },
    { kind: 'weak-secret', path: 'accounting.0.secret' },
    { kind: 'weak-secret', path: 'nases.0.secret' },
  ]);
});

test('warns of a NAS that accounts its services itself', async () => {
  const secret = JSON.stringify(TEXT);
  await read(secret, {}, secret, secret, ', serviceAccounting: nas, enforcement: coa');
  expect(events.all).toEqual([
    {
      kind: 'configuration-warning',
      warning: expect.stringContaining(`${file}:6: nases.0.serviceAccounting: Interlock sends no Acct-Start`),
    },
  ]);
});

test('names everything that it cannot resolve', async () => {
  const other = ARN.replace('demo', 'other');
  await expect(read('"$' + '{COA_SECRET}"', {}, 'file:none.txt', other)).rejects.toThrow(
    [
      `${file}:4: clients.0.secret: expected a secret in the environment variable COA_SECRET`,
      `${file}:5: accounting.0.secret: expected a secret in the file ${join(folder, 'none.txt')}`,
      `${file}:6: nases.0.secret: ${other}: AccessDeniedException: not for you`,
    ].join('\n'),
  );
});

test('says that a site file cannot be read', async () => {
  await expect(readSite(join(folder, 'other.yaml'), {}, events.add, readStoredSecret)).rejects.toThrow(
    `${join(folder, 'other.yaml')}: cannot be read (ENOENT)`,
  );
});
