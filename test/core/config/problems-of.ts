import { ConfigurationError } from '../../../core/config/problems.ts';

/** The problems with which `parse` refuses a file; none when it accepts it. */
export function problemsOf(parse: () => unknown): readonly string[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError && error.message === error.problems.join('\n'))
      return error.problems;
    throw error;
  }
}
