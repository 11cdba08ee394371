import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOMS } from './rooms.ts';

const ROOT = join(import.meta.dirname, '../..');
const BIOME = join(ROOT, 'node_modules/.bin/biome');

type Case = readonly [file: string, line: string];
const imports = (specifier: string) => `import '${specifier}';`;

const NAMES = Object.keys(ROOMS);
const typeImports = (specifier: string) => `import type { A as _ } from '${specifier}';`;

/** The same import of a file in `folder`, from the top of a room and from a folder in it. */
function fromRoom(room: string, folder: string, line: (specifier: string) => string): readonly Case[] {
  return [
    [`${room}/x.ts`, line(`../${folder}/x.ts`)],
    [`${room}/deep/x.ts`, line(`../../${folder}/x.ts`)],
  ];
}

const ALLOWED_BETWEEN_ROOMS = NAMES.flatMap((room) =>
  (ROOMS[room] ?? []).flatMap((allowed) =>
    allowed.startsWith('types of ')
      ? fromRoom(room, allowed.slice('types of '.length), typeImports)
      : fromRoom(room, allowed, imports),
  ),
);

const FORBIDDEN_BETWEEN_ROOMS = NAMES.flatMap((room) =>
  NAMES.filter((other) => other !== room && !ROOMS[room]?.includes(other)).flatMap((other) => [
    ...fromRoom(room, other, imports),
    ...fromRoom(room, `${other}/deep/down`, imports),
    ...(ROOMS[room]?.includes(`types of ${other}`) ? [] : fromRoom(room, other, typeImports)),
    [`${room}/x.ts`, imports(`./../${other}/x.ts`)] as const,
  ]),
);

/** Files that write to a terminal. */
const SCREENS = ['cli/x.ts', 'local/demo/x.ts', 'relay/x.ts', 'functions/shared/x.ts', 'cdk/x.ts'];

/** A file of a room, and lines that it may hold. */
const ALLOWED: readonly Case[] = [
  ...ALLOWED_BETWEEN_ROOMS,
  ...NAMES.flatMap((room) => [
    [`${room}/x.ts`, imports('./y.ts')] as const,
    [`${room}/deep/x.ts`, imports('../deeper/y.ts')] as const,
  ]),
  ['core/transition.ts', imports('./session.ts')],
  ['core/transition.ts', imports('./radius/codec.ts')],
  ['core/transition.ts', 'export const noon = new Date(43_200_000);'],
  ['core/transition.ts', 'export const later = (now: number) => new Date(now).toISOString();'],
  ['core/dialects/erx.ts', imports('../radius/codec.ts')],
  ['core/dialects/erx.ts', imports('valibot')],
  ['core/radius/authenticator.ts', imports('node:crypto')],
  ['core/radius/codec.ts', imports('./attributes.ts')],
  ['core/messages.ts', imports('valibot')],
  ['core/config/problems.ts', imports('yaml')],
  ['core/config/services-file.ts', imports('../catalogue.ts')],
  ['functions/decide/lambda.ts', imports('../../core/transition.ts')],
  ['functions/decide/lambda.ts', imports('../queue.ts')],
  ['functions/decide/lambda.ts', imports('@aws-sdk/client-sqs')],
  ['functions/decide/lambda.ts', imports('node:fs')],
  ['relay/listen.ts', imports('../core/radius/packet.ts')],
  ['relay/listen.ts', imports('@aws-sdk/client-sqs')],
  ['relay/udp/socket.ts', imports('node:dgram')],
  ['relay/listen.ts', 'export const wait = (clock: Clock) => clock.setTimeout(() => {}, clock.now());'],
  ['relay/clock.ts', "import { setTimeout as _ } from 'node:timers/promises'; void Date.now();"],
  ['cdk/interlock-stack.ts', imports('../core/cloud.ts')],
  ['cdk/interlock-stack.ts', imports('aws-cdk-lib')],
  ['cdk/interlock-stack.ts', "import type { Environment as _ } from '../functions/decide/lambda.ts';"],
  ['cdk/interlock-stack.ts', "export const entry = '../functions/decide/lambda.ts';"],
  ['local/start.ts', imports('../functions/decide/lambda.ts')],
  ['local/start.ts', imports('../relay/listen.ts')],
  ['local/start.ts', imports('../cdk/interlock-stack.ts')],
  ['test/relay/listen.test.ts', imports('../../relay/listen.ts')],
  ...SCREENS.map((file): Case => [file, "process.stdout.write(printableLines(['a'].join('b')));"]),
];

