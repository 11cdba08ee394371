import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDeployment } from '../../cdk/read-deployment.ts';
import { ConfigurationError } from '../../core/config/problems.ts';

const SHIPPED = join(import.meta.dirname, '../../config');

describe('the configuration that is shipped', () => {
  it('is the demonstration: five services and a voice beside them, one site with one NAS', () => {
    const { catalogue, nasesBySite } = readDeployment(SHIPPED).deployment;

    expect(Object.entries(catalogue.services).map(([name, { groups }]) => [name, ...groups])).toEqual([
      ['tiered', 12],
      ['gold', 12],
      ['silver', 12],
      ['bronze', 12],
      ['video', 7],
      ['voice'],
    ]);
    expect(catalogue.refusingGroups).toEqual([]);
    expect(nasesBySite).toEqual({
      demo: [
        {
          profile: expect.objectContaining({
            site: 'demo',
            name: 'bng-1',
            dialect: 'erx',
            enforcement: 'coa',
          }),
          identifiedBy: ['192.0.2.1', 'bng-1'],
          formerly: [],
        },
      ],
    });
  });

  it('has secrets, and they are not in what is deployed', () => {
    expect(readFileSync(join(SHIPPED, 'sites/demo.yaml'), 'utf8')).toContain('testing123');
    expect(JSON.stringify(readDeployment(SHIPPED))).not.toContain('testing123');
  });
});

describe('a folder of site files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'interlock-config-'));
    cpSync(SHIPPED, directory, { recursive: true });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const site = (file: string) => join(directory, 'sites', file);
  const demo = () => readFileSync(site('demo.yaml'), 'utf8');

  it('is refused when a file is not named after its site', () => {
    writeFileSync(site('north.yaml'), demo());

    expect(() => readDeployment(directory)).toThrow(
      new ConfigurationError([`${site('north.yaml')}: site: expected north, like the file's name`]),
    );
  });

  it('is refused when two sites have a NAS of the same name', () => {
    writeFileSync(site('north.yaml'), demo().replace('site: demo', 'site: north'));

    expect(() => readDeployment(directory)).toThrow(
      new ConfigurationError([
        `${site('north.yaml')}: nases: the name bng-1 is already taken in ${site('demo.yaml')}`,
      ]),
    );
  });

  it.each([
    ['the name of a NAS', 'name: bng-0', 'name: NAME\n    formerly: [bng-0]'],
    ['a name that a NAS had', 'name: NAME\n    formerly: [bng-0]', 'name: NAME\n    formerly: [bng-0]'],
  ])('is refused when a NAS had %s of another site', (_, here, there) => {
    const original = demo();
    const named = (name: string, line: string) => original.replace('name: bng-1', line.replace('NAME', name));
    writeFileSync(site('demo.yaml'), named('bng-1', here));
    writeFileSync(site('north.yaml'), named('bng-2', there).replace('site: demo', 'site: north'));
    expect(() => readDeployment(directory)).toThrow(
      new ConfigurationError([
        `${site('north.yaml')}: nases: the name bng-0 is already taken in ${site('demo.yaml')}`,
      ]),
    );
  });

  it('is refused with all that is wrong in its files', () => {
    writeFileSync(site('demo.yaml'), demo().replace('site: demo', 'site: de mo'));
    writeFileSync(join(directory, 'services.yaml'), 'services: {}');
    expect(() => readDeployment(directory)).toThrow(
      new ConfigurationError([
        `${join(directory, 'services.yaml')}:1: services: expected at least one service`,
        `${site('demo.yaml')}:3: site: expected a name of letters, digits, "-" and "_", at most 48`,
      ]),
    );
  });

  it('is refused when it is not there', () => {
    const missing = join(directory, 'elsewhere');

    expect(() => readDeployment(missing)).toThrow(
      new ConfigurationError([`${join(missing, 'sites')}: cannot be read (ENOENT)`]),
    );
  });

  it('is refused with the path of the file in which something is wrong', () => {
    writeFileSync(site('demo.yaml'), demo().replace('site: demo', 'site: de mo'));

    expect(() => readDeployment(directory)).toThrow(`${site('demo.yaml')}:3: site: expected a name of`);
  });

  it('is refused when it has other files, which might be sites', () => {
    writeFileSync(site('README.md'), 'how we name our sites');
    renameSync(site('demo.yaml'), site('demo.yml'));

    expect(() => readDeployment(directory)).toThrow(
      new ConfigurationError(
        ['README.md', 'demo.yml'].map(
          (name) => `${site(name)}: expected nothing but site files, such as demo.yaml`,
        ),
      ),
    );
  });

  it('and a catalogue: a volume of which no NAS is told is refused, and one of which some are not is a warning', () => {
    const services = join(directory, 'services.yaml');
    const catalogue = readFileSync(services, 'utf8');
    writeFileSync(services, catalogue.replace('gold: {', 'gold: { volumeMegabytes: 100,'));
    const untold = `${services}:9: services.gold.volumeMegabytes: bng-1 is not told of it (serviceAccounting: interlock), so that its activation there gets CoA-NAK 501`;
    expect(() => readDeployment(directory)).toThrow(new ConfigurationError([untold]));

    const other = demo().replace('site: demo', 'site: north').replaceAll('bng-1', 'bng-2');
    writeFileSync(site('north.yaml'), other.replace('dialect: erx', 'serviceAccounting: nas'));
    expect(readDeployment(directory).warnings).toEqual([
      untold,
      expect.stringMatching(/north\.yaml:\d+: nases\.0\.serviceAccounting: Interlock sends no Acct-Start/),
    ]);
  });

  it('may have hidden files', () => {
    writeFileSync(site('.demo.yaml.swp'), 'what an editor leaves');

    expect(readDeployment(directory).sites.map(({ name }) => name)).toEqual(['demo']);
  });

  it('is refused when it is empty', () => {
    rmSync(site('demo.yaml'));

    expect(() => readDeployment(directory)).toThrow(
      new ConfigurationError([
        `${join(directory, 'sites')}: expected at least one site file, such as demo.yaml`,
      ]),
    );
  });
});
