// As much of Markdown as the tests of the documents need.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** Every Markdown file of the project, relative to its root. */
export const DOCUMENTS: readonly string[] = globSync('**/*.md', {
  cwd: ROOT,
  exclude: ['**/node_modules', 'cdk.out', 'coverage', '.interlock'],
});

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** The last line with text before it. */
  readonly lead: string;
}

const FENCED = /^( *)```(\w*)\n([\s\S]*?)^\1```$/gm;

export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return [...markdown.matchAll(FENCED)].map(({ index, 2: language = '', 3: text = '' }) => ({
    language,
    text,
    lead: markdown.slice(0, index).trimEnd().split('\n').at(-1) ?? '',
  }));
}

/** The document without its code blocks. */
export const prose = (markdown: string) => markdown.replaceAll(FENCED, '');

/** The part under a heading, up to the next heading of the same level or a higher one. */
export function section(markdown: string, heading: string): string {
  const blocks = [...markdown.matchAll(FENCED)].map(({ index, 0: block }) => [index, index + block.length]);
  // A comment in a code block looks like a heading.
  const headings = [...markdown.matchAll(/^(#+) (.+)$/gm)].filter(
    ({ index }) => !blocks.some(([from = 0, to = 0]) => from <= index && index < to),
  );
  const position = headings.findIndex(({ 2: text }) => text === heading);
  const start = headings[position];
  if (start === undefined) throw new Error(`there is no heading ${heading}`);
  const [line, level = ''] = start;
  const end = headings.slice(position + 1).find(({ 1: other = '' }) => other.length <= level.length);
  return markdown.slice(start.index + line.length, end?.index);
}

/** The rows of all tables, each a list of cells; without heads. */
export function tableRows(markdown: string): readonly (readonly string[])[] {
  const tables = prose(markdown).matchAll(/^\|.*\|\n\|[-|: ]+\|\n((?:\|.*\|\n?)*)/gm);
  return [...tables].flatMap(({ 1: rows = '' }) =>
    rows
      .trimEnd()
      .split('\n')
      .filter((row) => row !== '')
      .map((row) =>
        row
          .slice(1, -1)
          .split(/(?<!\\)\|/)
          .map((cell) => cell.trim()),
      ),
  );
}

/** What is written as `code`. */
export const codeWords = (text: string): readonly string[] =>
  [...text.matchAll(/`([^`\n]+)`/g)].map(({ 1: word = '' }) => word);

/** The anchors of the headings, as GitHub makes them. */
export function anchors(markdown: string): ReadonlySet<string> {
  const headings = [...prose(markdown).matchAll(/^#+ (.+)$/gm)].map(({ 1: heading = '' }) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Where the links go: `docs/runbook.md#a-relay-is-silent`. */
export function links(markdown: string): readonly string[] {
  return [...prose(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(({ 1: target = '' }) => target);
}
