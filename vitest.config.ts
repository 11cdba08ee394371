import { defineConfig } from 'vitest/config';
import { SkippedReporter } from './test/skipped-reporter.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, because some tests start servers; as many as there are cores, because they wait a lot.
    pool: 'forks',
    maxWorkers: '100%',
    // Generous, because peers start slowly on a busy machine; no test waits for a timeout to pass.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    expect: { requireAssertions: true },
    reporters: ['default', new SkippedReporter()],
  },
});
