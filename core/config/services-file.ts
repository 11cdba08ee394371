// The services file: the service definitions and the mutex groups, as an operator writes them.
import * as v from 'valibot';
import { nameProblem } from '../services/activation.ts';
import { type Catalogue, isMutexGroup } from '../services/catalogue.ts';
import { ConfigurationError, expectText, type ParsedFile, parseFile } from './problems.ts';

/** An ERX-Service-Activate has 246 octets besides its tag. */
const MAX_ACTIVATION_OCTETS = 246;

/** Why `name` is no name of a service; '' if it is one. */
const problemOf = (name: unknown) => (typeof name === 'string' ? (nameProblem(name) ?? '') : '');
const ServiceName = v.pipe(
  v.string(),
  v.check(
    (name) => problemOf(name) === '',
    ({ input }) => problemOf(input),
  ),
);
const ParameterName = v.pipe(
  v.string(expectText('expected a parameter name')),
  v.check(
    (name) => nameProblem(name) === undefined && !name.includes(','),
    'expected a parameter name such as inputBW',
  ),
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
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const input = dataset.value;
      for (const key of ['__proto__', 'constructor', 'prototype'].filter((name) =>
        Object.hasOwn(input, name),
      )) {
        const path = { type: 'object', origin: 'key', input, key, value: input[key] } as const;
        addIssue({ message: problemOf(key), path: [path] });
      }
    }),
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

/** What is wrong with the name of a service beside its parameters and its `twins`, which are equal in a normalization form. */
function problemBeside(
  name: string,
  services: Readonly<Record<string, v.InferOutput<typeof Service>>>,
  twins: readonly string[],
): string | undefined {
  // The shortest parameters, `(1,2)`: an octet for each, one that separates or ends it, and the parenthesis.
  const count = services[name]?.parameters.length ?? 0;
  const most = MAX_ACTIVATION_OCTETS - (count === 0 ? 0 : 2 * count + 1);
  const octets = Buffer.byteLength(name);
  if (octets > most) {
    const beside = count === 0 ? '' : `, which leaves room for ${count} parameters,`;
    return `expected at most ${most} octets${beside} and not ${octets}`;
  }
  return twins.length > 1 ? 'another service has this name in another Unicode normalization form' : undefined;
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
  const twins = Map.groupBy(Object.keys(services), (name) => name.normalize());
  const problems = Object.keys(services).flatMap((name) => {
    const reason = problemBeside(name, services, twins.get(name.normalize()) ?? []);
    return reason === undefined ? [] : [parsed.problem(['services', name], reason)];
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
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
