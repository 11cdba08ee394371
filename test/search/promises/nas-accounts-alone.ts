import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'and Interlock sends none.';

/** What the NAS accounts, Interlock does not account as well. */
export const checker = ({ serviceAccounting }: Facts, expect: Expect): Checker => ({
  accounted({ status, serviceSession }) {
    expect(serviceAccounting !== 'nas', `Acct-${status} of ${serviceSession}, which the NAS accounts`);
  },
});
