import { describe, expect, it } from 'vitest';
import { parseServicesFile } from '../../../core/config/services-file.ts';
import { problemsOf } from './problems-of.ts';

const parse = (text: string) => parseServicesFile('services.yaml', text);
const problems = (text: string) => problemsOf(() => parse(text));
const GOLD = 'services: { gold: { mutexGroup: 12 } }\n';

describe('a services file', () => {
  it('gives the catalogue', () => {
    const catalogue = parse(`
services:
  tiered:
    parameters: [inputBW, outputBW]
    mutexGroup: [12, -7, 12]
    statistics: time+volume
    timeoutSeconds: 3600
    volumeMegabytes: 500
    interimIntervalSeconds: 600
groups:
  12: { policy: refuse }
  -7: { policy: replace }
`);

    expect(catalogue).toEqual({
      services: {
        tiered: {
          parameters: ['inputBW', 'outputBW'],
          groups: [12, -7],
          statistics: 'time+volume',
          timeoutSeconds: 3600,
          volumeMegabytes: 500,
          interimIntervalSeconds: 600,
        },
      },
      refusingGroups: [12],
      clearedGroups: [],
    });
  });

  it.each(['voice:', 'voice: {}'])('fills in what is left out: %s', (line) => {
    expect(parse(`services:\n  ${line}\n`)).toEqual({
      services: {
        voice: {
          parameters: [],
          groups: [],
          statistics: 'off',
          timeoutSeconds: 0,
          volumeMegabytes: 0,
          interimIntervalSeconds: 0,
        },
      },
      refusingGroups: [],
      clearedGroups: [],
    });
  });

  it.each([-2147483647, -1, 1, 2147483646])('takes the mutex group %d', (group) => {
    expect(parse(`services: { gold: { mutexGroup: ${group} } }`).services['gold']?.groups).toEqual([group]);
  });
});

/** Texts that YAML would turn into numbers, truth values, null or dates, were they no keys, and others without quotes. */
const UNQUOTED = [
  '30720',
  '0x10',
  '010',
  '0o10',
  '1e3',
  '1.0',
  '-0',
  '+5',
  '1_000',
  '.inf',
  'yes',
  'true',
  'null',
  '~',
  '2026-11-25',
  '12:30',
  '10M_20M',
  'rate-limit;5120;30720',
  'Gold Plus',
  'isp/gold',
  'a#b',
  'größe',
  '黄金',
];

describe('the name of a service', () => {
  it.each(UNQUOTED)('is taken as it is written, with quotes or without: %s', (name) => {
    expect(Object.keys(parse(`services:\n  ${name}: {}\n`).services)).toEqual([name]);
    expect(Object.keys(parse(`services:\n  "${name}": {}\n`).services)).toEqual([name]);
    expect(Object.keys(parse(`services: { ${name}: {} }`).services)).toEqual([name]);
  });

  it.each(['in,out', '#1', '%gold', '@gold', 'a: b', '*', '- x', '{x}'])('may need quotes: %s', (name) => {
    expect(Object.keys(parse(`services: { '${name}': {} }`).services)).toEqual([name]);
  });

  it('may have as many octets as fit into ERX-Service-Activate beside its parameters', () => {
    const names = ['g'.repeat(246), 'ö'.repeat(123), 't'.repeat(241)];
    const text = `services:\n  ${names[0]}:\n  ${names[1]}:\n  ${names[2]}: { parameters: [a, b] }\n`;
    expect(Object.keys(parse(text).services)).toEqual(names);
  });

  it('leaves the names of parameters to the operator, too', () => {
    expect(
      parse('services: { tiered: { parameters: [input BW, "5", größe] } }').services['tiered']?.parameters,
    ).toEqual(['input BW', '5', 'größe']);
  });
});

