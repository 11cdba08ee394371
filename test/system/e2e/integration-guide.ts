// The files of docs/integration.md, as this machine can use them.
import { parse, stringify } from 'yaml';
import { codeBlocks, codeWords, read, section } from '../../docs/markdown.ts';

/** What to write instead of what the guide says: addresses, ports and waiting times. */
export type Changes = Readonly<Record<string, string>>;

/** The folders of a FreeRADIUS configuration that the guide adds files to. */
const IN_CONFIGURATION = /^(?:mods-enabled|policy\.d|sites-enabled)\//;

/**
 * The files of these parts of the guide, by their paths in FreeRADIUS' configuration folder. A part of a file that is
 * there already is under that file's path as well.
 * @throws Error when one of the changes is not applicable to them.
 */
export function freeradiusFiles(
  headings: readonly string[],
  changes: Changes,
): Readonly<Record<string, string>> {
  const blocks = blocksOf(headings).flatMap(({ lead, language, text }) => {
    const file = codeWords(lead).find((word) => IN_CONFIGURATION.test(word));
    return language === '' && file !== undefined ? [[file, text] as const] : [];
  });
  const texts = changed(
    blocks.map(([, text]) => text),
    changes,
  );
  return Object.fromEntries(blocks.map(([file], index) => [file, texts[index] ?? '']));
}

/**
 * The site file that these parts of the guide show.
 * @throws Error when one of the changes is not applicable to it.
 */
export function siteFileOf(headings: readonly string[], changes: Changes): string {
  const texts = blocksOf(headings)
    .filter(({ language }) => language === 'yaml')
    .map(({ text }) => text);
  const parts = changed(texts, changes).map((text): Readonly<Record<string, unknown>> => parse(text));
  return stringify(Object.assign({}, ...parts));
}

function blocksOf(headings: readonly string[]) {
  const guide = read('docs/integration.md');
  return headings.flatMap((heading) => codeBlocks(section(guide, heading)));
}

function changed(texts: readonly string[], changes: Changes): readonly string[] {
  for (const shown of Object.keys(changes))
    if (!texts.some((text) => text.includes(shown)))
      throw new Error(`docs/integration.md does not say ${shown}`);
  return texts.map((text) =>
    Object.entries(changes).reduce((result, [shown, here]) => result.replaceAll(shown, here), text),
  );
}
