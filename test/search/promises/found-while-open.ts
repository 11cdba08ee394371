import { isOpenByFeed } from '../../../core/subscriber/life.ts';
import type { Checker, Expect, Facts } from './promise.ts';

export const sentence = 'a look-up finds the session that is open';

/** At rest a look-up by User-Name finds the open session of the subscriber, and none that has ended. */
export const checker = (
  { hasFeed, foundByName, isFound, isAnnounced, isOverdue }: Facts,
  expect: Expect,
): Checker => ({
  atRest(session) {
    if (!hasFeed || isOverdue() || session?.life === undefined) return;
    // The record of a service does not say who the subscriber is.
    if (isOpenByFeed(session) && !isAnnounced()) return;
    if (isOpenByFeed(session))
      expect(isFound(), `a look-up finds ${foundByName() ?? 'no session'}, and this one is open`);
    else expect(!isFound(), 'a look-up finds a session that has ended');
  },
});
