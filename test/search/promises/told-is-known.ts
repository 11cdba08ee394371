import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'Interlock deactivates the new services until the NAS confirms that they are gone.';

/** The NAS never has a service that the item does not know of, and so would never be told to take back. */
export const checker = ({ isEnforced, servicesAtNas }: Facts, expect: Expect): Checker => ({
  told(session) {
    if (!isEnforced) return;
    const { services = {}, transition } = session ?? {};
    const planned = transition?.step === 'activate' ? transition.planned : {};
    for (const activation of servicesAtNas())
      expect(
        activation in services || activation in planned,
        `the NAS has ${activation}, and the item does not know`,
      );
  },
});
