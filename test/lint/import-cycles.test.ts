import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

type Graph = ReadonlyMap<string, readonly string[]>;

/** The relative imports and re-exports of each file, of types too. */
function importsOf(files: Readonly<Record<string, string>>): Graph {
  return new Map(
    Object.entries(files).map(([file, text]) => {
      const specifiers = text.matchAll(
        /^(?:import|export|\})[^'"]*?from\s*'(\.[^']*)'|^import\s*'(\.[^']*)'/gm,
      );
      return [
        file,
        [...specifiers].map(([, from, bare]) => normalize(join(dirname(file), from ?? bare ?? ''))),
      ];
    }),
  );
}

/** One import cycle, its first file again at the end; undefined where there is none. */
function cycleIn(graph: Graph): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const imported of graph.get(file) ?? []) {
      const cycle = visit(imported, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  return [...graph.keys()].map((file) => visit(file, [])).find((cycle) => cycle !== undefined);
}

describe('the search for import cycles', () => {
  it.each([
    ["import type { B } from './b.ts';", "import { A } from './a.ts';"],
    ["import {\n  type B,\n} from './b.ts';", "export type { A } from './a.ts';"],
    ["import './b.ts';", "export * from '../core/a.ts';"],
  ])('sees one between %j and %j', (a, b) => {
    expect(cycleIn(importsOf({ 'core/a.ts': a, 'core/b.ts': b, 'core/c.ts': a }))).toEqual([
      'core/a.ts',
      'core/b.ts',
      'core/a.ts',
    ]);
  });

  it('sees none where two files import a third', () => {
    const c = "import { C } from './c.ts';";
    expect(cycleIn(importsOf({ 'core/a.ts': c, 'core/b.ts': c, 'core/c.ts': '' }))).toBeUndefined();
  });
});

it('the core has no import cycle', () => {
  const files = globSync('core/**/*.ts', { cwd: ROOT });
  const graph = importsOf(
    Object.fromEntries(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')])),
  );
  expect(graph.get('core/dialects/erx.ts')).toContain('core/dialects/dialect.ts');
  expect([...graph.values()].flat().filter((file) => !graph.has(file))).toEqual([]);
  expect(cycleIn(graph)).toBeUndefined();
});
