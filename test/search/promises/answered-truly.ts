import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { nameOf } from '../../../core/services/activation.ts';
import { isClosed } from '../../../core/subscriber/life.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { areExclusive, canonical, deployment } from '../histories/deployment.ts';
import { UNKNOWN_SERVICE, type Wish } from '../histories/wish.ts';
import { brief, type Checker, type Evaluation, type Expect, endsSession, type Facts } from './promise.ts';

export const sentence =
  'An ACK means that every change was made, and a NAK has the Error-Cause of what refused it.';

/**
 * At an ACK the NAS has what the request activates and not what it deactivates. A refusal has the reason that its Error-Cause
 * names, and a client hears what was decided and nothing else.
 */
export const checker = (facts: Facts, expect: Expect): Checker => {
  const isReason = ({ answer: { errorCause }, forward, before, after }: Evaluation): boolean => {
    const { wish, correlationId } = forward;
    const outcomes = facts.outcomes(correlationId);
    const saysNas = outcomes.some((one) => one.result === 'nak' && one.errorCause === errorCause);
    if (saysNas) return true;
    const sessions = [before, after].filter((one) => one !== undefined);
    switch (errorCause) {
      case ERROR_CAUSE['Session-Context-Not-Found']:
        if ([before, after].some((one) => one !== undefined && isClosed(one))) return true;
        if (endsSession({ before, after })) return true;
        if (isAboutUnknown(facts, wish, sessions)) return true;
        // Its session was found by what has been forgotten since.
        if (wish.isByName && sessions.some(({ identity }) => identity['User-Name'] !== wish.userName))
          return true;
        return sessions.some(({ identity }) => {
          const known = identity['User-Name'];
          return known !== undefined && wish.userName !== undefined && known !== wish.userName;
        });
      case ERROR_CAUSE['Administratively-Prohibited']:
        return [{ services: {} }, ...sessions].some((session) => isExcluded(wish, session));
      case ERROR_CAUSE['Other-Proxy-Processing-Error']:
        return outcomes.some(({ result }) => result === 'unknown');
      case ERROR_CAUSE['Invalid-Request']:
        return isAboutUndefined(facts, wish) || isAboutItself(wish);
      // See in-order.ts.
      case ERROR_CAUSE['Resources-Unavailable']:
        return true;
      default:
        return false;
    }
  };
  return {
    evaluated(evaluation) {
      const { forward, answer, before } = evaluation;
      const { correlationId, wish } = forward;
      if (answer.answer === 'nak') {
        expect(isReason(evaluation), `${correlationId} is refused with ${answer.errorCause} for no reason`);
        return;
      }
      if (!facts.isEnforced || facts.isOverlooked()) return;
      const has = facts.servicesAtNas();
      for (const { activation } of wish.activate)
        expect(
          has.includes(activation) || facts.endedByNas.has(activation),
          `${correlationId} gets ACK, and the NAS does not have ${activation}`,
        );
      for (const spelling of wish.deactivate) {
        const named = canonical(spelling);
        const known = Object.keys(before?.services ?? {}).filter((one) => nameOf(one) === named);
        const activated = wish.activate.map(({ activation }) => activation);
        const left = [named, ...known].find((one) => has.includes(one) && !activated.includes(one));
        expect(left === undefined, `${correlationId} gets ACK, and the NAS has ${left}`);
      }
      const isStranger = wish.userName !== undefined && wish.userName !== (facts.userName ?? wish.userName);
      expect(!isStranger, `${correlationId} gets ACK, and names another subscriber`);
    },
    replied(reply) {
      const { correlationId, errorCause } = reply;
      const { wish } = facts.forward(correlationId);
      const isUnknown = wish.activate.some(({ activation }) => activation === UNKNOWN_SERVICE);
      const isInvalid = errorCause === ERROR_CAUSE['Invalid-Request'];
      const mayBeInvalid = isUnknown || isAboutUndefined(facts, wish) || isAboutItself(wish);
      expect(
        isUnknown ? isInvalid : !isInvalid || mayBeInvalid,
        `${correlationId} is answered with ${brief(reply)}`,
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

/** Whether a group with `policy: refuse` has another member: one that the request does not deactivate, or activates, too. */
function isExcluded({ activate, deactivate }: Wish, { services }: Pick<Session, 'services'>): boolean {
  const { refusingGroups } = deployment.catalogue;
  const named = deactivate.map(canonical);
  const staying = Object.keys(services).filter(
    (member) => !named.includes(member) && !named.includes(nameOf(member)),
  );
  const members = [...staying, ...activate.map(({ activation }) => activation)];
  return activate.some(({ activation }) =>
    members.some((member) => member !== activation && areExclusive(activation, member, refusingGroups)),
  );
}

/** Where no NAS knows better, the catalogue says which services there are. */
function isAboutUndefined({ isEnforced, replacesAll }: Facts, { deactivate }: Wish): boolean {
  return (
    (!isEnforced || replacesAll) &&
    deactivate.some((one) => deployment.catalogue.services[nameOf(canonical(one))] === undefined)
  );
}

/** Whether it deactivates what the table does not know of this subscriber, and the NAS cannot be asked about. */
function isAboutUnknown(
  { replacesAll }: Facts,
  { deactivate, userName }: Wish,
  sessions: readonly Session[],
): boolean {
  const isKnown = (name: string) =>
    sessions.every(({ services, identity }) =>
      Object.values(services).some(
        ({ activation, named }) =>
          (activation === name || nameOf(activation) === name) &&
          (named ?? [{}]).some((one) =>
            [undefined, identity['User-Name'], userName].includes(one['User-Name'] as string | undefined),
          ),
      ),
    );
  return replacesAll && deactivate.some((one) => !isKnown(canonical(one)));
}

/** Whether it deactivates by a bare name what it activates. */
function isAboutItself({ activate, deactivate }: Wish): boolean {
  const activated = activate.map(({ activation }) => nameOf(activation));
  return deactivate.some((one) => activated.includes(canonical(one)));
}