describe('a services file is refused, with line and path, for', () => {
  const OUTSIDE = 'expected a mutex group from -2147483647 to 2147483646 other than 0';

  it.each(['0', '-2147483648', '2147483647', '1.5'])('the mutex group %s', (group) => {
    expect(problems(`services:\n  bronze: {}\n  gold:\n    mutexGroup: ${group}\n`)).toEqual([
      `services.yaml:4: services.gold.mutexGroup: ${OUTSIDE}`,
    ]);
  });

  it('a mutex group in a list, and which one it is', () => {
    expect(problems('services:\n  gold:\n    mutexGroup:\n      - 12\n      - 0\n      - gold\n')).toEqual([
      `services.yaml:5: services.gold.mutexGroup.1: ${OUTSIDE}`,
      'services.yaml:6: services.gold.mutexGroup.2: expected a mutex group: a whole number',
    ]);
  });

  it.each([
    ['mutexGroup: "12"', 'mutexGroup: expected a mutex group: a whole number'],
    ['statistics: yes', 'statistics: expected off, time or time+volume'],
    ['timeoutSeconds: 1.5', 'timeoutSeconds: expected a whole number of seconds'],
    ['timeoutSeconds: -1', 'timeoutSeconds: expected 0 or more'],
    ['timeoutSeconds: 16777216', 'timeoutSeconds: expected at most 16777215 seconds'],
    ['volumeMegabytes: much', 'volumeMegabytes: expected a number of megabytes'],
    ['interimIntervalSeconds: 86401', 'interimIntervalSeconds: expected at most 86400 seconds'],
    ['parameters: inputBW', 'parameters: expected a list'],
    ['parameters: [inputBW, 5]', 'parameters.1: expected a parameter name; put it in quotes'],
    ['parameters: [inputBW, "yes", true]', 'parameters.2: expected a parameter name; put it in quotes'],
    ['parameters: ["in,out"]', 'parameters.0: expected a parameter name such as inputBW'],
    ['parameters: ["in\\tput"]', 'parameters.0: expected a parameter name such as inputBW'],
    ['parameters: [inputBW, inputBW]', 'parameters: expected every parameter once'],
    ['mutexgroup: 12', 'mutexgroup: this key is not known here'],
  ])('the line %s', (line, problem) => {
    expect(problems(`services:\n  gold:\n    ${line}\n`)).toEqual([
      `services.yaml:3: services.gold.${problem}`,
    ]);
  });

  it.each([
    ['gold(5)', 'expected no parentheses: they enclose parameters'],
    [' gold', 'expected no blanks at the ends'],
    ['', 'expected a name'],
    ['toString', 'a service cannot be called toString'],
  ])('the service name "%s"', (name, reason) => {
    expect(problems(`services:\n  gold: {}\n  "${name}": {}\n`)).toEqual([
      `services.yaml:3: services.${name}: ${reason}`,
    ]);
  });

  it.each([
    ['\\x1b[2J', '\\x1b[2J'],
    ['go\\nld', 'go\\x0ald'],
    ['\\u202edlog', '\\u{202e}dlog'],
    ['gold\\u200b', 'gold\\u{200b}'],
  ])('the service name "%s", which it shows without giving it to a terminal', (name, shown) => {
    expect(problems(`services:\n  gold: {}\n  "${name}": {}\n`)).toEqual([
      `services.yaml:3: services.${shown}: expected no control or format characters`,
    ]);
  });

  it.each([
    ['g'.repeat(247), '', 'expected at most 246 octets and not 247'],
    ['ö'.repeat(124), '', 'expected at most 246 octets and not 248'],
    [
      'g'.repeat(242),
      'parameters: [a, b]',
      'expected at most 241 octets, which leaves room for 2 parameters, and not 242',
    ],
  ])('a service name that does not fit into ERX-Service-Activate: %s', (name, definition, reason) => {
    expect(problems(`services:\n  gold: {}\n  ${name}: { ${definition} }\n`)).toEqual([
      `services.yaml:3: services.${name}: ${reason}`,
    ]);
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'the service name %s, which a record cannot hold',
    (name) => {
      expect(problems(`services:\n  gold: {}\n  ${name}: {}\n`)).toEqual([
        `services.yaml:3: services.${name}: a service cannot be called ${name}`,
      ]);
    },
  );

  it('two service names that look alike', () => {
    expect(problems('services:\n  gr\u00f6\u00dfe: {}\n  gro\u0308\u00dfe: {}\n')).toEqual([
      'services.yaml:2: services.gr\u00f6\u00dfe: another service has this name in another Unicode normalization form',
      'services.yaml:3: services.gro\u0308\u00dfe: another service has this name in another Unicode normalization form',
    ]);
  });

  it('a number in quotes beside the same without', () => {
    expect(problems('services:\n  30720: {}\n  "30720": {}\n')).toEqual([
      'services.yaml:3: Map keys must be unique',
    ]);
  });

  it('a service that is there twice', () => {
    expect(problems('services:\n  gold: {}\n  gold: {}\n')).toEqual([
      'services.yaml:3: Map keys must be unique',
    ]);
  });

  it.each([
    ['', 'the file: expected keys with values'],
    ['groups: {}', 'services: this key is missing'],
    ['services:', 'services: expected services by name'],
    ['services: [gold]', 'services: expected services by name'],
    ['services: {}', 'services: expected at least one service'],
    ['services: { gold: 12 }', 'services.gold: expected keys with values'],
  ])('services that are none: %j', (text, problem) => {
    expect(problems(text)).toEqual([`services.yaml:1: ${problem}`]);
  });

  it.each(['0', 'gold', '2147483647', '"12.0"', '0x0c', '""'])('the group %s', (group) => {
    const written = group.replaceAll('"', '');
    expect(problems(`${GOLD}groups:\n  ${group}: { policy: refuse }\n`)).toEqual([
      `services.yaml:3: groups.${written}: expected a mutex group as the key`,
    ]);
  });

  it.each(['refuse', 'replace'])('the policy %s of a group that no service has', (policy) => {
    const groups = `groups:\n  12: { policy: ${policy} }\n  31: { policy: ${policy} }\n`;
    expect(problems(GOLD + groups)).toEqual([
      'services.yaml:4: groups.31: no service has the mutex group 31',
    ]);
  });

  it('a policy that there is not, and a treatment of unknown members that there is not', () => {
    expect(problems(`${GOLD}groups:\n  7: { unknownMembers: go }\n  12: { policy: never }\n`)).toEqual([
      'services.yaml:3: groups.7.unknownMembers: expected keep or deactivate',
      'services.yaml:4: groups.12.policy: expected replace or refuse',
    ]);
  });
});
