// The app as the CDK's command runs it, with what `-c` says.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { it as base, describe } from 'vitest';

const PROJECT = join(import.meta.dirname, '../..');
const CDK = join(PROJECT, 'node_modules/.bin/cdk');
const TOPIC = 'arn:aws:sns:eu-central-1:123456789012:interlock-alarms';
/** Of the whole command, which bundles the functions as well. */
const TIMEOUT_MS = 60_000;

interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

interface Run {
  readonly code: number | null;
  readonly printed: string;
  /** The resources of this type in the template. */
  resources(type: string): readonly Resource[];
}

/** A copy of the shipped configuration. */
class Configuration {
  readonly folder = mkdtempSync(join(tmpdir(), 'interlock-app-'));

  constructor() {
    cpSync(join(PROJECT, 'config'), this.folder, { recursive: true });
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  edit(file: string, from: string, to: string): void {
    writeFileSync(this.path(file), readFileSync(this.path(file), 'utf8').replace(from, to));
  }

  /** Runs `cdk synth` with this configuration, and with more context. */
  async synth(context: Readonly<Record<string, string>> = {}): Promise<Run> {
    const output = this.path('cdk.out');
    const switches = Object.entries({ config: this.folder, ...context }).flatMap((pair) => [
      '-c',
      pair.join('='),
    ]);
    const child = spawn(CDK, ['synth', '--quiet', '--output', output, ...switches], {
      cwd: PROJECT,
      // cdk.json has "node", which is to be this one.
      env: { ...process.env, PATH: dirname(process.execPath) + delimiter + process.env['PATH'] },
    });
    const [[code], ...printed] = await Promise.all([
      once(child, 'exit'),
      text(child.stdout),
      text(child.stderr),
    ]);
    const resources = (type: string) => {
      const template = JSON.parse(readFileSync(join(output, 'Interlock.template.json'), 'utf8'));
      return Object.values<Resource>(template.Resources).filter(({ Type }) => Type === type);
    };
    return { code, printed: printed.join(''), resources };
  }
}

const it = base.extend<{ configuration: Configuration }>({
  configuration: async ({ task: _ }, use) => {
    const configuration = new Configuration();
    await use(configuration);
    rmSync(configuration.folder, { recursive: true });
  },
});

describe.concurrent('cdk synth', { timeout: TIMEOUT_MS }, () => {
  it('takes the configuration, the protection and the topic that it is told', async ({
    configuration,
    expect,
  }) => {
    configuration.edit('sites/demo.yaml', 'site: demo', 'site: north');
    renameSync(configuration.path('sites/demo.yaml'), configuration.path('sites/north.yaml'));

    const context = { deletionProtection: 'false', alarmTopicArn: TOPIC };
    const { code, printed, resources } = await configuration.synth(context);

    expect(code, printed).toBe(0);
    const names = resources('AWS::SQS::Queue').map(({ Properties }) => String(Properties['QueueName']));
    expect(names).toContain('north-inbox.fifo');
    expect(names.filter((name) => name.startsWith('demo'))).toEqual([]);
    expect(resources('AWS::DynamoDB::Table')).toMatchObject([
      { DeletionPolicy: 'Delete', Properties: { DeletionProtectionEnabled: false } },
    ]);
    const actions = resources('AWS::CloudWatch::Alarm').map(({ Properties }) =>
      String(Properties['AlarmActions']),
    );
    expect([...new Set(actions)]).toEqual([TOPIC]);
  });

  it('says what follows from a configuration that is valid', async ({ configuration, expect }) => {
    configuration.edit('sites/demo.yaml', 'dialect: erx', 'dialect: erx\n    serviceAccounting: nas');

    const { code, printed } = await configuration.synth();

    expect(code, printed).toBe(0);
    expect(printed).toMatch(
      /warning.*demo\.yaml:\d+: nases\.0\.serviceAccounting: Interlock sends no Acct-Start/i,
    );
  });

  it('answers a mistake in the configuration with a sentence, and makes nothing', async ({
    configuration,
    expect,
  }) => {
    configuration.edit('services.yaml', 'gold: { mutexGroup: 12', 'gold: { mutexGroup: twelve');

    const { code, printed, resources } = await configuration.synth();

    expect(code).toBe(1);
    expect(printed).toMatch(
      /^\S+services\.yaml:9: services\.gold\.mutexGroup: expected a mutex group: a whole number$/m,
    );
    expect(printed).not.toMatch(/^ +at /m);
    expect(() => resources('AWS::SQS::Queue')).toThrow('ENOENT');
  });
});
