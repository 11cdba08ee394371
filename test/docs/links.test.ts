import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchors, DOCUMENTS, links, ROOT, read } from './markdown.ts';

const LINKS = DOCUMENTS.flatMap((document) =>
  links(read(document))
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => [document, target] as const),
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
