import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

/**
 * Makes `index.mjs` in `directory` from the `lambda.ts` in a folder of `functions`, and writes `files`, content by
 * name, beside it. The AWS SDK stays outside: Lambda's runtime has it.
 */
export function bundle(folder: string, files: Readonly<Record<string, string>>, directory: string): void {
  buildSync({
    entryPoints: [join(import.meta.dirname, '../functions', folder, 'lambda.ts')],
    outfile: join(directory, 'index.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    external: ['@aws-sdk/*'],
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
}
