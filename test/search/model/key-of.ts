// What of a subscriber decides on what can happen next. Not in it: the clock, versions, how often a thing was tried,
// the numbers of service sessions, and what commands are called, but for which of them are the same one. Two states
// that differ in these alone have the same future, so only one of them is looked into.

import type { Event } from '../../../core/subscriber/event.ts';
import type { Effect, Session } from '../../../core/subscriber/session.ts';
import { type Subscriber, wishOf } from './subscriber-world.ts';

export function keyOf(subscriber: Subscriber): string {
  const names = new Map<string, number>();
  const command = (id: string): number => {
    const name = names.get(id) ?? names.size;
    names.set(id, name);
    return name;
  };
  const event = (one: Event) => {
    if (one.kind === 'outcome') return [command(one.commandId), one.result, one.errorCause];
    return one.kind === 'request' ? one.id : 'due';
  };
  const effect = (one: Effect) =>
    one.kind === 'command' ? command(one.commandId) : [one.correlationId, one.answer, one.errorCause];
  const { session, commands, inbox, replies, started, stopped } = subscriber;
  const parts = [
    session && sessionParts(session, command, effect, inbox),
    subscriber.nas,
    inbox.map(event),
    commands.map(({ commandId, operation, services }) => [command(commandId), operation, services]),
    replies.map((reply) => JSON.stringify(effect(reply))).sort(),
  ];
  const known = (id: string) => names.has(id);
  return JSON.stringify([
    ...parts,
    ...[subscriber.sent, subscriber.received, subscriber.expired].map((ids) =>
      ids.filter(known).map(command),
    ),
    subscriber.asked.map(wishOf),
    subscriber.heard,
    subscriber.held,
    started
      .filter((id) => !stopped.includes(id))
      .map((id) => serviceOf(session, id))
      .sort(),
  ]);
}

function sessionParts(
  { services, transition, waiting, answered, retry, recentEvents }: Session,
  command: (id: string) => number,
  effect: (effect: Effect) => unknown,
  inbox: readonly Event[],
) {
  const eventId = (id: string) =>
    id.endsWith('/outcome') ? command(id.replace('/outcome', '')) : id.replace(/^due.*/, 'due');
  return [
    Object.values(services)
      .map((one) => [one.activation, one.state, one.activatedAtMs !== undefined])
      .sort(),
    transition && [
      transition.step,
      command(transition.commandId),
      transition.underWay,
      transition.remaining,
      transition.step === 'activate'
        ? [
            transition.request.correlationId,
            Object.keys(transition.planned),
            transition.confirmed,
            transition.victims,
          ]
        : [transition.owed?.request.correlationId, transition.owed?.answer, transition.owed?.errorCause],
    ],
    waiting.map(({ correlationId }) => correlationId),
    answered.map(({ correlationId, answer, errorCause }) => [correlationId, answer, errorCause]),
    retry !== undefined,
    // Only what is in the inbox still can be delivered again.
    recentEvents
      .map(({ id, effects }, index) => ({ id, effects, age: recentEvents.length - index }))
      .filter(({ id }) => inbox.some((event) => event.id === id))
      .map(({ id, effects, age }) => [eventId(id), effects.map(effect), age]),
  ];
}

function serviceOf(session: Session | undefined, id: string): string {
  const number = Number(id.split(':').at(-1));
  return Object.values(session?.services ?? {}).find((one) => one.number === number)?.activation ?? id;
}
