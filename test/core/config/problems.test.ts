import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { parseFile } from '../../../core/config/problems.ts';
import { problemsOf } from './problems-of.ts';

const Schema = v.strictObject({
  name: v.string(),
  list: v.optional(v.array(v.strictObject({ a: v.number('expected a number'), b: v.optional(v.boolean()) }))),
  byKey: v.optional(v.record(v.string(), v.strictObject({ c: v.number('expected a number') }))),
});
const parse = (text: string) => parseFile('some.yaml', text, Schema);

describe('a file that fits its schema', () => {
  it('gives its value', () => {
    expect(parse('name: x\nlist: [{ a: 1 }]\n').value).toEqual({ name: 'x', list: [{ a: 1 }] });
  });

  it('can still be complained about, in the right line', () => {
    const file = parse(
      '# a comment\nname: x\nlist:\n  - a: 1\n  - b: true\n    a: 2\nbyKey:\n  12:\n    c: 3\n',
    );

    expect(file.problem([], 'no')).toBe('some.yaml:1: the file: no');
    expect(file.problem(['name'], 'no')).toBe('some.yaml:2: name: no');
    expect(file.problem(['list', 1], 'no')).toBe('some.yaml:5: list.1: no');
    expect(file.problem(['list', 1, 'a'], 'no')).toBe('some.yaml:6: list.1.a: no');
    expect(file.problem(['byKey', '12'], 'no')).toBe('some.yaml:8: byKey.12: no');
    expect(file.problem(['byKey', '12', 'c'], 'no')).toBe('some.yaml:9: byKey.12.c: no');
    // Where the file has no such thing, the line is that of what would hold it.
    expect(file.problem(['list', 0, 'b'], 'no')).toBe('some.yaml:4: list.0.b: no');
  });
});

describe('a file that does not fit its schema', () => {
  it('is refused with everything that is wrong, line by line', () => {
    expect(problemsOf(() => parse('list:\n  - a: x\n    c: 1\n  - {}\nnmae: y\n'))).toEqual([
      'some.yaml:1: name: this key is missing',
      'some.yaml:2: list.0.a: expected a number',
      'some.yaml:3: list.0.c: this key is not known here',
      'some.yaml:4: list.1.a: this key is missing',
      'some.yaml:5: nmae: this key is not known here',
    ]);
  });

  it.each([
    ['', 'some.yaml:1: the file: expected keys with values'],
    ['just text', 'some.yaml:1: the file: expected keys with values'],
    ['name:', 'some.yaml:1: name: expected text'],
    ['name: x\nlist: {}', 'some.yaml:2: list: expected a list'],
    ['name: x\nlist: [5]', 'some.yaml:2: list.0: expected keys with values'],
  ])('names the kind of thing that was expected: %j', (text, problem) => {
    expect(problemsOf(() => parse(text))).toEqual([problem]);
  });
});

describe('a file that is not YAML', () => {
  it.each([
    ['name: "x\n', 2, 'Missing closing "quote'],
    ['name: x\nlist: [{ a: 1 }\n', 3, 'Flow sequence'],
    ['name: x\n\tlist: []\n', 2, 'Tabs are not allowed as indentation'],
    ['name: x\nname: y\n', 2, 'Map keys must be unique'],
    ['name: x\n---\nname: y\n', 2, 'Source contains multiple documents'],
    ['name: !secret x\n', 1, 'Unresolved tag'],
    ['name: x\nlist: *somewhere\n', 2, 'the anchor must be set before the alias'],
  ])('is refused with the line: %j', (text, line, reason) => {
    const [problem, ...others] = problemsOf(() => parse(text));

    expect(others).toEqual([]);
    expect(problem).toMatch(`some.yaml:${line}: ${reason}`);
  });

  it('is refused for the first mistake alone', () => {
    expect(problemsOf(() => parse('name: "x" y\nlist: { ]\n'))).toEqual([
      'some.yaml:1: Unexpected scalar at node end',
    ]);
  });

  it.each([
    ['name: x\nlist: [VAR]', 'Missing , or : between flow sequence items'],
    ['name: x\nlist:\n  - { a: VAR }', 'Unexpected flow-map-start at node end'],
    ['name: x\nlist: [{ b: true,\n  a: VAR }]', 'Unexpected flow-map-start at node end'],
  ])('because of a reference without quotation marks is told about them: %j', (text, reason) => {
    const line = text.split('\n').length;
    expect(problemsOf(() => parse(text.replace('VAR', `\${VAR}`)))).toEqual([
      `some.yaml:${line}: ${reason}; put "\${NAME}" in quotes inside { } and [ ]`,
    ]);
  });

  it('with a reference in quotation marks is not', () => {
    expect(problemsOf(() => parse(`name: "\${NAME}" x\n`))).toEqual([
      'some.yaml:1: Unexpected scalar at node end',
    ]);
  });

  it('is refused before it grows beyond measure', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x]'];
    for (const [last, name] of ['ab', 'bc', 'cd', 'de', 'ef'].map((pair) => [...pair])) {
      bomb.push(`${name}: &${name} [${Array(8).fill(`*${last}`).join(', ')}]`);
    }

    expect(problemsOf(() => parse(bomb.join('\n')))).toEqual([
      expect.stringMatching(/^some\.yaml:1: Excessive alias count/),
    ]);
  });
});