/** A file of a room, and lines that break a rule there. */
const FORBIDDEN: readonly Case[] = [
  ...FORBIDDEN_BETWEEN_ROOMS,
  // The rooms within the core have rules of their own, in the place of the core's.
  ...NAMES.filter((room) => room !== 'core').flatMap((room) => [
    ['core/radius/codec.ts', imports(`../../${room}/x.ts`)] as const,
    ['core/messages.ts', imports(`../${room}/x.ts`)] as const,
    ['core/dialects/erx.ts', imports(`../../${room}/x.ts`)] as const,
    ['core/subscriber/stored-session.ts', imports(`../../${room}/x.ts`)] as const,
    ['core/config/deep/down/x.ts', imports(`../../../../${room}/x.ts`)] as const,
  ]),

  // However it is written.
  ['core/transition.ts', "import type { A as _ } from '../functions/x.ts';"],
  ['core/transition.ts', "export * from '../functions/x.ts';"],
  ['core/transition.ts', "export type { A } from '../functions/x.ts';"],
  ['core/transition.ts', "export const load = () => import('../functions/x.ts');"],
  ['core/transition.ts', "export type B = import('../functions/x.ts').B;"],
  ['relay/listen.ts', "export type B = import('../functions/x.ts').B;"],

  // Packages have their places.
  ['core/transition.ts', imports('node:crypto')],
  ['core/transition.ts', imports('node:fs')],
  ['core/transition.ts', imports('valibot')],
  ['core/transition.ts', imports('yaml')],
  ['core/transition.ts', imports('@aws-sdk/client-sqs')],
  ['core/transition.ts', imports('aws-cdk-lib/aws-sqs')],
  ['core/dialects/erx.ts', imports('node:crypto')],
  ['core/radius/codec.ts', imports('../transition.ts')],
  ['core/radius/codec.ts', imports('node:dgram')],
  ['core/radius/codec.ts', imports('valibot')],
  ['core/messages.ts', imports('node:crypto')],
  ['core/config/problems.ts', imports('node:fs')],

  // From the functions cdk takes types, and types alone.
  ['cdk/app.ts', imports('../functions/decide/lambda.ts')],
  ['cdk/app.ts', "import { handler as _ } from '../functions/decide/lambda.ts';"],
  ['cdk/app.ts', "import { type Environment as _ } from '../functions/decide/lambda.ts';"],
  ['cdk/app.ts', "export * from '../functions/decide/lambda.ts';"],
  ['cdk/app.ts', "export const load = () => import('../functions/decide/lambda.ts');"],

  // The core asks for no time, no random value, no environment.
  ...[
    'Date.now()',
    'Date.now',
    'new Date()',
    'Date()',
    'performance.now()',
    'Math.random()',
    'crypto.randomUUID()',
    'process.env',
    'globalThis.Date',
    "fetch('http://x')",
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
  ].flatMap((expression) => [
    ['core/transition.ts', `void ${expression};`] as const,
    ['core/radius/codec.ts', `void ${expression};`] as const,
    ['core/config/problems.ts', `void ${expression};`] as const,
  ]),

  // The relay has time and timers from its clock.
  ...[
    'void Date.now();',
    'void new Date();',
    'void performance.now();',
    'void AbortSignal.timeout(1);',
    'setTimeout(() => {}, 1);',
    'setInterval(() => {}, 1);',
    'setImmediate(() => {});',
    'export const timers = { setTimeout };',
    "import { setTimeout as _ } from 'node:timers/promises';",
    imports('node:perf_hooks'),
  ].flatMap((line) => [['relay/listen.ts', line] as const, ['relay/queues/queue.ts', line] as const]),

  // What a terminal shows is printable.
  ...SCREENS.flatMap((file): Case[] => [
    [file, "process.stdout.write('a');"],
    [file, 'process.stderr.write(printableLines(text) + name);'],
    [file, 'console.log(name);'],
  ]),
];

/** What Biome, run once with the project's configuration, reports for each case: rule names, mostly none. */
async function lint(cases: readonly Case[]): Promise<ReadonlyMap<Case, readonly string[]>> {
  const directory = mkdtempSync(join(tmpdir(), 'interlock-lint-'));
  try {
    for (const part of ['biome.json', '.gitignore', 'lint']) {
      cpSync(join(ROOT, part), join(directory, part), { recursive: true });
    }
    // A file may hold several cases, a line is one.
    const files = Map.groupBy(cases, ([file]) => file);
    for (const [file, lines] of files) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), lines.map(([, line]) => `${line}\n`).join(''));
    }
    const { diagnostics } = await biome(directory);
    const found = new Map(cases.map((one): [Case, string[]] => [one, []]));
    for (const { category, location } of diagnostics) {
      const broken = files.get(location.path)?.[location.start.line - 1];
      if (broken === undefined) throw new Error(`Biome reports ${category} where no case is`);
      found.get(broken)?.push(category);
    }
    return found;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

interface BiomeReport {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string; readonly start: { readonly line: number } };
  }[];
}

function biome(directory: string): Promise<BiomeReport> {
  const only = ['style/noRestrictedImports', 'style/noRestrictedGlobals', 'suspicious/noConsole'].map(
    (rule) => `--only=${rule}`,
  );
  return new Promise((resolve) => {
    // It exits with 1 when it finds something, and it has a lot to find.
    execFile(
      BIOME,
      ['lint', '--reporter=json', '--max-diagnostics=none', ...only, '--only=plugin', '.'],
      { cwd: directory },
      (_error, stdout) => resolve(JSON.parse(stdout)),
    );
  });
}

describe('the import rules', () => {
  let found: ReadonlyMap<Case, readonly string[]>;
  beforeAll(async () => {
    found = await lint([...ALLOWED, ...FORBIDDEN]);
  });

  it.each(ALLOWED.map((one) => [...one, one] as const))('allow in %s: %s', (_file, _line, one) => {
    expect(found.get(one)).toEqual([]);
  });

  it.each(FORBIDDEN.map((one) => [...one, one] as const))('forbid in %s: %s', (_file, _line, one) => {
    expect(found.get(one)).not.toEqual([]);
  });
});

describe('the list of rooms', () => {
  it('has every folder that holds TypeScript', () => {
    const folders = globSync('*/**/*.ts', { cwd: ROOT, exclude: ['node_modules', 'cdk.out', 'coverage'] });
    const names = new Set(folders.map((file) => file.split('/')[0]));
    expect([...names].sort()).toEqual(NAMES.toSorted());
  });
});
