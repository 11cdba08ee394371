import { describe, expect, it } from 'vitest';
import { nasAccountingWarnings, volumeWarnings } from '../../../core/config/accounting-warnings.ts';
import { parseServicesWithPlaces } from '../../../core/config/services-file.ts';
import { parseSiteWithPlaces } from '../../../core/config/site-file.ts';
import { problemsOf } from './problems-of.ts';

/** A site with NASes of these kinds, one a line from line 6 on. */
const site = (...nases: readonly string[]) =>
  parseSiteWithPlaces(
    'demo.yaml',
    `site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients: [{ name: policy, source: 127.0.0.1, secret: testing123 }]

nases:
${nases
  .map(
    (nas, index) =>
      `  - { name: bng-${index + 1}, address: "127.0.0.1:3798", secret: testing123, identifiedBy: [bng-${index + 1}], ${nas} }`,
  )
  .join('\n')}
`,
  );

const OURS = 'enforcement: coa';
const TOLD = 'enforcement: coa, serviceAccounting: nas';
const CISCO = 'enforcement: coa, serviceAccounting: nas, dialect: cisco';
const UNTOLD = 'serviceAccounting: nas';

describe('a NAS that accounts its services itself', () => {
  it('is a warning, and no error: Interlock sends nothing for it, and does not see what it sends', () => {
    expect(nasAccountingWarnings(site(OURS, TOLD))).toEqual([
      'demo.yaml:7: nases.1.serviceAccounting: Interlock sends no Acct-Start and no Acct-Stop for bng-2, and does not see those of the NAS',
    ]);
  });

  it.each([CISCO, UNTOLD])('is one that says more where it cannot be told of statistics: %s', (nas) => {
    expect(nasAccountingWarnings(site(nas))).toEqual([
      expect.stringMatching(/^demo\.yaml:6: .*, and cannot tell it of statistics, interval or volume$/),
    ]);
  });

  it('is one of two values', () => {
    expect(problemsOf(() => site('serviceAccounting: both'))).toEqual([
      'demo.yaml:6: nases.0.serviceAccounting: expected interlock or nas',
    ]);
  });
});

describe('a service with a volume', () => {
  const services = parseServicesWithPlaces(
    'services.yaml',
    'services:\n  gold: {}\n  quota:\n    volumeMegabytes: 100\n',
  );
  const line = (nas: string, why: string) =>
    `services.yaml:4: services.quota.volumeMegabytes: ${nas} is not told of it (${why}), so that its activation there gets CoA-NAK 501`;

  it('is nothing to be told of where each NAS is told', () => {
    expect(volumeWarnings(services, [site(TOLD).value])).toEqual([]);
  });

  it('is a warning for each NAS that is not told, where another one is', () => {
    expect(volumeWarnings(services, [site(OURS, TOLD).value, site(CISCO, UNTOLD).value])).toEqual([
      line('bng-1', 'serviceAccounting: interlock'),
      line('bng-1', 'dialect: cisco'),
      line('bng-2', 'enforcement: none'),
    ]);
  });

  it('is an error where no NAS is told', () => {
    expect(problemsOf(() => volumeWarnings(services, [site(OURS, CISCO).value]))).toEqual([
      line('bng-1', 'serviceAccounting: interlock'),
      line('bng-2', 'dialect: cisco'),
    ]);
  });
});
