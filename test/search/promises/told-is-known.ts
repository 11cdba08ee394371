import type { Checker, Expect, Facts } from './promise.ts';

export const sentence =
  'When it stays silent, the client gets CoA-NAK 505, and the NAS is told to take the activation back until it answers.';

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
