import { nameOf } from '../../../core/services/activation.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { areExclusive, termsOf } from '../histories/deployment.ts';
import type { Checker, Expect, Facts } from './promise.ts';

export const sentence =
  'Interlock changes the services of a subscriber who is online and never leaves the subscriber without one.';

/**
 * Whatever happens, the NAS keeps all that the requests so far have activated and not replaced or deactivated, and what it
 * has from log-in; and of each mutex group it keeps a member. With `order: deactivate-first` there is a gap, which is closed
 * at rest.
 */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const { isEnforced, order, servicesAtNas, implied, fromLogIn, hasToGo, endedByNas, isDoubted } = facts;

  function isTaken(session: Session | undefined, activation: string): boolean {
    const { transition, services = {} } = session ?? {};
    switch (transition?.step) {
      case 'activate':
      case 'deactivate': {
        const { explicit, victims } = transition.job;
        const named = explicit.map((one) => one.activation);
        const isVictim = order !== 'activate-first' && victims.includes(activation);
        return isVictim || named.includes(activation) || named.includes(nameOf(activation));
      }
      case 'restore':
        // It is taken away once more and comes back.
        return order === 'deactivate-first' && services[activation]?.state === 'restoring';
      default:
        return false;
    }
  }

  /** Whether a group is to keep a member. Where each one was replaced, refused or timed out, it is right that the last one goes. */
  function isKept(session: Session | undefined, group: number): boolean {
    return [...implied.keys(), ...fromLogIn].some(
      (member) => termsOf(member).groups.includes(group) && !isTaken(session, member),
    );
  }

  /** Of the groups of `activation`, those of which the NAS has no member. */
  function emptyGroups(activation: string): readonly number[] {
    const has = servicesAtNas();
    const members = [...has, ...endedByNas];
    return termsOf(activation).groups.filter(
      (group) => !members.some((other) => areExclusive(activation, other, [group])),
    );
  }

  return {
    told(session, lost) {
      if (!isEnforced || facts.isOverlooked()) return;
      for (const activation of lost) {
        if (hasToGo.has(activation) || isTaken(session, activation)) continue;
        const isCertain = (implied.has(activation) || fromLogIn.has(activation)) && !isDoubted(activation);
        expect(!isCertain, `the NAS has lost ${activation}, which nobody took away`);
        const empty = order === 'deactivate-first' ? [] : emptyGroups(activation);
        const groups = empty.filter((group) => isKept(session, group));
        expect(groups.length === 0, `the NAS has lost ${activation} and has none of group ${groups} left`);
      }
    },
    atRest() {
      if (!isEnforced || facts.isOverlooked()) return;
      const named = facts.forwards.flatMap(({ wish }) => wish.deactivate.map(nameOf));
      for (const activation of [...implied.keys(), ...fromLogIn]) {
        // A service from log-in that the NAS may have deactivated, and never was known to have, is not activated for it. Where
        // the older service goes with the newcomer or before it, a NAS may refuse to have it again: that is an answer.
        const isUnknown = facts.hasFeed && fromLogIn.has(activation) && named.includes(nameOf(activation));
        const isRenounced =
          isUnknown ||
          (isDoubted(activation) &&
            (order !== 'activate-first' || fromLogIn.has(activation) || named.includes(nameOf(activation))));
        const groups = isRenounced || endedByNas.has(activation) ? [] : emptyGroups(activation);
        expect(
          groups.length === 0,
          `at rest the NAS has none of group ${groups}, and ${activation} was asked for`,
        );
      }
    },
  };
};
