import { describe, expect, it } from 'vitest';
import { clientWarnings, unknownServiceWarnings } from '../../../core/config/client-warnings.ts';
import { parseConfiguration } from '../../../core/config/configuration.ts';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { parseSiteWithPlaces } from '../../../core/config/site-file.ts';
import { deploymentOf } from '../../../core/deployment.ts';
import { problemsOf } from './problems-of.ts';

const SERVICES = 'services: { gold: {}, voice: { parameters: [rate] } }';

/** A site with these clients, one a line from line 4 on. */
const text = (...clients: readonly string[]) => `site: demo
relay: { coa: "127.0.0.1:3799", http: "127.0.0.1:9464" }
clients:
${clients
  .map(
    (rights, index) =>
      `  - { name: c${index + 1}, source: 192.0.2.${index + 1}, secret: testing123${rights && `, ${rights}`} }`,
  )
  .join('\n')}
nases:
  - { name: bng-1, formerly: [old-1], address: "127.0.0.1:3798", secret: testing123, identifiedBy: [bng-1] }
  - { name: bng-2, address: "127.0.0.2:3798", secret: testing123, identifiedBy: [bng-2] }
`;
const site = (...clients: readonly string[]) => parseSiteWithPlaces('demo.yaml', text(...clients));

describe('what a client may touch', () => {
  it('is everything, without a word, at a site with one client', () => {
    expect(clientWarnings(site(''))).toEqual([]);
    expect(deploymentOf(parseServicesFile('s.yaml', SERVICES), [site('').value]).rightsBySite).toEqual({});
  });

  it('is a warning where a site has several clients, for each that nothing restricts', () => {
    expect(clientWarnings(site('', 'operations: [activate]', ''))).toEqual(
      [0, 2].map(
        (index) =>
          `demo.yaml:${index + 4}: clients.${index}: c${index + 1} may switch and disconnect every subscriber of the site: nases, realms, services and operations restrict a client`,
      ),
    );
  });

  it('goes to decide with the names that NASes have today', () => {
    const { value } = site('nases: [old-1], realms: [ISP.example]', 'nases: [bng-2, bng-1]', '');
    expect(deploymentOf(parseServicesFile('s.yaml', SERVICES), [value]).rightsBySite).toEqual({
      demo: { c1: { nases: ['bng-1'], realms: ['isp.example'] }, c2: { nases: ['bng-1', 'bng-2'] }, c3: {} },
    });
  });

  it('is a warning where the catalogue has no such service: it may be one from log-in', () => {
    const parsed = site('services: [gold, basic]');
    const warning =
      'demo.yaml:4: clients.0.services.1: the catalogue has no service basic: c1 may deactivate it where a NAS has it from log-in, and nothing else';
    expect(unknownServiceWarnings(parsed, parseServicesFile('s.yaml', SERVICES))).toEqual([warning]);
    const files = [{ file: 'demo.yaml', text: text('services: [gold, basic]') }];
    expect(parseConfiguration({ file: 's.yaml', text: SERVICES }, files).warnings).toEqual([warning]);
  });

  it.each([
    ['nases: [bng-1, bng-3]', 'nases.1: expected a NAS of this site: bng-1, bng-2'],
    ['nases: []', 'nases: expected at least one of: names of NASes'],
    ['nases: bng-1', 'nases: expected a list of names of NASes'],
    ['nases: [bng-1, bng-1]', 'nases: expected each once'],
    [
      'realms: ["ann@isp1.com"]',
      'realms.0: expected a realm such as isp1.com, which is what follows the "@" of a User-Name',
    ],
    ['realms: [7]', 'realms.0: expected a realm such as isp1.com; put it in quotes'],
    ['services: ["voice(1)"]', 'services.0: expected no parentheses: they enclose parameters'],
    [
      'operations: [activate, delete]',
      'operations.1: expected an operation: activate, deactivate, disconnect',
    ],
    ['operations: []', 'operations: expected at least one of: activate, deactivate, disconnect'],
  ])('is refused, with its line and what was expected, as %s', (rights, problem) => {
    expect(problemsOf(() => site('', rights))).toEqual([`demo.yaml:5: clients.1.${problem}`]);
  });
});
