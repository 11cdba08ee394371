import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { isClosed } from '../../../core/subscriber/life.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import { type Checker, type Expect, endsSession, type Facts, hasGivenUp } from './promise.ts';

export const sentence = 'then its services end, and a request gets CoA-NAK 503.';

/** A session that the NAS has ended has nothing, waits for nothing and is told nothing, and no request succeeds. */
export const checker = (_: Facts, expect: Expect): Checker => ({
  written({ before, after }) {
    if (!isEndedByNas(after)) return;
    const { services, transition, waiting } = after;
    const left = Object.keys(services).join(' ');
    expect(left === '', `the session has ended and has ${left}`);
    expect(transition === undefined, 'the session has ended, and the NAS is told something');
    expect(waiting.length === 0, 'the session has ended, and requests wait');
    if (!endsSession({ before, after })) return;
    const had = Object.keys(before?.services ?? {});
    const unsaid = had.filter((activation) => !(activation in after.ended));
    expect(unsaid.length === 0, `the session has ended, and nothing says why ${unsaid} has`);
  },
  evaluated({ forward: { correlationId }, answer, before, after }) {
    if (!isEndedByNas(before) || hasGivenUp(after, correlationId)) return;
    const isRefused = answer.errorCause === ERROR_CAUSE['Session-Context-Not-Found'];
    expect(
      isRefused,
      `${correlationId} gets ${answer.answer} ${answer.errorCause}, and the session has ended`,
    );
  },
});

/** Whether a record says that the session has ended. */
function isEndedByNas(session: Session | undefined): boolean {
  const by = session?.life?.closed?.by;
  return session !== undefined && isClosed(session) && (by === 'stop' || by === 'restart');
}
