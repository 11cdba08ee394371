import { describe, expect, it } from 'vitest';
import { nameOf, nameProblem, parseActivation } from '../../../core/services/activation.ts';

/** What NASes call services. */
const NAMES = [
  '30720',
  '0x10',
  '10M_20M',
  'rate-limit;5120;30720',
  'Gold Plus',
  'isp/gold',
  'SERVICE-INET',
  'in,out',
  'a=b&c',
  '#1',
  '"gold"',
  "l'or",
  '$gold',
  'größe',
  'Ζεύς',
  'золото',
  '黄金',
  '🥇',
];

const UNPRINTABLE = /control or format/;

describe('an activation string', () => {
  it.each(NAMES)('may be the name %s, alone and with parameters', (name) => {
    expect(parseActivation(name)).toEqual({
      ok: true,
      activation: { name, parameters: [], canonical: name },
    });
    const parsed = parseActivation(` ${name} ( 10 M , ${name.replaceAll(',', ';')} ) `);
    const canonical = `${name}(10 M,${name.replaceAll(',', ';')})`;
    expect(parsed).toMatchObject({ ok: true, activation: { name, canonical } });
    expect([nameOf(name), nameOf(canonical)]).toEqual([name, name]);
  });

  it('is told apart by case, by each blank inside and by Unicode normalization', () => {
    const canonical = [
      'gold plus',
      'Gold plus',
      'gold  plus',
      'gold\u00a0plus',
      'gr\u00f6\u00dfe',
      'gro\u0308\u00dfe',
    ].map((text) => parseActivation(text));
    const seen = canonical.map((parsed) => (parsed.ok ? parsed.activation.canonical : parsed.reason));
    expect(new Set(seen).size).toBe(canonical.length);
  });

  it.each<[text: string, reason: RegExp]>([
    ['', /a name/],
    ['   ', /a name/],
    ['(5)', /a name/],
    ['go\u0000ld', UNPRINTABLE],
    ['gold\n', UNPRINTABLE],
    ['gold\t', UNPRINTABLE],
    ['gold\u007f', UNPRINTABLE],
    ['gold\u0085', UNPRINTABLE],
    ['\u001b[2Jgold', UNPRINTABLE],
    ['go\u00adld', UNPRINTABLE],
    ['gold\u200b', UNPRINTABLE],
    ['\u202edlog', UNPRINTABLE],
    ['\ufeffgold', UNPRINTABLE],
    ['gold\u2028', UNPRINTABLE],
    ['gold\u{e0041}', UNPRINTABLE],
    ['gold(5\u0000)', UNPRINTABLE],
    ['gold(\u202e5)', UNPRINTABLE],
    ['gold(5', /name or name\(parameter/],
    ['gold)5(', /name or name\(parameter/],
    ['gold(5)x', /name or name\(parameter/],
    ['gold(5)(6)', /name or name\(parameter/],
    ['gold((5))', /name or name\(parameter/],
    ['gold(5,,6)', /no empty parameter/],
    ['gold(5,)', /no empty parameter/],
    ['__proto__', /cannot be called __proto__/],
    ['prototype', /cannot be called prototype/],
    ['constructor', /cannot be called constructor/],
    ['constructor(5)', /cannot be called constructor/],
    [' toString ', /cannot be called toString/],
    ['hasOwnProperty', /cannot be called hasOwnProperty/],
  ])('is not %j', (text, reason) => {
    expect(parseActivation(text)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
  });
});

describe('the name of a service', () => {
  it.each(NAMES)('may be %s', (name) => {
    expect(nameProblem(name)).toBeUndefined();
  });

  it.each([
    ['', 'expected a name'],
    [' gold', 'expected no blanks at the ends'],
    ['gold\u00a0', 'expected no blanks at the ends'],
    ['gold(5)', 'expected no parentheses: they enclose parameters'],
    ['gold)', 'expected no parentheses: they enclose parameters'],
    ['go\u200dld', 'expected no control or format characters'],
    ['valueOf', 'a service cannot be called valueOf'],
  ])('is not %j', (name, problem) => {
    expect(nameProblem(name)).toBe(problem);
  });
});
