import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedWords, printable, printableJson } from '../../core/printable.ts';

const anyText = fc.string({ unit: 'binary' });
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe('text from outside', () => {
  it.each([
    ['\x1b[2J', '\\x1b[2J'],
    ['\x9b31m', '\\x9b31m'],
    ['a\u202eb', 'a\\u{202e}b'],
    ['a\u2028b', 'a\\u{2028}b'],
    ['a\u{e0001}b', 'a\\u{e0001}b'],
    ['a\ud800b', 'a\\u{d800}b'],
    ['Müller 😀', 'Müller 😀'],
  ])('%j is shown as %s', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('has nothing left that a terminal obeys, also in JSON, which stays the same JSON', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.toMatch(UNPRINTABLE);
        const json = printableJson(JSON.stringify({ text }));
        expect(json).not.toMatch(UNPRINTABLE);
        expect(JSON.parse(json)).toEqual({ text });
      }),
    );
  });

  it('is bounded once, however often it is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        const words = boundedWords(text);
        expect((words ?? '').length).toBeLessThanOrEqual(200);
        expect(words ?? '').not.toMatch(UNPRINTABLE);
        if (words !== undefined) expect(boundedWords(words)).toBe(words);
      }),
    );
  });
});
