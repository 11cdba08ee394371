import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

  const demo = () => readFileSync(join(directory, 'sites/demo.yaml'), 'utf8');

  it('is refused when a file is not named after its site', () => {
    writeFileSync(join(directory, 'sites/north.yaml'), demo());

    expect(() => readDeployment(directory)).toThrow(
      "sites/north.yaml: site: expected north, like the file's name",
    );
  });

  it('is refused when two sites have a NAS of the same name', () => {
    writeFileSync(join(directory, 'sites/north.yaml'), demo().replace('site: demo', 'site: north'));

    expect(() => readDeployment(directory)).toThrow('the NAS name bng-1 is used by two sites');
  });

  it('is refused when it is not there', () => {
    const missing = join(directory, 'elsewhere');

    expect(() => readDeployment(missing)).toThrow(
      new ConfigurationError([`${join(missing, 'sites')}: cannot be read (ENOENT)`]),
    );
  });

  it('may hold other files', () => {
    writeFileSync(join(directory, 'sites/README.md'), 'how we name our sites');

    expect(readDeployment(directory).sites.map(({ name }) => name)).toEqual(['demo']);
  });
});
