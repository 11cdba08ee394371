/**
 * `text` with each control character in hexadecimal, `\x1b`: a terminal would obey it. So are format characters, which
 * can turn the direction of a line, separators of lines and what is no character: `\u{202e}`.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
