import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { areExclusive, deployment, NAS_REFUSAL } from '../histories/deployment.ts';
import { UNKNOWN_SERVICE, type Wish } from '../histories/wish.ts';
import { brief, type Checker, type Expect, type Facts } from './promise.ts';

export const sentence = 'the client gets CoA-NAK with the Error-Cause of the NAS, and nothing changes.';

/** A refusal has the reason that its Error-Cause names, and a client hears what was decided and nothing else. */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const isReason = (
    errorCause: number | undefined,
    wish: Wish,
    { identity, transition }: Session,
    nowMs: number,
  ): boolean => {
    switch (errorCause) {
      case ERROR_CAUSE['Session-Context-Not-Found']:
        return identity['User-Name'] !== wish.userName;
      case ERROR_CAUSE['Administratively-Prohibited']: {
        const { refusingGroups } = deployment.catalogue;
        return wish.activate.some(({ activation }) =>
          facts.implied.keys().some((member) => areExclusive(activation, member, refusingGroups)),
        );
      }
      case ERROR_CAUSE['Other-Proxy-Processing-Error']:
        return facts.troubles.unknown > 0 || (transition !== undefined && transition.deadlineMs <= nowMs);
      // See in-order.ts.
      case ERROR_CAUSE['Resources-Unavailable']:
        return true;
      case NAS_REFUSAL:
        return facts.troubles.refused > 0;
      default:
        return false;
    }
  };
  return {
    evaluated({ forward: { correlationId, wish }, answer: { answer, errorCause }, before, after, nowMs }) {
      if (answer === 'nak')
        expect(
          isReason(errorCause, wish, before ?? after, nowMs),
          `${correlationId} is refused with ${errorCause} for no reason`,
        );
    },
    replied(reply) {
      const { wish } = facts.forward(reply.correlationId);
      const isUnknown = wish.activate.some(({ activation }) => activation === UNKNOWN_SERVICE);
      expect(
        isUnknown === (reply.errorCause === ERROR_CAUSE['Invalid-Request']),
        `${reply.correlationId} is answered with ${brief(reply)}`,
      );
    },
    heard(_, bytes, answer) {
      const given = facts.replies.filter(({ correlationId }) => facts.forward(correlationId).bytes === bytes);
      expect(
        given.some((reply) => brief(reply) === brief(answer)),
        `a client hears ${brief(answer)}, which nobody has answered`,
      );
    },
  };
};
