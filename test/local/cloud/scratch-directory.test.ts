import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeScratchDirectory } from '../../../local/cloud/scratch-directory.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');
const OLD = new Date(NOW - 120_000);

async function newParent(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'interlock-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  return parent;
}

it('is removed with its files', async () => {
  const parent = await newParent();
  const { path, remove } = makeScratchDirectory(NOW, parent);
  writeFileSync(join(path, 'file'), 'x');
  remove();
  expect(readdirSync(parent)).toEqual([]);
});

it('is removed by the next process where its own was killed, and by no other while it is used', async () => {
  const parent = await newParent();
  const used = makeScratchDirectory(NOW, parent);
  onTestFinished(used.remove);
  utimesSync(used.path, OLD, OLD);
  const abandoned = join(parent, 'interlock-scratch-abandoned');
  const young = join(parent, 'interlock-scratch-young');
  const foreign = join(parent, 'another');
  for (const path of [abandoned, young, foreign]) {
    mkdirSync(path);
    writeFileSync(join(path, 'dynamodb.db'), 'x');
    utimesSync(path, OLD, OLD);
  }
  utimesSync(young, new Date(NOW), new Date(NOW));
  onTestFinished(makeScratchDirectory(NOW, parent).remove);
  expect([used.path, young, foreign, abandoned].map((path) => existsSync(path))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
