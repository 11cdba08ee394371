import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { SkippedReporter } from './test/skipped-reporter.ts';

/** The searches first: they take longest, and one that begins last is waited for by itself. */
class SearchesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSearch = ({ moduleId }: TestSpecification) => moduleId.includes('/test/search/');
    return [...sorted.filter(isSearch), ...sorted.filter((file) => !isSearch(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, because some tests start servers; one more than there are cores, because they wait a lot.
    pool: 'forks',
    maxWorkers: availableParallelism() + 1,
    // Generous, because peers start slowly on a busy machine; no test waits for a timeout to pass.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    expect: { requireAssertions: true },
    sequence: { sequencer: SearchesFirst },
    reporters: ['default', new SkippedReporter()],
  },
});
