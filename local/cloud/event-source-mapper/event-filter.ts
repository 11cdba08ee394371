// Lambda's event filtering, as far as it compares for equality.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html

/** The same object as in the `Pattern` of a filter on AWS: the leaves list the values that pass. */
export type EventPattern = { readonly [key: string]: EventPattern | readonly unknown[] };

/**
 * A test for events; a key that an event does not have passes nothing.
 * @throws Error when `pattern` holds anything but lists of strings, numbers and booleans.
 */
export function compileEventFilter(pattern: EventPattern, path = ''): (event: unknown) => boolean {
  const tests = Object.entries(pattern).map(([key, expected]) => {
    const test = isList(expected)
      ? oneOf(expected, `${path}${key}`)
      : compileEventFilter(expected, `${path}${key}.`);
    return (event: unknown) => isObject(event) && test(event[key]);
  });
  return (event) => tests.every((test) => test(event));
}

function oneOf(values: readonly unknown[], path: string): (value: unknown) => boolean {
  const strange = values.find((value) => !['string', 'number', 'boolean'].includes(typeof value));
  if (strange !== undefined || values.length === 0) {
    const found = values.length === 0 ? 'an empty list' : JSON.stringify(strange);
    throw new Error(`the filter on ${path} must list strings, numbers or booleans, not ${found}`);
  }
  return (value) => values.includes(value);
}

function isList(value: EventPattern | readonly unknown[]): value is readonly unknown[] {
  return Array.isArray(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
