import { isDeepStrictEqual } from 'node:util';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence = 'Every change of a session is in its history, which is kept for 30 days.';

/** Each change is a version of its own and has an item of its own, and what the items say adds up to what there is. */
export const checker = (_: Facts, expect: Expect): Checker => {
  /** By their sort keys. */
  const history = new Map<string, HistoryItem>();
  /** The last version of each session that was removed: that of its removal, or of what was left of it before that. */
  const removed: number[] = [];
  return {
    written({ before, after }) {
      const version = before?.version ?? 0;
      const isSame = after.version === version && before !== undefined && hasOnlyHeard(before, after);
      expect(isSame || after.version === version + 1, `the version after ${version} is ${after.version}`);
    },
    removed({ version, isForgotten }) {
      removed.push(isForgotten ? version : version + 1);
    },
    historyWritten(item) {
      const known = history.get(item.sk);
      const isSame = known === undefined || isDeepStrictEqual(item, known);
      expect(isSame, `${item.sk} says something else when it is written again`);
      history.set(item.sk, item);
    },
    historyComplete(session) {
      const { services = {}, version = 0 } = session ?? {};
      const items = [...history.values()].sort((one, other) => (one.sk < other.sk ? -1 : 1));
      const versions = items.map((one) => one.version).join(' ');
      const expected = [...removed, version]
        .flatMap((last) => Array.from({ length: last }, (_, index) => index + 1))
        .join(' ');
      expect(versions === expected, `of the changes ${expected} history has ${versions}`);

      const sum = new Map<string, string>();
      for (const item of items) {
        for (const activation of item.deactivated ?? []) sum.delete(activation);
        for (const [state, list] of Object.entries(listsOf(item)))
          for (const activation of list) sum.set(activation, state);
      }
      const present = Object.entries(services).map(([activation, { state }]) => `${activation} ${state}`);
      expectSame(
        expect,
        ['history adds up to', Array.from(sum, ([activation, state]) => `${activation} ${state}`)],
        ['in the item', present],
      );
    },
  };
};

/** Whether a write only says who the subscriber is, or that the NAS has accounted the session once more. */
function hasOnlyHeard(before: Session, after: Session): boolean {
  const rest = ({ services, transition, waiting, answered, drift, life }: Session) => {
    return {
      services,
      transition,
      waiting,
      answered,
      drift,
      isOpen: life !== undefined,
      closed: life?.closed,
    };
  };
  return isDeepStrictEqual(rest(before), rest(after));
}

/** By the state that the services of each list get. */
function listsOf({ activated = [], deactivating = [], restoring = [], unconfirmed = [] }: HistoryItem) {
  return { active: activated, deactivating, restoring, unconfirmed };
}
