import type { Checker, Expect, Facts, Forward, Reply } from './promise.ts';

export const sentence = 'Then it is a new request: A, B and A again ends at A.';

/**
 * Bytes without Event-Timestamp that come after their answer are the same request only while no other has changed
 * anything. Those that come before it are a repeat, whatever else is under way.
 */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const { forwards, replies, evaluations, changing } = facts;
  const isEvaluated = (one: Forward) => evaluations.some(({ forward }) => forward === one);
  const hasReply = (one: Forward, among: readonly Reply[]) =>
    among.some((reply) => reply.correlationId === one.correlationId);

  function check(repeat: Forward, index: number): void {
    const { correlationId, bytes, wish, repliesBefore } = repeat;
    if (wish.timestampMs !== undefined || isEvaluated(repeat) || !hasReply(repeat, replies)) return;
    const before = forwards.slice(0, index);
    const origin = before.findLast((one) => one.bytes === bytes && isEvaluated(one));
    if (origin === undefined || !hasReply(origin, replies.slice(0, repliesBefore))) return;
    for (const between of before.slice(before.indexOf(origin) + 1))
      expect(!changing.has(between), `${correlationId} gets a stored answer behind ${between.correlationId}`);
  }

  return { atRest: () => forwards.forEach(check) };
};
