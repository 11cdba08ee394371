import type { Checker, Expect, Facts } from './promise.ts';

export const sentence =
  'A record leaves its queue when an accounting server has answered, and waits there for up to 14 days.';

/** The accounting server gets each record of the queue, byte for byte and in order; it may get one twice. */
export const checker = (_: Facts, expect: Expect): Checker => {
  const queued: string[] = [];
  const delivered = new Set<string>();
  return {
    accounted({ attributes }) {
      // The queue has forgotten the first one after five minutes, and takes it again.
      if (!queued.includes(attributes)) queued.push(attributes);
    },
    delivered(attributes) {
      const isNext = delivered.has(attributes) || queued[delivered.size] === attributes;
      expect(isNext, 'the accounting server gets a record out of order, or one that nobody made');
      delivered.add(attributes);
    },
    atRest() {
      const missing = queued.length - delivered.size;
      expect(missing === 0, `${missing} records have not reached the accounting server`);
    },
  };
};
