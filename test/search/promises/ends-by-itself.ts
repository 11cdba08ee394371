import { termsOf } from '../histories/deployment.ts';
import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'deactivate the service of that tag after this number of seconds';

/** An activation ends when its timeout says, counted from the write that makes it active, and not before. */
export const checker = ({ implied }: Facts, expect: Expect): Checker => ({
  carriedOut({ forward: { wish }, after, nowMs }) {
    for (const { activation, timeoutSeconds = termsOf(activation).timeoutSeconds } of wish.activate) {
      const endsAtMs = timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutSeconds * 1000;
      const found = after.services[activation]?.expiresAtMs ?? Number.POSITIVE_INFINITY;
      expect(found === endsAtMs, `${activation} ends at ${found} and not at ${endsAtMs}`);
    }
  },
  atRest(session) {
    for (const [activation, endsAtMs] of implied)
      expect(
        endsAtMs === (session?.services[activation]?.expiresAtMs ?? Number.POSITIVE_INFINITY),
        `${activation} has outlived its timeout`,
      );
  },
});
