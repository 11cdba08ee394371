// What of a subscriber decides on what can happen next. Not in it: the clock, versions, how often a thing was tried
// beyond twice, the numbers of service sessions, and what commands are called, but for which of them are the same one. Two states that differ
// in these alone have the same future, so only one of them is explored.
import type { Event } from '../../../core/subscriber/event.ts';
import type { Effect, Job, Session } from '../../../core/subscriber/session.ts';
import { feedKeyOf } from './feed-world.ts';
import { hasGivenUp, type Subscriber, wishOf } from './subscriber-world.ts';

export function keyOf(subscriber: Subscriber): string {
  const names = new Map<string, number>();
  const command = (id: string): number => {
    const name = names.get(id) ?? names.size;
    names.set(id, name);
    return name;
  };
  const event = (one: Event) => {
    if (one.kind === 'outcome') return [command(one.commandId), one.result, one.errorCause];
    return one.kind === 'request' ? [one.id, hasGivenUp(subscriber, one.id)] : one.kind;
  };
  const effect = (one: Effect) =>
    one.kind === 'command' ? command(one.commandId) : [one.correlationId, one.answer, one.errorCause];
  const { session, commands, inbox, outcomes, replies, started, stopped } = subscriber;
  const parts = [
    session &&
      sessionParts(
        session,
        command,
        effect,
        [...inbox, ...outcomes, ...(subscriber.feed?.records ?? [])],
        subscriber.feed?.clockMs,
      ),
    subscriber.nas,
    subscriber.isOffline,
    subscriber.paused?.map((one) => [one.operation, one.services, one.deactivates]),
    inbox.map(event),
    outcomes.map(event),
    commands.map((one) => [command(one.commandId), one.operation, one.services, one.deactivates]),
    replies.map((reply) => JSON.stringify(effect(reply))).sort(),
  ];
  const known = (id: string) => names.has(id);
  return JSON.stringify([
    ...parts,
    ...[subscriber.sent, subscriber.received, subscriber.expired].map((ids) =>
      ids.filter(known).map(command),
    ),
    subscriber.feed && feedKeyOf(subscriber.feed, session),
    session?.waiting.map(({ correlationId }) => hasGivenUp(subscriber, correlationId)),
    subscriber.clockMs !== undefined &&
      Object.values(session?.services ?? {}).map(
        ({ retry }) => retry !== undefined && retry.atMs <= (subscriber.clockMs ?? 0),
      ),
    subscriber.asked.map(wishOf),
    subscriber.heard,
    subscriber.expected,
    subscriber.outdated,
    subscriber.asked.map(({ origin: { key } }) => subscriber.carriedOutAs[key]),
    started
      .filter((id) => !stopped.includes(id))
      .map((id) => serviceOf(session, id))
      .sort(),
  ]);
}

function sessionParts(
  session: Session,
  command: (id: string) => number,
  effect: (effect: Effect) => unknown,
  inbox: readonly Event[],
  clockMs: number | undefined,
) {
  const { services, identity, transition, waiting, answered, recentEvents, storedUnder } = session;
  const eventId = (id: string) =>
    id.endsWith('/outcome')
      ? command(id.replace('/outcome', ''))
      : id.replace(/^due.*/, 'due').replace(/^f\d+ /, '');
  const times = [...new Set(Object.values(services).flatMap(({ retry }) => retry?.atMs ?? []))].sort(
    (a, b) => a - b,
  );
  return [
    Object.values(services)
      .map(
        ({
          activation,
          state,
          activatedAtMs,
          statistics,
          account,
          retry,
          undo,
          isLost,
          isStranger,
          named,
          isLearned,
          isAccountedByNas,
        }) => [
          activation,
          isLearned,
          isAccountedByNas,
          state,
          activatedAtMs !== undefined,
          statistics,
          account !== undefined,
          retry && [
            Math.min(retry.attempts, 2),
            times.indexOf(retry.atMs),
            retry.atMs > session.changedAtMs,
            retry.alsoGone,
          ],
          undo,
          isLost,
          isStranger,
          named,
        ],
      )
      .sort(),
    identity,
    storedUnder,
    session.isForgotten,
    transition && [
      clockMs !== undefined && transition.deadlineMs <= clockMs,
      transition.step,
      command(transition.commandId),
      transition.underWay,
      transition.remaining,
      transition.isConfirmed,
      transition.tellings,
      'job' in transition && jobParts(transition.job),
      'along' in transition && [transition.along, transition.otherwise],
      'isClearing' in transition,
      'owed' in transition && transition.owed?.request.correlationId,
    ],
    waiting.map(({ correlationId }) => correlationId),
    answered.map(({ correlationId, answer, errorCause }) => [correlationId, answer, errorCause]),
    // Only what is in the inbox still can be delivered again.
    recentEvents
      .map(({ id, effects }, index) => ({ id, effects, age: recentEvents.length - index }))
      .filter(({ id }) => inbox.some((event) => event.id === id))
      .map(({ id, effects, age }) => [eventId(id), effects.map(effect), age]),
  ];
}

function jobParts({ request, planned, explicit, victims, confirmed, ended, isAcknowledged, doubted }: Job) {
  return [
    doubted,
    request.correlationId,
    Object.values(planned).map(({ activation, statistics }) => [activation, statistics]),
    explicit.map(({ activation, isKnown }) => [activation, isKnown]),
    victims,
    confirmed,
    ended,
    isAcknowledged,
  ];
}

function serviceOf(session: Session | undefined, id: string): string {
  const number = Number(id.split(':').at(-1));
  return (
    Object.values(session?.services ?? {}).find((one) => one.account?.number === number)?.activation ?? id
  );
}
