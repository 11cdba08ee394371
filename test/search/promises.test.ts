import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Promised } from './promises/promise.ts';
import { PROMISES } from './promises/promises.ts';

/** Without markup, and with one blank for any white space. */
const plain = (text: string) => text.replaceAll(/[*`]/g, '').replaceAll(/\s+/g, ' ');
const readme = plain(readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8'));

test.each(PROMISES.map(({ sentence }) => sentence))('the README promises: %s', (sentence) => {
  expect(readme).toContain(plain(sentence));
});

test('every promise of the folder is checked', async () => {
  const folder = join(import.meta.dirname, 'promises');
  const others = ['observer.ts', 'promise.ts', 'promises.ts'];
  const files = readdirSync(folder).filter((file) => !others.includes(file));
  const promises = await Promise.all(files.map((file): Promise<Promised> => import(join(folder, file))));
  expect(PROMISES.map(({ sentence }) => sentence).sort()).toEqual(
    promises.map(({ sentence }) => sentence).sort(),
  );
});
