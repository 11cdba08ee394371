import { parseServicesFile } from '../../core/config/services-file.ts';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { deploymentOf } from '../../core/deployment.ts';

/** A deployment of two sites. Every secret in their files has the word SECRET in it. */
export const deployment = deploymentOf(
  parseServicesFile('services.yaml', 'services: { gold: { mutexGroup: 12 }, silver: { mutexGroup: 12 } }'),
  ['north', 'south'].map((site) =>
    parseSiteFile(
      `${site}.yaml`,
      `
site: ${site}
relay: { coa: 127.0.0.1:3799, http: 127.0.0.1:9464 }
clients: [{ name: policy, source: 10.0.0.0/8, secret: SECRET-1 }]
accounting: [{ address: 127.0.0.1:1813, secret: [SECRET-2, SECRET-3] }]
nases: [{ name: bng-${site}, address: 127.0.0.1:3798, secret: SECRET-4, identifiedBy: [bng-${site}] }]
`,
    ),
  ),
);
