// Text from outside, made fit for a terminal, a log and an item.

/**
 * Control characters, which a terminal obeys, format characters, which can turn the direction of a line, separators of
 * lines, and what is no character.
 */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** `text` with each of them in hexadecimal: `\x1b`, `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** `text` as its lines are written to a terminal, each printable and with an end of line. */
export function printableLines(text: string): string {
  return `${text.replace(/\n$/, '').split('\n').map(printable).join('\n')}\n`;
}

/** What JSON can hold, with each of them in hexadecimal in its texts and in its keys. */
export function printableValue(value: unknown): unknown {
  if (typeof value === 'string') return printable(value);
  if (Array.isArray(value)) return value.map(printableValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [printable(key), printableValue(item)]),
  );
}

/** `json` with each of them as JSON escapes it: it is the same JSON, and a terminal obeys nothing in it. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, index) => unicodeEscape(character.charCodeAt(index))).join(
      '',
    ),
  );
}

/** As many characters of what a peer says are kept. A text that one attribute holds is at most a little longer. */
const MAX_WORDS = 200;

/** What a peer said in words, on one line of at most 200 characters; undefined where nothing of it can be read. */
export function boundedWords(text: string): string | undefined {
  const words = text.replace(UNPRINTABLE, ' ').replace(/\s+/g, ' ').trim();
  if (words.length <= MAX_WORDS) return words === '' ? undefined : words;
  return `${words.slice(0, MAX_WORDS - 1).replace(/\p{Cs}$/u, '')}…`;
}

function unicodeEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
