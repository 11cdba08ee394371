/** An error in words. AggregateError, which a refused connection to a host with two addresses gives, has none itself. */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeError).join(', ');
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
