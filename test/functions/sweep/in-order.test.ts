import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inOrder } from '../../../functions/sweep/in-order.ts';

interface Timed {
  readonly dueAtMs: number;
  readonly id: string;
}

const times = fc.array(fc.nat(20)).map((list) => list.sort((one, other) => one - other));
const lists = fc.array(fc.record({ times, pageSize: fc.integer({ min: 1, max: 4 }) }), { maxLength: 5 });

/** In pages, of which some are empty. */
async function* paged(items: readonly Timed[], pageSize: number): AsyncGenerator<readonly Timed[]> {
  yield [];
  for (let start = 0; start < items.length; start += pageSize) yield items.slice(start, start + pageSize);
  yield [];
}

it('gives everything that the lists have once, in the order of time', async () => {
  await fc.assert(
    fc.asyncProperty(lists, async (parts) => {
      const all = parts.map(({ times, pageSize }, list) => ({
        pageSize,
        items: times.map((dueAtMs, index): Timed => ({ dueAtMs, id: `${list}/${index}` })),
      }));
      const given: Timed[] = [];
      for await (const page of inOrder(all.map(({ items, pageSize }) => paged(items, pageSize)))) {
        expect(page.length).toBeGreaterThan(0);
        given.push(...page);
      }
      const ordered = given.map(({ dueAtMs }) => dueAtMs);
      expect(ordered).toEqual(ordered.toSorted((one, other) => one - other));
      expect(given.map(({ id }) => id).sort()).toEqual(
        all.flatMap(({ items }) => items.map(({ id }) => id)).sort(),
      );
    }),
  );
});

it('asks for no page before it needs it', async () => {
  let asked = 0;
  async function* endless(): AsyncGenerator<readonly Timed[]> {
    for (;;) yield [{ dueAtMs: asked++, id: '' }];
  }
  const merged = inOrder([endless()]);
  for (let page = 0; page < 3; page++) await merged.next();
  await merged.return(undefined);
  expect(asked).toBe(3);
});
