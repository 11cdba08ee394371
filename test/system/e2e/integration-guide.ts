// The files of docs/integration.md as this machine can use them, and a FreeRADIUS that has them.
import { onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { codeBlocks, codeWords, read, section } from '../../docs/markdown.ts';
import { type RadiusdProcess, startRadiusdWith } from '../peers/radiusd.ts';

export const NAS_SECRET = 'secret-of-the-nas';

/** What to write instead of what the guide says: addresses, ports and waiting times. */
export type Changes = Readonly<Record<string, string>>;

/** Where the guide adds files to a FreeRADIUS configuration, or parts of them. */
const IN_CONFIGURATION = /^(?:(?:mods-enabled|policy\.d|sites-enabled)\/|clients\.conf$)/;

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

/** What an operator has before: as shipped, but for the modules that are not needed here. */
const OPERATORS = {
  'radiusd.conf': `
logdir = \${confdir}
radacctdir = \${confdir}/radacct
run_dir = \${confdir}
modules {
  $INCLUDE mods-enabled/
}
policy {
  $INCLUDE policy.d/
}
$INCLUDE clients.conf
$INCLUDE sites-enabled/
`,
  'clients.conf': `
client nas {
  ipaddr = 127.0.0.0/8
  secret = ${NAS_SECRET}
}
`,
  'mods-enabled/shipped': `
always ok {
  rcode = ok
}
expr {
}
detail {
  filename = \${radacctdir}/detail
}
`,
  'policy.d/shipped': '',
} as const;

/** Starts FreeRADIUS with what the operator had and these files, until the test has finished. */
export async function startFreeradius(files: Readonly<Record<string, string>>): Promise<RadiusdProcess> {
  const radiusd = await startRadiusdWith({ ...OPERATORS, ...files });
  onTestFinished(() => radiusd.stop());
  return radiusd;
}

/** The operator's `sites-enabled/default`, with those sections. */
export const accountingServer = (port: number, sections = '') => `
server default {
  listen {
    type = acct
    ipaddr = 127.0.0.1
    port = ${port}
  }
${sections}
}
`;
