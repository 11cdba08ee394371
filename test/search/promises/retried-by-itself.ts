import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'Each service has pauses of its own: one that fails does not delay another.';

const FIRST_PAUSE_MS = 15_000;
const LONGEST_PAUSE_MS = 15 * 60_000;

/** No service waits for longer than its own failures account for, and none for longer because another one failed. */
export const checker = ({ failures }: Facts, expect: Expect): Checker => {
  /** How often each service had failed when it was written last. */
  const failuresThen = new Map<string, number>();
  return {
    written({ before, after: { services }, nowMs }) {
      for (const { activation, number, retry } of Object.values(services)) {
        const failed = failures.get(activation) ?? 0;
        const hasFailed = failed > (failuresThen.get(activation) ?? 0);
        failuresThen.set(activation, failed);
        if (retry === undefined) continue;
        const earlier = before?.services[activation];
        const plannedAtMs = earlier?.number === number ? earlier.retry?.atMs : undefined;
        if (plannedAtMs !== undefined && plannedAtMs > nowMs && retry.atMs > plannedAtMs)
          expect(hasFailed, `${activation} is put off, and has not failed`);
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, failed - 1), LONGEST_PAUSE_MS);
        expect(
          retry.atMs <= Math.max(plannedAtMs ?? 0, nowMs + pauseMs),
          `${activation} has failed ${failed} times and waits for ${retry.atMs - nowMs} ms`,
        );
      }
    },
  };
};
