// A file that an operator wrote, or the list of everything that is wrong with it.
import * as v from 'valibot';
import { type Document, LineCounter, parseDocument } from 'yaml';

/** A configuration file that cannot be used. The message has one line per problem: `file:line: path: reason`. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** A YAML file that fits its schema, with the means to complain about a place in it. */
export interface ParsedFile<T> {
  readonly value: T;
  /** A problem at `path`, as `file:line: path: reason`. */
  problem(path: readonly (string | number)[], reason: string): string;
}

/**
 * Parses `text` as YAML and checks it against `schema`.
 * @throws ConfigurationError naming file, line, path and what was expected, for everything that is wrong.
 */
export function parseFile<S extends v.GenericSchema>(
  file: string,
  text: string,
  schema: S,
): ParsedFile<v.InferOutput<S>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigurationError(
      document.errors.map(
        (error) => `${file}:${lines.linePos(error.pos[0]).line}: ${firstLine(error.message)}`,
      ),
    );
  }
  const problem = (path: readonly (string | number)[], reason: string) =>
    `${file}:${lineOf(document, lines, path)}: ${path.join('.') || 'the file'}: ${reason}`;
  const result = v.safeParse(schema, document.toJS({ maxAliasCount: 100 }));
  if (!result.success) {
    throw new ConfigurationError(
      result.issues.map((issue) =>
        problem(
          issue.path?.map((item) => item.key as string | number) ?? [],
          issue.expected === 'never' && issue.path !== undefined
            ? 'this key is not known here'
            : issue.message,
        ),
      ),
    );
  }
  return { value: result.output, problem };
}

/** The line of the deepest node on `path` that the file really has. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly (string | number)[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    const range = (node as { range?: readonly number[] | null } | undefined)?.range;
    if (range?.[0] !== undefined) return lines.linePos(range[0]).line;
  }
  return 1;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
