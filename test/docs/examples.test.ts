import { describe, expect, it } from 'vitest';
import { parseSiteFile } from '../../core/config/site-file.ts';
import { codeBlocks, codeWords, read } from './markdown.ts';

/** Of a part of a site file: demo.yaml has one feed, and this has two. */
const isOfFeeds = ({ text }: { readonly text: string }) =>
  text.includes('accountingFrom:') && !text.includes('site:');

const EXAMPLES = ['README.md', 'docs/reference.md'].flatMap((document) =>
  codeBlocks(read(document))
    .filter((block) => block.language === 'yaml' && !isOfFeeds(block))
    .map(({ lead, text }) => ({
      document,
      file: codeWords(lead).find((word) => word.endsWith('.yaml')) ?? 'no file is named before it',
      text,
    })),
);

describe('an example of configuration', () => {
  it('is there for either kind of file', () => {
    expect(new Set(EXAMPLES.map(({ file }) => file))).toEqual(
      new Set(['config/services.yaml', 'config/sites/demo.yaml']),
    );
  });

  it.each(EXAMPLES)('in $document stands in $file, line by line', ({ file, text }) => {
    expect(`\n${read(file)}`).toContain(`\n${text}`);
  });
});

it('the example of feeds is a part of a site file', () => {
  const [example, ...others] = codeBlocks(read('docs/reference.md')).filter(isOfFeeds);
  expect(others).toEqual([]);
  const rest = `
clients: [{ name: policy, source: 10.0.0.0/24, secret: a }]
nases: [{ name: bng-1, address: 192.0.2.1:3799, secret: a, identifiedBy: [192.0.2.1] }]
`;
  const { accountingFrom } = parseSiteFile('demo.yaml', `site: demo\n${example?.text}${rest}`);
  expect(accountingFrom.map(({ mode }) => mode)).toEqual(['proxy', 'copy']);
});

describe('the site files of docs/deploy.md', () => {
  const files = codeBlocks(read('docs/deploy.md')).filter(({ language }) => language === 'yaml');

  it('are two: for a host at the site, and for a relay in the Region', () => {
    expect(files).toHaveLength(2);
  });

  it('are a whole one, which parses', () => {
    expect(parseSiteFile('demo.yaml', files[0]?.text ?? '')).toMatchObject({ site: 'demo' });
  });

  it('have what a relay in the Region needs', () => {
    const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:interlock/demo-a1B2c3';
    const others = `
clients: [{ name: policy, source: 10.0.0.0/24, secret: "${secret}:policy" }]
nases: [{ name: bng-1, address: 10.0.1.1:3799, secret: "${secret}:bng-1", identifiedBy: [10.0.1.1] }]
`;
    expect(parseSiteFile('demo.yaml', `${files[1]?.text}${others}`)).toMatchObject({ site: 'demo' });
  });
});
