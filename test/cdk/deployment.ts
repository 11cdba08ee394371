import { outlineOf } from '../../cdk/site-outline.ts';
import { parseServicesFile } from '../../core/config/services-file.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { deploymentOf } from '../../core/deployment.ts';

export const STORED_SECRET_OF_NORTH =
  'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/north-a1B2c3';

/** Two sites. Every secret in their files has the word SECRET in it; one of north is in Secrets Manager. */
const files = [
  ['north', `"${STORED_SECRET_OF_NORTH}:accounting", "${STORED_SECRET_OF_NORTH}:accounting:AWSPREVIOUS"`],
  ['south', 'SECRET-2, SECRET-3'],
].map(([site, accountingSecrets]) => {
  const text = `
site: ${site}
relay: { coa: 127.0.0.1:3799, http: 127.0.0.1:9464 }
clients: [{ name: policy, source: 10.0.0.0/8, secret: SECRET-1 }]
accounting: [{ address: 127.0.0.1:1813, secret: [${accountingSecrets}] }]
nases: [{ name: bng-${site}, address: 127.0.0.1:3798, secret: SECRET-4, identifiedBy: [bng-${site}] }]
`;
  return { text, site: parseSiteFile(`${site}.yaml`, text) };
});

export const deployment = deploymentOf(
  parseServicesFile('services.yaml', 'services: { gold: { mutexGroup: 12 }, silver: { mutexGroup: 12 } }'),
  files.map(({ site }) => site),
);

export const sites = files.map(({ site, text }) => outlineOf(site, text));
