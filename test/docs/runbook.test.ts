import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codeWords, prose, ROOT, read } from './markdown.ts';

const SOURCES = globSync(['{core,functions,relay}/**/*.ts'], { cwd: ROOT }).map(read).join('\n');

describe('what an operator has to look for', () => {
  // `message-left`, `interlock_relay_commands_held`, `MalformedMessage`
  const words = ['docs/runbook.md', 'docs/deploy.md']
    .flatMap((document) => codeWords(prose(read(document))))
    .filter((word) => /^(?:[a-z]+(?:-[a-z]+)+|interlock_\w+|Malformed\w+|Unreadable\w+)$/.test(word))
    // A command of the AWS CLI.
    .filter((word) => word !== 'put-secret-value');

  it('is named in the runbook', () => {
    expect(words).toEqual(expect.arrayContaining(['message-left', 'request-forwarded', 'UnreadableItem']));
  });

  it.each([...new Set(words)])('is said by the code: %s', (word) => {
    expect(SOURCES.includes(word)).toBe(true);
  });
});
