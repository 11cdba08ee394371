import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { findDynoxide, startDynoxide } from '../../../local/cloud/dynoxide.ts';
import { ensureTable } from '../../../local/cloud/table.ts';
import { dynoxide, LOCAL } from './emulators.ts';

const onDeath = (reason: string) => expect.fail(reason);

function client(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({ endpoint, ...LOCAL, maxAttempts: 1 });
}

describe.skipIf(dynoxide.skip)(dynoxide.title('dynoxide'), () => {
  it('answers as soon as it has started', async () => {
    const { endpoint, stop } = await startDynoxide({ onDeath });
    onTestFinished(stop);
    const { TableNames } = await client(endpoint).send(new ListTablesCommand());
    expect(TableNames).toEqual([]);
  });

  it('keeps its tables in the file over a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'interlock-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const databaseFile = join(directory, 'tables.db');
    const first = await startDynoxide({ databaseFile, onDeath });
    await ensureTable(client(first.endpoint), 'kept');
    await first.stop();
    const second = await startDynoxide({ databaseFile, onDeath });
    onTestFinished(second.stop);
    const { TableNames } = await client(second.endpoint).send(new ListTablesCommand());
    expect(TableNames).toEqual(['kept']);
  });

  it('listens on the port that is asked for, or says why it cannot', async () => {
    const first = await startDynoxide({ onDeath });
    onTestFinished(first.stop);
    const port = Number(new URL(first.endpoint).port);
    await expect(startDynoxide({ port, onDeath })).rejects.toThrow(`port ${port} is already in use`);
    await first.stop();
    const second = await startDynoxide({ port, onDeath });
    onTestFinished(second.stop);
    expect(second.endpoint).toBe(first.endpoint);
  });

  it('tells when it ends though nobody stopped it', async () => {
    const reason = new Promise<string>((resolve) => {
      startDynoxide({ onDeath: resolve }).then(({ pid }) => process.kill(pid ?? Number.NaN, 'SIGKILL'));
    });
    expect(await reason).toContain('dynoxide ended (SIGKILL)');
  });

  it('does not outlive the process that started it', async () => {
    const { parent, isReachable } = await startInAnotherProcess();
    expect(await isReachable()).toBe(true);
    parent.kill('SIGKILL');
    await vi.waitUntil(async () => !(await isReachable()), { timeout: 10_000 });
  });

  it('leaves no file behind, whether it is stopped or its process is killed', async () => {
    const { parent, scratchFiles } = await startInAnotherProcess();
    expect(await scratchFiles()).toHaveLength(1);
    parent.kill('SIGKILL');
    await vi.waitUntil(async () => (await scratchFiles()).length === 0, { timeout: 10_000 });
    const stopped = await startInAnotherProcess();
    expect(await stopped.scratchFiles()).toHaveLength(1);
    stopped.parent.kill('SIGTERM');
    await vi.waitUntil(async () => (await stopped.scratchFiles()).length === 0, { timeout: 10_000 });
  });

  it('leaves Ctrl-C to the process that started it', async () => {
    const { parent, lines, isReachable } = await startInAnotherProcess();
    const interrupted = once(lines, 'line');
    process.kill(-(parent.pid ?? Number.NaN), 'SIGINT');
    expect(await interrupted).toEqual(['interrupted']);
    expect(await isReachable()).toBe(true);
  });
});

async function startInAnotherProcess() {
  const path = new URL('../../../local/cloud/dynoxide.ts', import.meta.url).href;
  const script = `const { startDynoxide } = await import('${path}');
    process.on('SIGINT', () => process.stdout.write('interrupted\\n'));
    const { endpoint, stop } = await startDynoxide({ onDeath() {} });
    process.on('SIGTERM', stop);
    process.stdout.write(endpoint + '\\n');`;
  const TMPDIR = await mkdtemp(join(tmpdir(), 'interlock a '));
  onTestFinished(() => rm(TMPDIR, { recursive: true }));
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: 'pipe',
    detached: true,
    env: { ...process.env, TMPDIR },
  });
  onTestFinished(() => {
    parent.kill('SIGKILL');
  });
  const lines = createInterface({ input: parent.stdout });
  const [endpoint] = await once(lines, 'line');
  const answer = () => client(endpoint).send(new ListTablesCommand());
  const isReachable = () =>
    answer().then(
      () => true,
      () => false,
    );
  return { parent, lines, isReachable, scratchFiles: () => readdir(TMPDIR) };
}

describe('findDynoxide', () => {
  it('names the way out on a machine that dynoxide is not installed for', () => {
    expect(() => findDynoxide('plan9-mips')).toThrow(
      'the embedded DynamoDB needs the npm package @dynoxide/plan9-mips, which is not installed here: ' +
        'give the endpoint of another DynamoDB with --dynamodb URL or AWS_ENDPOINT_URL_DYNAMODB=URL',
    );
  });
});
