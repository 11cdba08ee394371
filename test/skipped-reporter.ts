import type { Reporter, TestModule } from 'vitest/node';

/** Names the tests that did not run, each with its reason, so that a missing peer is seen. */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => {
        const result = test.result();
        const note = result.state === 'skipped' && result.note !== undefined ? ` [${result.note}]` : '';
        return ` ↓ ${module.relativeModuleId} > ${test.fullName}${note}\n`;
      }),
    );
    if (skipped.length > 0) process.stdout.write(` Not run:\n${skipped.join('')}\n`);
  }
}
