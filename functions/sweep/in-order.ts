// Merges the parts of the due index.

/** What has a time, milliseconds since 1970-01-01 UTC. */
interface Timed {
  readonly dueAtMs: number;
}

/** Several lists, each in the order of time and in pages, as one list in the order of time, in pages. */
export async function* inOrder<T extends Timed>(
  lists: readonly AsyncIterator<readonly T[]>[],
): AsyncGenerator<readonly T[]> {
  let open: readonly OpenList<T>[] = lists.map((pages) => ({ pages, page: [] }));
  for (;;) {
    open = await Promise.all(
      open.map(({ pages, page }) => (page.length > 0 ? { pages, page } : advance(pages, page))),
    );
    open = open.filter(({ page }) => page.length > 0);
    if (open.length === 0) return;
    // All up to here is known: what follows a page is later than its last one.
    const upToMs = Math.min(...open.map(({ page }) => page.at(-1)?.dueAtMs ?? 0));
    yield open
      .flatMap(({ page }) => page.filter(({ dueAtMs }) => dueAtMs <= upToMs))
      .sort((one, other) => one.dueAtMs - other.dueAtMs);
    open = open.map(({ pages, page }) => ({ pages, page: page.filter(({ dueAtMs }) => dueAtMs > upToMs) }));
  }
}

interface OpenList<T> {
  readonly pages: AsyncIterator<readonly T[]>;
  /** What of its latest page has not been given yet. */
  readonly page: readonly T[];
}

/** The list at its next page that has something; an empty one at its end. */
async function advance<T>(pages: AsyncIterator<readonly T[]>, page: readonly T[]): Promise<OpenList<T>> {
  let current = page;
  while (current.length === 0) {
    const { done, value } = await pages.next();
    if (done) break;
    current = value;
  }
  return { pages, page: current };
}
