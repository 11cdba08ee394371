import { isOpenByFeed } from '../../../core/subscriber/life.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence = 'A NAK means that the NAS ends up as it was, and an ACK that it ends up as asked.';

/**
 * In the end the item, the NAS and the requests agree, but for what the item says is in doubt; and what still has to be told
 * has a time for that.
 */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const { isEnforced, servicesAtNas, implied, fromLogIn, endedByNas, isDoubted } = facts;
  return {
    atRest(session) {
      const services = Object.values(session?.services ?? {});
      for (const { activation, state, undo } of services)
        expect(
          undo === undefined && (state === 'active' || state === 'unconfirmed'),
          `${activation} is ${state} at rest`,
        );
      const isCertain = (activation: string) => !isDoubted(activation);
      const active = services.filter(({ state }) => state === 'active').map(({ activation }) => activation);
      const expected = [...implied.keys()].filter(isCertain);
      expectSame(expect, ['in the item', active.filter(isCertain)], ['implied by the requests', expected]);
      const isKept = session === undefined || services.length > 0 || isOpenByFeed(session);
      expect(isKept || dueAtMs(session) !== undefined, 'a session with nothing in it is kept for ever');
      if (!isEnforced) return;
      const isThere = (activation: string) => !endedByNas.has(activation);
      expectSame(
        expect,
        ['at the NAS', servicesAtNas().filter(isCertain)],
        ['implied by log-in and the requests', [...expected, ...fromLogIn].filter(isCertain).filter(isThere)],
      );
      const missing = active.filter((one) => isThere(one) && !servicesAtNas().includes(one));
      expect(missing.length === 0, `the item has ${missing} active, and the NAS does not have it`);
    },
  };
};
