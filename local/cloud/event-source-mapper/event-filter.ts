// Lambda's event filtering, as far as it compares for equality.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html

/** The `Pattern` of a filter on AWS as an object: each leaf lists the values that pass. */
export type EventPattern = { readonly [key: string]: EventPattern | readonly unknown[] };

/**
 * A test whether an event passes. An event without a key of the pattern does not.
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
  const unsupported = values.find((value) => !['string', 'number', 'boolean'].includes(typeof value));
  if (unsupported !== undefined || values.length === 0) {
    const found = values.length === 0 ? 'an empty list' : JSON.stringify(unsupported);
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
