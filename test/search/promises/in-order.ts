import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { MAX_WAITING } from '../../../core/subscriber/transition.ts';
import type { Checker, Expect, Facts } from './promise.ts';

export const sentence =
  'Requests for one subscriber that arrive during a change wait in order, at most 8; one more gets 506.';

export const checker = ({ forwards, carriedOut }: Facts, expect: Expect): Checker => ({
  evaluated({ forward: { correlationId }, answer, before, after }) {
    if (answer.errorCause === ERROR_CAUSE['Resources-Unavailable'])
      expect(
        (before ?? after).waiting.length >= MAX_WAITING,
        `${correlationId} is refused with 506, and there is room`,
      );
  },
  carriedOut({ forward }) {
    const late = forwards.findLast((one) => carriedOut.has(one));
    const isInOrder = late === undefined || forwards.indexOf(late) < forwards.indexOf(forward);
    expect(isInOrder, `${forward.correlationId} is carried out after ${late?.correlationId}`);
  },
});
