import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence = 'Every active service that shares a mutex group with a newly activated one.';

/** After each write the item has active what the requests add up to, neither more nor less. */
export const checker = ({ implied }: Facts, expect: Expect): Checker => ({
  written({ after }) {
    const active = Object.keys(after.services).filter((name) => after.services[name]?.state === 'active');
    expectSame(expect, ['active in the item', active], ['implied by the requests', implied.keys()]);
  },
});
