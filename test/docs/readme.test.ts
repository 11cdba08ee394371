import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawChart } from '../../local/demo/chart.ts';
import { ROOMS } from '../lint/rooms.ts';
import { codeBlocks, codeWords, links, prose, ROOT, read, section, tableRows } from './markdown.ts';

const README = read('README.md');
const WALK = section(README, 'A walk through the code');

describe('the walk through the code', () => {
  const files = links(WALK);

  it('leads from the datagram to the Acct-Stop', () => {
    expect(files.at(0)).toBe('relay/coa-server.ts');
    expect(files).toContain('core/subscriber/transition.ts');
    expect(files.indexOf('relay/accounting-delivery.ts')).toBeGreaterThan(
      files.indexOf('functions/account/account.ts'),
    );
  });

  it('then leads from the Accounting-Request to the same table', () => {
    const way = ['relay/feed/feed-server.ts', 'functions/ingest/ingest.ts', 'core/subscriber/life.ts'];
    expect(files.slice(-4, -1)).toEqual(way);
  });

  it('visits no file twice', () => {
    expect(files).toEqual([...new Set(files)]);
  });

  it.each(files)('visits %s, which exists', (file) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
  });
});

describe('the table of folders', () => {
  it('says what the lint holds', () => {
    const rows = tableRows(WALK).map(([room = '', , may = '']) => [
      room.replaceAll('`', ''),
      may === 'nothing else' ? [] : may.replaceAll('`', '').split(', '),
    ]);
    expect(Object.fromEntries(rows)).toEqual(ROOMS);
  });
});

describe('a command', () => {
  const { scripts, bin } = JSON.parse(read('package.json')) as {
    readonly scripts: Readonly<Record<string, string>>;
    readonly bin: Readonly<Record<string, string>>;
  };
  const shell = codeBlocks(README)
    .filter(({ language }) => language === 'sh' || language === 'console')
    .map(({ text }) => text);
  const commands = [...codeWords(prose(README)), ...shell].flatMap((text) => [
    ...text.matchAll(/\bnpm (?:run )?[a-z:]+|\bnpx [a-z]+/g),
  ]);
  const named = [...new Set(commands.map(([command]) => command))];

  it('runs the demo and the tests', () => {
    expect(shell).toEqual(expect.arrayContaining(['npm ci && npm run demo\n', 'npm ci && npm test\n']));
  });

  it.each(named)('is there: %s', (command) => {
    const [program, ...words] = command.split(' ');
    const name = words.at(-1) ?? '';
    if (program === 'npx') {
      const isOwn = name in bin;
      expect(existsSync(join(ROOT, isOwn ? (bin[name] ?? '') : `node_modules/.bin/${name}`))).toBe(true);
    } else {
      // `npm start` and `npm test` need no `run`; `npm ci` is npm's own.
      const isShort = words.length === 1 && ['start', 'test'].includes(name);
      expect(name === 'ci' || ((isShort || words.length === 2) && name in scripts)).toBe(true);
    }
  });
});

describe('the chart', () => {
  it('is what the demo draws after its first switch', () => {
    const had = (...services: string[]) => ({ services, answer: 'ack' }) as const;
    const steps = [had('bronze', 'voice'), had('bronze', 'voice', 'gold'), had('voice', 'gold')];
    const chart = drawChart(steps, (service) => (service === 'voice' ? [] : [12]));
    expect(codeBlocks(README).map(({ text }) => text)).toContain(`${chart}\n`);
  });
});
