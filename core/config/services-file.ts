// The services file: the service definitions and the mutex groups, as an operator writes them.
import * as v from 'valibot';
import { type Catalogue, isMutexGroup } from '../services/catalogue.ts';
import { ConfigurationError, type ParsedFile, parseFile } from './problems.ts';

const WORD = /^[A-Za-z][A-Za-z0-9_.-]*$/;
/** An ERX-Service-Activate has 246 octets besides its tag; a name must leave room for its parameters. */
const ServiceName = v.pipe(
  v.string(),
  v.regex(WORD, 'expected a service name: a letter, then letters, digits, "-", "_" and "."'),
  v.maxLength(128, 'expected at most 128 characters'),
);
const ParameterName = v.pipe(
  v.string('expected a parameter name'),
  v.regex(WORD, 'expected a parameter name such as inputBW'),
);
const Group = v.pipe(
  v.number('expected a mutex group: a whole number'),
  v.check(isMutexGroup, 'expected a mutex group from -2147483647 to 2147483646 other than 0'),
);
const whole = (unit: string, max: number) =>
  v.pipe(
    v.number(`expected a number of ${unit}`),
    v.integer(`expected a whole number of ${unit}`),
    v.minValue(0, 'expected 0 or more'),
    v.maxValue(max, `expected at most ${max} ${unit}`),
  );

const Service = v.strictObject({
  parameters: v.optional(
    v.pipe(
      v.array(ParameterName),
      v.check((names) => new Set(names).size === names.length, 'expected every parameter once'),
    ),
    [],
  ),
  mutexGroup: v.optional(
    v.pipe(
      v.lazy((input) => (Array.isArray(input) ? v.array(Group) : Group)),
      v.transform((value) => [...new Set(Array.isArray(value) ? value : [value])]),
    ),
    [],
  ),
  /** What is accounted where the request has no ERX-Service-Statistics. */
  statistics: v.optional(
    v.picklist(['off', 'time', 'time+volume'], 'expected off, time or time+volume'),
    'off',
  ),
  timeoutSeconds: v.optional(whole('seconds', 0xff_ffff), 0),
  volumeMegabytes: v.optional(whole('megabytes', 0xff_ffff), 0),
  interimIntervalSeconds: v.optional(whole('seconds', 86_400), 0),
});

const ServicesFile = v.strictObject({
  services: v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(isMapping, 'expected services by name'),
    v.check((services) => Object.keys(services).length > 0, 'expected at least one service'),
    // v.record drops these keys silently.
    v.check(
      (services) => !['__proto__', 'constructor', 'prototype'].some((name) => Object.hasOwn(services, name)),
      'a service cannot be called __proto__, constructor or prototype',
    ),
    v.record(ServiceName, v.nullish(Service, {})),
  ),
  groups: v.optional(
    v.record(
      v.pipe(
        v.string(),
        v.check(
          (key) => isMutexGroup(Number(key)) && key === String(Number(key)),
          'expected a mutex group as the key',
        ),
      ),
      v.strictObject({
        policy: v.optional(v.picklist(['replace', 'refuse'], 'expected replace or refuse'), 'replace'),
        /** Members that a NAS may have though Interlock does not know of them. */
        unknownMembers: v.optional(v.picklist(['keep', 'deactivate'], 'expected keep or deactivate'), 'keep'),
      }),
    ),
    {},
  ),
});

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads a services file.
 * @throws ConfigurationError naming file, line, path and what was expected.
 */
export function parseServicesFile(file: string, text: string): Catalogue {
  return parseServicesWithPlaces(file, text).value;
}

/** The same, with a way to report further problems at places in the file. */
export function parseServicesWithPlaces(file: string, text: string): ParsedFile<Catalogue> {
  const parsed = parseFile(file, text, ServicesFile);
  const { services, groups } = parsed.value;
  const used = new Set(Object.values(services).flatMap(({ mutexGroup }) => mutexGroup));
  const unused = Object.keys(groups).filter((key) => !used.has(Number(key)));
  if (unused.length > 0) {
    throw new ConfigurationError(
      unused.map((key) => parsed.problem(['groups', key], `no service has the mutex group ${key}`)),
    );
  }
  const catalogue: Catalogue = {
    services: Object.fromEntries(
      Object.entries(services).map(([name, { mutexGroup, ...definition }]) => [
        name,
        { ...definition, groups: mutexGroup },
      ]),
    ),
    refusingGroups: Object.entries(groups)
      .filter(([, group]) => group.policy === 'refuse')
      .map(([key]) => Number(key)),
    clearedGroups: Object.entries(groups)
      .filter(([, group]) => group.unknownMembers === 'deactivate')
      .map(([key]) => Number(key)),
  };
  return { value: catalogue, problem: parsed.problem };
}
