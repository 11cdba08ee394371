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
    ['parameters: [inputBW, 5]', 'parameters.1: expected a parameter name'],
    ['parameters: ["input BW"]', 'parameters.0: expected a parameter name such as inputBW'],
    ['parameters: [inputBW, inputBW]', 'parameters: expected every parameter once'],
    ['mutexgroup: 12', 'mutexgroup: this key is not known here'],
  ])('the line %s', (line, problem) => {
    expect(problems(`services:\n  gold:\n    ${line}\n`)).toEqual([
      `services.yaml:3: services.gold.${problem}`,
    ]);
  });

  it.each(['9gold', 'go ld', 'gold(5)', 'gold,silver', ''])('the service name "%s"', (name) => {
    expect(problems(`services:\n  gold: {}\n  "${name}": {}\n`)).toEqual([
      `services.yaml:3: services.${name}: expected a service name: a letter, then letters, digits, "-", "_" and "."`,
    ]);
  });

  it('a service name that leaves no room for parameters', () => {
    expect(problems(`services:\n  ${'g'.repeat(129)}: {}\n`)).toEqual([
      `services.yaml:2: services.${'g'.repeat(129)}: expected at most 128 characters`,
    ]);
  });

  it.each(['__proto__', 'constructor', 'prototype'])(
    'the service name %s, which a record cannot hold',
    (name) => {
      expect(problems(`services:\n  gold: {}\n  ${name}: {}\n`)).toEqual([
        'services.yaml:1: services: a service cannot be called __proto__, constructor or prototype',
      ]);
    },
  );

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
