import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteFile } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { exampleLogOn, exampleRequest, reachable } from '../../../local/demo/example-request.ts';

interface Plan {
  readonly address?: string;
  readonly services?: string;
  /** What the NASes are identified by. */
  readonly nases?: readonly (readonly string[])[];
  readonly secret?: string;
}

function example({ address = '127.0.0.1', services = '{ gold: {} }', nases = [['bng-1']], ...plan }: Plan) {
  const site = parseSiteFile(
    'site.yaml',
    JSON.stringify({
      site: 'test',
      relay: { coa: '127.0.0.1:3799', http: '127.0.0.1:0' },
      clients: [{ name: 'policy', source: '127.0.0.1', secret: plan.secret ?? 'testing123' }],
      nases: nases.map((identifiedBy, index) => ({
        name: `bng-${index}`,
        address: '192.0.2.1:3799',
        secret: 'testing123',
        identifiedBy,
      })),
    }),
  );
  const catalogue = parseServicesFile('services.yaml', `services: ${services}`);
  const known = deploymentOf(catalogue, [site]).nasesBySite['test'] ?? [];
  const [client] = site.clients;
  return exampleRequest({ coaAddress: { address, port: 3799 }, catalogue, nases: known, client });
}

it('is a line for a shell, one attribute on each line for radclient', () => {
  const [printf = '', radclient] = example({}).split(' | ');
  expect(execFileSync('/bin/sh', ['-c', printf], { encoding: 'utf8' })).toBe(
    'User-Name = "client1@isp1.com"\nAcct-Session-Id = "0001"\nERX-Service-Activate:1 += "gold"\n',
  );
  expect(radclient).toBe('radclient -x 127.0.0.1:3799 coa testing123');
});

it('quotes the name of a service, for the shell and for radclient', () => {
  const services = JSON.stringify({ [`"it's" $5 \\n größe`]: {} });
  const [printf = ''] = example({ services }).split(' | ');
  expect(execFileSync('/bin/sh', ['-c', printf], { encoding: 'utf8' })).toContain(
    `ERX-Service-Activate:1 += "\\"it's\\" $5 \\\\n größe"\n`,
  );
});

it.each([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['192.0.2.9', '192.0.2.9'],
])('goes for %s to %s', (address, destination) => {
  expect(reachable({ address, port: 3799 })).toEqual({ address: destination, port: 3799 });
  expect(example({ address })).toContain(` ${destination}:3799 coa `);
});

it.each([
  [['bng-1', '192.0.2.1'], 'NAS-IP-Address = "192.0.2.1"'],
  [['2001:db8::1'], 'NAS-IPv6-Address = "2001:db8::1"'],
  [['bng-1'], 'NAS-Identifier = "bng-1"'],
])('names the NAS that is %s where the site has another one', (identifiedBy, attribute) => {
  expect(example({ nases: [identifiedBy] })).not.toContain('NAS-I');
  expect(example({ nases: [identifiedBy, ['bng-9']] })).toContain(` '${attribute}' `);
});

it.each([
  ['{ tiered: { parameters: [inputBW, outputBW] }, basic: {} }', 'basic'],
  ['{ tiered: { parameters: [inputBW, outputBW] } }', 'tiered(inputBW,outputBW)'],
])('activates of %s %s', (services, activation) => {
  expect(example({ services })).toContain(`"${activation}"`);
});

it.each([
  ['testing123', 'testing123'],
  ["it's $HOME", `'it'\\''s $HOME'`],
  ['$' + '{POLICY_SECRET}', 'SECRET'],
  ['file:secrets/policy', 'SECRET'],
])('has for the secret %s the word %s', (secret, word) => {
  expect(example({ secret }).split(' coa ')[1]).toBe(word);
});

it('has no secret where no client may ask from this machine', () => {
  const catalogue = parseServicesFile('services.yaml', 'services: { gold: {} }');
  const coaAddress = { address: '127.0.0.1', port: 3799 };
  expect(exampleRequest({ coaAddress, catalogue, nases: [], client: undefined })).toMatch(/ coa SECRET$/);
});

it('logs a subscriber on in the name of the NAS, with the secret of the feed', () => {
  const { accountingFrom, nases } = parseSiteFile(
    'demo.yaml',
    readFileSync('config/sites/demo.yaml', 'utf8'),
  );
  expect(nases).toHaveLength(1);
  const [feed] = accountingFrom;
  const logOn = exampleLogOn({ accountingAddress: { address: '0.0.0.0', port: 3797 }, nases: [], feed });
  const [printf = '', radclient] = logOn.split(' | ');
  expect(execFileSync('/bin/sh', ['-c', printf], { encoding: 'utf8' })).toBe(
    'Acct-Status-Type = Start\nAcct-Session-Id = "a1"\nUser-Name = "ann@isp"\n',
  );
  expect(radclient).toBe('radclient -x 127.0.0.1:3797 acct testing123');
});
