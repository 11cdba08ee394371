import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openCheckpoints } from '../../../../local/cloud/event-source-mapper/checkpoints.ts';

async function temporaryFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'interlock-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'account.json');
}

describe('checkpoints', () => {
  it('are remembered shard by shard', () => {
    const checkpoints = openCheckpoints('stream');
    checkpoints.write('one', '1');
    checkpoints.write('two', '2');
    checkpoints.write('one', '3');
    expect(['one', 'two', 'three'].map(checkpoints.read)).toEqual(['3', '2', undefined]);
  });

  it('are there again when their file is opened again', async () => {
    const file = await temporaryFile();
    openCheckpoints('stream', file).write('one', '1');
    openCheckpoints('stream', file).write('two', '2');
    expect(['one', 'two'].map(openCheckpoints('stream', file).read)).toEqual(['1', '2']);
    expect(await readdir(join(file, '..'))).toEqual(['account.json']);
  });

  it('of a stream that was deleted do not count for its successor', async () => {
    const file = await temporaryFile();
    openCheckpoints('stream of yesterday', file).write('one', '1');
    expect(openCheckpoints('stream', file).read('one')).toBeUndefined();
  });

  it('are refused when the file holds something else', async () => {
    const file = await temporaryFile();
    await writeFile(file, '{"shards":{}}');
    expect(() => openCheckpoints('stream', file)).toThrow(`${file}: expected checkpoints`);
  });
});
