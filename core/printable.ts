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
