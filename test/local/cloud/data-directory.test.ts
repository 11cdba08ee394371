import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ConfigurationError } from '../../../core/config/problems.ts';
import { claimDataDirectory } from '../../../local/cloud/data-directory.ts';

const MODULE = join(import.meta.dirname, '../../../local/cloud/data-directory.ts');

/** In a directory that is there, one that is not, within another. */
async function newDirectory(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'interlock-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  return join(parent, 'state', 'data');
}

it('is for one owner at a time', async () => {
  const directory = await newDirectory();
  const first = claimDataDirectory(directory);
  expect(() => claimDataDirectory(directory)).toThrow(
    new ConfigurationError([
      `${directory}: process ${process.pid} uses this directory: stop it, or give another directory`,
    ]),
  );
  first.release();
  claimDataDirectory(directory).release();
});

it('names the process that has it, and is free again once that was killed', async () => {
  const directory = await newDirectory();
  const script = `const { claimDataDirectory } = await import('${MODULE}');
    const claim = claimDataDirectory('${directory}');
    process.stdout.write('claimed');
    setInterval(() => claim, 60_000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script]);
  onTestFinished(() => void owner.kill('SIGKILL'));
  await once(owner.stdout, 'data');
  expect(() => claimDataDirectory(directory)).toThrow(`process ${owner.pid} uses this directory`);
  const exit = once(owner, 'exit');
  owner.kill('SIGKILL');
  await exit;
  claimDataDirectory(directory).release();
});

it.each(['', '/inside'])('cannot be a file%s', (inside) => {
  expect(() => claimDataDirectory(MODULE + inside)).toThrow(
    new ConfigurationError([`${MODULE}${inside}: cannot be used as data directory (EEXIST)`]),
  );
});

it.runIf(process.platform === 'linux').each([
  ['/proc', 'unable to open database file'],
  ['/proc/interlock', 'ENOENT'],
])('cannot be %s, where nothing can be written', (directory, reason) => {
  expect(() => claimDataDirectory(directory)).toThrow(
    `${directory}: cannot be used as data directory (${reason})`,
  );
});