describe('a file of a size that would take the YAML library long, or its stack', () => {
  const times = (count: number, text: string) => text.repeat(count);

  it.each([
    [`name: &a x\nlist: [${times(200_000, '*a,')}]`, 'some.yaml:2: expected at most 100 aliases'],
    [`name: &a x\nlist:\n${times(150_000, '- *a\n')}`, 'some.yaml:103: expected at most 100 aliases'],
    [`name: x\nlist: ${times(3_000, '[')}${times(3_000, ']')}`, 'some.yaml:2: expected at most 32 levels'],
    [`name: ${times(100_000, '{a: ')}`, 'some.yaml:1: expected at most 32 levels'],
    [times(100_000, '- '), 'some.yaml:1: expected at most 32 levels'],
    [`name: x\n${times(100_000, '? ')}`, 'some.yaml:2: expected at most 32 levels'],
    [
      Array.from({ length: 1_000 }, (_, level) => `${times(level, ' ')}a:\n`).join(''),
      'some.yaml:34: expected at most 32 levels',
    ],
    [`name: x\n${times(1_000_000, '#')}`, 'some.yaml: expected at most 1000000 characters, and not 1000008'],
    [times(100_000, 'name: x\n'), 'some.yaml:2: Map keys must be unique'],
  ])('is refused with a sentence (%#)', (text, problem) => {
    expect(problemsOf(() => parse(text))).toEqual([problem]);
  });

  it('is read up to the limits', () => {
    const deep = `${times(32, '[')}${times(32, ']')}`;
    const any = (text: string) => parseFile('some.yaml', text, v.any()).value;
    expect(any(`a: ${deep}`)).toHaveProperty('a');
    expect(any(`a: &a x\nb: [${times(99, '*a, ')}"*a", '[[[', x*a]`)).toHaveProperty('b');
    expect(any(`a: |\n${times(40, '  *a [{ - ? - -\n')}`)).toHaveProperty('a');
    const many = Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`).join('\n');
    expect(Object.keys(any(many) as object)).toHaveLength(50_000);
  });

  it('names the first 100 things that are wrong, and how many more there are', () => {
    const problems = problemsOf(() => parse(`name: x\nlist:\n${times(20_000, '- {}\n')}`));
    expect(problems).toHaveLength(101);
    expect(problems.at(0)).toBe('some.yaml:3: list.0.a: this key is missing');
    expect(problems.at(-1)).toBe('some.yaml: and 19900 more');
  });
});

describe('a problem', () => {
  it.each([
    'name: [hunter2]',
    'name: *hunter2',
    'name: !hunter2 x',
    'name: "x" hunter2',
    'name: >hunter2',
    'name: ["x" hunter2: y]',
    'name: [$' + '{hunter2}]',
    'name: {hunter2',
    'name: x\nlist: hunter2',
    'name: x\nlist: [{ a: hunter2 }]',
    'name: x\nlist: [{ a: 1, b: hunter2 }]',
    'name: &hunter2',
    'name: @hunter2',
    'hunter2',
  ])('never quotes a value, which may be a secret: %j', (text) => {
    const problems = problemsOf(() => parse(text));

    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join()).not.toContain('hunter2');
  });
});
