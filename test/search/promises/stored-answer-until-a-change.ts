import type { Checker, Expect, Facts, Forward, Reply } from './promise.ts';

export const sentence = 'Then it is a new request: A, B and A again ends at A.';

/** RFC 5080 section 2.2.1: a client goes on to repeat a request for so long. */
const REPEATED_WITHIN_MS = 30_000;

/**
 * Bytes without Event-Timestamp that come after their answer are the same request only while no other has changed
 * anything, and for as long as clients repeat a request. Those that come before it are a repeat, whatever else is under way.
 */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const { isEnforced, hasFeed, forgotten, forwards, replies, evaluations, changing } = facts;
  const isEvaluated = (one: Forward) => evaluations.some(({ forward }) => forward === one);
  const hasReply = (one: Forward, among: readonly Reply[]) =>
    among.some((reply) => reply.correlationId === one.correlationId);

  function check(repeat: Forward, index: number): void {
    const { correlationId, queuedAtMs, bytes, wish, repliesBefore } = repeat;
    if (wish.timestampMs !== undefined || isEvaluated(repeat) || !hasReply(repeat, replies)) return;
    // A look-up finds no session that has ended, and so no answer of it.
    if (hasFeed && wish.isByName && forgotten.has(bytes)) return;
    const before = forwards.slice(0, index);
    const origin = before.findLast((one) => one.bytes === bytes && isEvaluated(one));
    if (origin === undefined || !hasReply(origin, replies.slice(0, repliesBefore))) return;
    const { atMs = 0 } = evaluations.find(({ forward }) => forward === origin) ?? {};
    expect(
      !isEnforced || queuedAtMs - atMs <= REPEATED_WITHIN_MS,
      `${correlationId} gets the answer of ${queuedAtMs - atMs} ms ago, and the NAS may know better`,
    );
    for (const between of before.slice(before.indexOf(origin) + 1))
      expect(!changing.has(between), `${correlationId} gets a stored answer behind ${between.correlationId}`);
  }

  return { atRest: () => forwards.forEach(check) };
};
