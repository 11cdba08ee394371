import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'Interlock deactivates the new services until the NAS confirms that they are gone.';

/** The NAS never has a service through Interlock that the item does not know of, and so would never be told to take back. */
export const checker = ({ isEnforced, servicesAtNas, isOverlooked }: Facts, expect: Expect): Checker => {
  /** What the NAS has had all the time. */
  const untouched = new Set(servicesAtNas());
  return {
    begunAgain() {
      untouched.clear();
      for (const activation of servicesAtNas()) untouched.add(activation);
    },
    told(session) {
      if (!isEnforced || isOverlooked()) return;
      const { services = {}, transition } = session ?? {};
      const planned =
        transition?.step === 'activate' || transition?.step === 'deactivate' ? transition.job.planned : {};
      const has = servicesAtNas();
      for (const activation of untouched) if (!has.includes(activation)) untouched.delete(activation);
      for (const activation of has)
        expect(
          untouched.has(activation) || activation in services || activation in planned,
          `the NAS has ${activation}, and the item does not know`,
        );
    },
  };
};
