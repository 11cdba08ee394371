import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence = 'the client still gets CoA-ACK; Interlock retries after 15 s, 30 s … 15 min.';

/** In the end the item, the NAS and the requests agree. */
export const checker = ({ isEnforced, servicesAtNas, implied }: Facts, expect: Expect): Checker => ({
  atRest(session) {
    const item = Object.keys(session?.services ?? {});
    expectSame(expect, ['in the item', item], ['implied by the requests', implied.keys()]);
    if (isEnforced) expectSame(expect, ['in the item', item], ['at the NAS', servicesAtNas()]);
  },
});
