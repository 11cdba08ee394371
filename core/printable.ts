/** `text` with each control character in hexadecimal, `\x1b`: a terminal would obey it. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${Buffer.from(character, 'latin1').toString('hex')}`);
}
