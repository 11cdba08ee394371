import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { App } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterlockStack } from '../../cdk/interlock-stack.ts';
import { nasNames, nasSites } from '../../core/deployment.ts';
import { deployment, sites } from './deployment.ts';

// Inside the project, so that a bundle finds the AWS SDK that on AWS its runtime brings along.
const CDK_OUT = join(import.meta.dirname, '../../cdk.out');

describe('the bundled functions', () => {
  let output: string;
  /** Asset folders, by the file beside the code: decide's and ingest's, sweep's and account's. */
  let decide: string;
  let ingest: string;
  let sweep: string;
  let account: string;

  beforeAll(() => {
    mkdirSync(CDK_OUT, { recursive: true });
    output = mkdtempSync(join(CDK_OUT, 'test-'));
    const app = new App({ outdir: output, builtinCloudFormationValidation: false });
    new InterlockStack(app, 'Interlock', { deployment, sites });
    app.synth();
    const assets = readdirSync(output).filter((name) => name.startsWith('asset.'));
    const filesOf = (asset: string) => readdirSync(join(output, asset));
    const codeOf = (asset: string) => readFileSync(join(output, asset, 'index.mjs'), 'utf8');
    const folder = (file: string, isMeant: (code: string) => boolean = () => true) => {
      const [found = '', ...others] = assets.filter(
        (asset) => filesOf(asset).includes(file) && isMeant(codeOf(asset)),
      );
      expect(others).toEqual([]);
      return join(output, found);
    };
    // Only ingest knows of restarts of a NAS.
    decide = folder('deployment.json', (code) => !code.includes('RESTART#'));
    ingest = folder('deployment.json', (code) => code.includes('RESTART#'));
    sweep = folder('nas-names.json');
    account = folder('nas-sites.json');
  });

  afterAll(() => rmSync(output, { recursive: true }));

  it('have decide and ingest told what is deployed, sweep the names of the NASes, and account their sites', () => {
    for (const folder of [decide, ingest]) {
      expect(readdirSync(folder).sort()).toEqual(['deployment.json', 'index.mjs', 'index.mjs.map']);
      expect(JSON.parse(readFileSync(join(folder, 'deployment.json'), 'utf8'))).toEqual(deployment);
    }
    expect(readdirSync(sweep).sort()).toEqual(['index.mjs', 'index.mjs.map', 'nas-names.json']);
    expect(new Map(JSON.parse(readFileSync(join(sweep, 'nas-names.json'), 'utf8')))).toEqual(
      nasNames(deployment),
    );
    expect(readdirSync(account).sort()).toEqual(['index.mjs', 'index.mjs.map', 'nas-sites.json']);
    expect(new Map(JSON.parse(readFileSync(join(account, 'nas-sites.json'), 'utf8')))).toEqual(
      nasSites(deployment),
    );
  });

  it('and their template hold no secret of a site', () => {
    const files = readdirSync(output, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );

    expect(files.length).toBeGreaterThan(5);
    for (const { parentPath, name } of files) {
      expect(readFileSync(join(parentPath, name), 'utf8'), name).not.toContain('SECRET-');
    }
  });

  it('are small: decide, which checks each item with a schema, has less than 130,000 bytes, and the others have less', () => {
    const bytes = (folder: string) => statSync(join(folder, 'index.mjs')).size;

    expect(bytes(decide)).toBeLessThan(130_000);
    for (const folder of [ingest, account, sweep]) expect(bytes(folder)).toBeLessThan(bytes(decide));
  });

  it('load as the runtime loads them', () => {
    const handlers = [decide, ingest, account, sweep].map(
      (folder) => pathToFileURL(join(folder, 'index.mjs')).href,
    );
    const script = `for (const file of ${JSON.stringify(handlers)}) console.log(typeof (await import(file)).handler);`;
    const env = {
      AWS_REGION: 'eu-central-1',
      TABLE_NAME: 'sessions',
      OUTBOX_URLS: '{}',
      INBOX_URLS: '{}',
      FEED_URLS: '{}',
      ACCOUNTING_URLS: '{}',
      DUE_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/interlock-due',
      DEPLOYMENT_FILE: join(decide, 'deployment.json'),
      NAS_NAMES_FILE: join(sweep, 'nas-names.json'),
      NAS_SITES_FILE: join(account, 'nas-sites.json'),
    };
    const options = ['--enable-source-maps', '--input-type=module', '-e', script];

    expect(execFileSync(process.execPath, options, { encoding: 'utf8', env })).toBe('function\n'.repeat(4));
  });
});
