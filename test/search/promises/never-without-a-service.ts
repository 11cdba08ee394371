import type { Checker, Expect, Facts } from './promise.ts';

export const sentence =
  'Interlock changes the services of a subscriber who is online and never leaves the subscriber without one.';

/** Whatever happens, the NAS has all that the requests so far have activated and not replaced or deactivated. */
export const checker = ({ isEnforced, servicesAtNas, implied }: Facts, expect: Expect): Checker => ({
  told() {
    if (!isEnforced) return;
    const has = servicesAtNas();
    for (const activation of implied.keys())
      expect(has.includes(activation), `the NAS has lost ${activation}, which nobody took away`);
  },
});
