import { describe, expect, it } from 'vitest';
import { codeWords, DOCUMENTS, prose, read, tableRows } from './markdown.ts';

const WORDS = read('docs/words.md');
const rows = tableRows(WORDS);
const [, actors = ''] = WORDS.split('A sentence names its actor');
const AVOIDED = [...rows.flatMap(([, , , not = '']) => codeWords(not)), ...codeWords(actors)];

describe('the words', () => {
  it('are one for each thing, and each thing has one', () => {
    const words = rows.flatMap(([word = '']) => word.split(', '));
    expect(words.length).toBeGreaterThan(20);
    expect(words).toEqual([...new Set(words)]);
    expect(words.filter((word) => AVOIDED.includes(word))).toEqual([]);
  });

  it.each(DOCUMENTS.filter((document) => document !== 'docs/words.md'))('are those of %s', (document) => {
    const text = prose(read(document));
    expect(AVOIDED.filter((word) => new RegExp(`\\b${word}s?\\b`, 'i').test(text))).toEqual([]);
  });
});
