import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../lint/rooms.ts';
import { anchors, codeWords, DOCUMENTS, links, prose, ROOT, read } from './markdown.ts';

const LINKS = DOCUMENTS.flatMap((document) =>
  links(read(document))
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => [document, target] as const),
);

/** What is written as the path of a file or folder of the code: `test/search/model`. */
const PATHS = DOCUMENTS.flatMap((document) =>
  codeWords(prose(read(document)))
    .filter((word) =>
      new RegExp(`^(?:${[...Object.keys(ROOMS), 'config', 'docs'].join('|')})/[^ *]+$`).test(word),
    )
    .map((path) => [document, path] as const),
);

describe('a link', () => {
  it('is found where there is one', () => {
    expect(LINKS).toContainEqual(['README.md', 'docs/words.md']);
  });

  it.each(LINKS)('in %s leads somewhere: %s', (document, target) => {
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? document : normalize(join(dirname(document), path));
    expect(existsSync(join(ROOT, file)), file).toBe(true);
    if (anchor !== undefined) expect(anchors(read(file))).toContain(anchor);
  });
});

describe('a path', () => {
  it('is found where there is one', () => {
    expect(PATHS).toContainEqual(['README.md', 'config/services.yaml']);
  });

  it.each(PATHS)('in %s exists: %s', (_document, path) => {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
  });
});
