/**
 * An error in words. An AggregateError has no message of its own: a refused connection to a host with two addresses
 * throws one.
 */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeError).join(', ');
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
