import { type Checker, type Expect, endsSession, type Facts } from './promise.ts';

export const sentence = 'a record ends nothing that began after it';

/** Event-Timestamp and Acct-Session-Time are whole seconds. */
const SECOND_MS = 1_000;

/** The session that the NAS has now does not end by what happened before it began. */
export const checker = ({ hasFeed, beganAtNasMs }: Facts, expect: Expect): Checker => ({
  written({ before, after }) {
    const began = beganAtNasMs();
    const life = before?.life;
    if (!hasFeed || began === undefined || life === undefined || !endsSession({ before, after })) return;
    const beganAtMs = Math.floor(began / SECOND_MS) * SECOND_MS;
    const { closed, after: former } = after.life ?? {};
    const endedAtMs = (closed?.at ?? former)?.atMs ?? beganAtMs;
    const isThisOne =
      (life.began?.atMs ?? Number.NEGATIVE_INFINITY) >= beganAtMs - SECOND_MS ||
      (life.latest.atMs > beganAtMs + SECOND_MS && endedAtMs < beganAtMs);
    expect(!isThisOne, 'the session is ended, and the NAS has begun it later');
  },
});
