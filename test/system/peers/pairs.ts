/** An attribute as FreeRADIUS prints it, `ERX-Service-Activate:1`, and its value without quotes and escapes. */
export type Pair = readonly [name: string, value: string];

/** Reads the lines with a tab in front, `Name = value`; the others are headings. */
export function parsePairs(text: string): readonly Pair[] {
  return [...text.matchAll(/^\t(\S+) = (.*)$/gm)].map(([, name = '', value = '']) => [name, unquote(value)]);
}

function unquote(printed: string): string {
  if (!/^".*"$/.test(printed)) return printed;
  return printed
    .slice(1, -1)
    .replace(/\\(?:([0-7]{3})|(.))/g, (_, octal: string | undefined, character: string) =>
      octal === undefined
        ? (CONTROL[character] ?? character)
        : String.fromCharCode(Number.parseInt(octal, 8)),
    );
}

const CONTROL: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
