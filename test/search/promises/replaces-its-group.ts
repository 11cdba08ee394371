import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence =
  'Everything that was active before the request and shares a mutex group with something it activates.';

/** After each write the item has active what the requests add up to, neither more nor less. */
export const checker = ({ implied }: Facts, expect: Expect): Checker => ({
  written({ after }) {
    const active = Object.keys(after.services).filter((name) => after.services[name]?.state === 'active');
    expectSame(expect, ['active in the item', active], ['implied by the requests', implied.keys()]);
  },
});
