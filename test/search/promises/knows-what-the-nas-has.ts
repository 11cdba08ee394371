import { isClosed, isOpenByFeed } from '../../../core/subscriber/life.ts';
import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence = 'once all have come, what the table has as active the NAS has';

/**
 * At rest a session is open where the NAS has it, and closed or gone where the NAS has not; and where the NAS accounts services,
 * the table has those that the NAS has. A session of which the NAS has never sent a record is another matter.
 */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const { hasFeed, isEnforced, serviceAccounting, beganAtNasMs, isAnnounced } = facts;
  const { servicesAtNas, accountedAtNas, endedUnaccounted } = facts;
  return {
    atRest(session) {
      if (!hasFeed || facts.isOverdue()) return;
      const services = Object.values(session?.services ?? {});
      const active = services.filter(({ state }) => state === 'active').map(({ activation }) => activation);
      if (beganAtNasMs() === undefined) {
        expect(
          session === undefined || !isOpenByFeed(session),
          'the session is open, and the NAS has ended it',
        );
        if (isEnforced) expectSame(expect, ['the item has as active', active], ['the NAS has', []]);
        return;
      }
      if (!isAnnounced()) return;
      const isOpen = session !== undefined && !isClosed(session) && isOpenByFeed(session);
      expect(isOpen, 'the NAS has the session, and it is not open');
      if (serviceAccounting !== 'nas') return;
      const has = servicesAtNas();
      const missing = active.filter((one) => !has.includes(one) && !endedUnaccounted.has(one));
      expect(missing.length === 0, `the item has ${missing} as active, and the NAS has ended it`);
      const unknown = accountedAtNas().filter((one) => session?.services[one] === undefined);
      expect(unknown.length === 0, `the NAS accounts ${unknown}, and the item does not have it`);
    },
  };
};
