import { brief, type Checker, type Expect, expectSame, type Facts, hasAnswer } from './promise.ts';

export const sentence =
  'Afterwards it gets the stored answer: without an Event-Timestamp until the session changes, and for 30 s at most if a NAS was told.';

/** RFC 5176 section 6.3: the longest window, and 300 s for a relay whose clock is behind. */
const REPLAY_WINDOW_MS = 3_900_000;
/** So many answers the item remembers. */
const ANSWERS_REMEMBERED = 16;

/** Each request is answered, and one that comes again is not carried out again. */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const { forwards, replies, evaluations, reopened, forgotten } = facts;
  /** By bytes, the first answer that a client has heard to them. */
  const heard = new Map<string, string>();
  return {
    evaluated({ forward: { correlationId, bytes, wish, queuedAtMs } }) {
      if (wish.timestampMs === undefined) return;
      const isRepeat = evaluations
        .filter((one) => one.forward.bytes === bytes)
        .some(({ atMs }) => !forgotten.has(bytes) || queuedAtMs - atMs <= REPLAY_WINDOW_MS);
      expect(!isRepeat, `${correlationId} is evaluated, and its bytes were answered before`);
    },
    replied(reply) {
      const { correlationId } = reply;
      const earlier = replies.find((other) => other.correlationId === correlationId);
      const { bytes } = facts.forward(correlationId);
      if (earlier !== undefined && !reopened.has(bytes) && !forgotten.has(bytes))
        expectSame(expect, [`${correlationId} is answered`, [brief(reply)]], ['before', [brief(earlier)]]);
    },
    heard({ timestampMs }, bytes, answer) {
      const first = heard.get(bytes) ?? brief(answer);
      heard.set(bytes, first);
      if (timestampMs !== undefined && evaluations.length <= ANSWERS_REMEMBERED && !forgotten.has(bytes))
        expectSame(expect, ['a client hears', [brief(answer)]], ['before', [first]]);
    },
    atRest() {
      for (const forward of forwards) {
        const isAnswered = hasAnswer(facts, forward) || reopened.has(forward.bytes);
        expect(isAnswered, `${forward.correlationId} has no answer`);
      }
    },
  };
};
