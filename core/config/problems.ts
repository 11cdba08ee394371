// Reads a YAML file that an operator wrote: gives its value, or everything that is wrong with it.
import * as v from 'valibot';
import { type Document, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, visit } from 'yaml';
import { printable } from '../printable.ts';

/**
 * A configuration file, or a command line, that cannot be used. The message has one line per problem, `file:line: path: reason`,
 * and then the usage, if there is one.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[], usage?: string) {
    const lines = problems.map(printable);
    super((usage === undefined ? lines : [...lines, usage]).join('\n'));
    this.problems = lines;
  }
}

/**
 * What a file may have. The YAML library takes time that grows with the square of some of these, and its stack for each level.
 * A site of 3,000 NASes has 700,000 characters.
 */
export const FILE_LIMITS = { characters: 1_000_000, aliases: 100, levels: 32, problems: 100 } as const;

/** A YAML file that fits its schema. */
export interface ParsedFile<T> {
  readonly value: T;
  /** A problem at `path`, as `file:line: path: reason`. */
  problem(path: readonly (string | number)[], reason: string): string;
}

/**
 * Parses `text` as YAML and checks it against `schema`.
 * @throws ConfigurationError naming file, line, path and what was expected, for everything that is wrong, or for the
 * first thing that is not YAML. It never quotes a value: it may be a secret.
 */
export function parseFile<S extends v.GenericSchema>(
  file: string,
  text: string,
  schema: S,
): ParsedFile<v.InferOutput<S>> {
  checkSize(file, text);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    // It would compare each key of a map with all before it.
    uniqueKeys: false,
  });
  // The mistakes after the first are often its consequences.
  const [mistake] = [...document.errors, ...document.warnings];
  if (mistake !== undefined) {
    const { line } = lines.linePos(mistake.pos[0]);
    const advice = UNQUOTED_REFERENCE.test(text.split('\n')[line - 1] ?? '') ? QUOTE_REFERENCES : '';
    throw new ConfigurationError([`${file}:${line}: ${withoutQuotation(mistake.message)}${advice}`]);
  }
  const problem = (path: readonly (string | number)[], reason: string) =>
    `${file}:${lineOf(document, lines, path)}: ${printable(path.join('.')) || 'the file'}: ${reason}`;
  const result = v.safeParse(schema, content(document, lines, file), { message: defaultReason });
  if (!result.success) {
    const shown = result.issues.slice(0, FILE_LIMITS.problems);
    const more = result.issues.length - shown.length;
    throw new ConfigurationError([
      ...shown.map((issue) =>
        problem(issue.path?.map((item) => item.key as string | number) ?? [], issue.message),
      ),
      ...(more === 0 ? [] : [`${file}: and ${more} more`]),
    ]);
  }
  return { value: result.output, problem };
}

const UNQUOTED_REFERENCE = /(?<!["'])\$\{/;
const QUOTE_REFERENCES = `; put "\${NAME}" in quotes inside { } and [ ]`;

/** @throws ConfigurationError when `text` is too long, has too many aliases, or too many levels, before it is parsed. */
function checkSize(file: string, text: string): void {
  const { characters, aliases, levels } = FILE_LIMITS;
  if (text.length > characters)
    throw new ConfigurationError([
      `${file}: expected at most ${characters} characters, and not ${text.length}`,
    ]);
  let line = 1;
  let aliasCount = 0;
  /** Brackets that are open, indicators `-` and `?` on this line, and the indentations of the lines around this one. */
  let brackets = 0;
  let indicators = 0;
  const indentations: number[] = [];
  let isScalarNext = false;
  for (const token of new Lexer().lex(text)) {
    // A value, quoted or not, comes behind this mark.
    if (isScalarNext || token === SCALAR_FOLLOWS) isScalarNext = token === SCALAR_FOLLOWS;
    else if (token.startsWith('*')) aliasCount++;
    else if (token === '[' || token === '{') brackets++;
    else if (token === ']' || token === '}') brackets--;
    else if (token === '-' || token === '?') indicators++;
    else if (token === '\n' || token === '\r\n') indicators = 0;
    if (aliasCount > aliases)
      throw new ConfigurationError([`${file}:${line}: expected at most ${aliases} aliases`]);
    if (brackets > levels || indicators > levels) tooDeep(line);
    line += token.split('\n').length - 1;
  }
  for (const [index, content] of text.split('\n').entries()) {
    const indentation = content.search(/[^ ]/);
    if (indentation === -1) continue;
    while ((indentations.at(-1) ?? -1) >= indentation) indentations.pop();
    indentations.push(indentation);
    if (indentations.length > levels + 1) tooDeep(index + 1);
  }

  function tooDeep(at: number): never {
    throw new ConfigurationError([`${file}:${at}: expected at most ${levels} levels`]);
  }
}

/** The lexer's mark before a scalar. */
const SCALAR_FOLLOWS = '\x1f';

function content(document: Document.Parsed, lines: LineCounter, file: string): unknown {
  visit(document, {
    Map(_key, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (keys.has(key.value)) {
          const { line } = lines.linePos(key.range?.[0] ?? 0);
          throw new ConfigurationError([`${file}:${line}: Map keys must be unique`]);
        }
        keys.add(key.value);
      }
    },
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return;
      const { line } = lines.linePos(alias.range?.[0] ?? 0);
      throw new ConfigurationError([`${file}:${line}: the anchor must be set before the alias`]);
    },
  });
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigurationError([`${file}:1: ${withoutQuotation((error as Error).message)}`]);
  }
}

/** In a message of the YAML library, the text after a word and a colon is quoted from the file. */
function withoutQuotation(message: string): string {
  return message.replace(/(?<! )[:;] .*/s, '');
}

/** The reason where a text is expected: YAML makes a number or a truth value of one that has no quotes. */
export const expectText =
  (expected: string) =>
  ({ input }: v.BaseIssue<unknown>): string =>
    typeof input === 'number' || typeof input === 'boolean' ? `${expected}; put it in quotes` : expected;

const KINDS: Readonly<Record<string, string>> = {
  Object: 'keys with values',
  Array: 'a list',
  string: 'text',
};

/** The reason where the schema has none of its own. */
export function defaultReason({ type, expected, received }: v.BaseIssue<unknown>): string {
  if (type === 'strict_object' && expected === 'never') return 'this key is not known here';
  if (type === 'strict_object' && received === 'undefined') return 'this key is missing';
  return `expected ${KINDS[expected ?? ''] ?? expected}`;
}

/** The line of the deepest key or list item on `path` that the file really has. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly (string | number)[]): number {
  let line = 1;
  let node: unknown = document.contents;
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined;
    const item = isSeq(node) ? node.items[Number(step)] : undefined;
    const { range } = (pair?.key ?? item ?? {}) as { readonly range?: readonly number[] };
    if (range?.[0] === undefined) break;
    line = lines.linePos(range[0]).line;
    node = pair?.value ?? item;
  }
  return line;
}
