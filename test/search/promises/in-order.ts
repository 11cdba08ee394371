import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { MAX_WAITING } from '../../../core/subscriber/transition.ts';
import type { Checker, Expect, Facts } from './promise.ts';

export const sentence =
  'Several requests for one session are carried out in order of arrival. Up to 8 wait; the next one gets CoA-NAK 506.';

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
