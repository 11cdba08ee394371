import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence = 'Every active service that shares a mutex group with a newly activated one.';

/**
 * After each write the item has active, or on its way back, what the requests add up to, neither more nor less, but for
 * what is in doubt.
 */
export const checker = ({ implied, isDoubted }: Facts, expect: Expect): Checker => ({
  written({ after }) {
    const members = Object.values(after.services).filter(({ state }) => MEMBER.has(state));
    const certain = members.map(({ activation }) => activation).filter((one) => !isDoubted(one));
    const expected = [...implied.keys()].filter((one) => !isDoubted(one));
    expectSame(
      expect,
      ['active in the item', certain.filter((one) => implied.has(one) || !isStranger(one))],
      ['implied by the requests', expected],
    );

    function isStranger(activation: string): boolean {
      const service = after.services[activation];
      return service?.state === 'restoring' && service.isStranger === true;
    }
  },
});

const MEMBER: ReadonlySet<string> = new Set(['active', 'restoring']);
