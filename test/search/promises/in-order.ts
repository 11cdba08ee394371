import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { MAX_WAITING } from '../../../core/subscriber/transition.ts';
import { type Checker, type Expect, type Facts, hasGivenUp } from './promise.ts';

export const sentence =
  'Several requests for one session are carried out in order of arrival. Up to 8 wait; the next one gets CoA-NAK 506.';

/**
 * But for a request that was refused without a session, and so left no trace: if decide dies right behind the request after
 * it, which made the session, the queue delivers both again.
 */
export const checker = (
  { forwards, carriedOut, forgotten, isOneAtATime }: Facts,
  expect: Expect,
): Checker => ({
  evaluated({ forward: { correlationId }, answer, before, after }) {
    if (answer.errorCause === ERROR_CAUSE['Resources-Unavailable'])
      expect(
        // A NAS with one service at a time is not told of two, and a client that has given up is not waited for.
        (before ?? after).waiting.length >= MAX_WAITING || isOneAtATime || hasGivenUp(after, correlationId),
        `${correlationId} is refused with 506, and there is room`,
      );
  },
  carriedOut({ forward }) {
    const late = forwards.findLast((one) => carriedOut.has(one));
    if (forgotten.has(forward.bytes)) return;
    const isInOrder = late === undefined || forwards.indexOf(late) < forwards.indexOf(forward);
    expect(isInOrder, `${forward.correlationId} is carried out after ${late?.correlationId}`);
  },
});
