import { describe, expect, it } from 'vitest';
import type { Session } from '../../../core/subscriber/session.ts';
import { transition } from '../../../core/subscriber/transition.ts';
import { ack, asked, brief, COA, having, NOW, nas, play, request, services, told } from '../support.ts';

const PATIENCE_MS = 10_000;
const GIVEN_UP = NOW + PATIENCE_MS;
const gold = request('r1', { ...COA, activate: ['gold'], answerByMs: GIVEN_UP });

describe('a request whose client has given up', () => {
  it.each([
    ['of a new session', undefined],
    ['of a session that is idle', having(['silver'])],
    [
      'of a session with a command in progress',
      play([asked(request('r0', { ...COA, activate: ['bronze'] }))]).session,
    ],
  ] as const)('is refused with 506, %s, and the NAS is not told', (_, session) => {
    const result = transition(session, asked(gold), GIVEN_UP);
    expect(brief(result)).toEqual(['nak 506']);
    expect(told(result)).toEqual([]);
    expect(services(result.session ?? session)).toEqual(services(session));
    expect(result.session?.waiting ?? []).toEqual([]);
  });

  it('is carried out a millisecond earlier', () => {
    expect(brief(transition(having(['silver']), asked(gold), GIVEN_UP - 1))).toEqual(['activate gold']);
  });

  it('changes nothing where there is no NAS to tell either', () => {
    const untold = request('r1', { nas: nas(), activate: ['gold'], answerByMs: GIVEN_UP });
    const { session, effects } = transition(having(['silver']), asked(untold), GIVEN_UP);
    expect(services(session)).toEqual({ silver: 'active' });
    expect(effects).toMatchObject([{ kind: 'reply', answer: 'nak', errorCause: 506 }]);
  });

  it('is refused when it leaves the waiting list, and those behind it are carried out', () => {
    const first = request('r0', { ...COA, activate: ['bronze'] });
    const patient = request('r2', { ...COA, activate: ['silver'], answerByMs: GIVEN_UP + 1 });
    const { session } = play([asked(first), asked(gold), asked(patient)]);
    const result = transition(session, ack(session), GIVEN_UP);
    expect(brief(result)).toEqual(['ack', 'nak 506', 'activate silver']);
  });

  it('says why, for operators', () => {
    const { session } = transition(having(['silver']), asked(gold), GIVEN_UP + 2_500);
    expect(session?.answered.at(-1)?.reason).toBe('the client gave up 2 s before the request could begin');
  });

  it('is answered alike when it is sent again, though there would be time for it now', () => {
    const refused = transition(
      having(['silver']),
      asked({ ...gold, origin: { ...gold.origin, timestamped: true } }),
      GIVEN_UP,
    );
    const again = {
      ...gold,
      origin: { ...gold.origin, timestamped: true },
      correlationId: 'again',
      answerByMs: GIVEN_UP + PATIENCE_MS,
    };
    expect(brief(transition(refused.session as Session, asked(again), GIVEN_UP + 1))).toEqual(['nak 506']);
  });

  it('is not refused once it has begun: it is finished, however long that takes', () => {
    const { session } = play([asked(gold)]);
    expect(brief(transition(session, ack(session), GIVEN_UP + 60_000))).toEqual(['ack']);
  });
});
