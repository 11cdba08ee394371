// Rows of text, laid out for a terminal.
import { printable } from '../core/printable.ts';

export type Row = readonly string[];

/** What a table shows where there is no value. */
export const NONE = '-';

/** Rows as lines, each column as wide as its widest text. Texts may come from a client or a NAS. */
export function columns(texts: readonly Row[]): readonly string[] {
  const rows = texts.map((row) => row.map(printable));
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((text, index) => Math.max(text.length, widest[index] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** A blank line, the title and the rows, indented; nothing where there are no rows. */
export function section(title: string, rows: readonly Row[]): readonly string[] {
  return rows.length === 0 ? [] : ['', title, ...columns(rows).map((line) => `  ${line}`)];
}

/** A row of headings above the rows; nothing where there are no rows. */
export function table(headings: Row, rows: readonly Row[]): readonly Row[] {
  return rows.length === 0 ? [] : [headings, ...rows];
}

/** A row for each name that has a value. */
export function details(
  pairs: readonly (readonly [name: string, value: string | number | undefined])[],
): readonly Row[] {
  return pairs.flatMap(([name, value = '']) => (value === '' ? [] : [[name, String(value)]]));
}
