// One subscriber as a small world: the session's item, the queues, the relay and the NAS, with everything that can go
// wrong between them. Every function here is pure; `moves` lists all that can happen next, faults included.
//
// What is modelled: the inbox is FIFO and delivers a message again when decide crashed before deleting it; a crash can
// come before the write, between the write and the first sending, and between any two sendings. The outbox keeps the
// order of commands, drops one that is sent twice (SQS does for five minutes, by its deduplication id), and delivers one
// again when the relay crashed before deleting it; a relay that receives a command for the second time does not know
// what became of the first, does not send it, and reports that. UDP loses a command or its answer
// (silence: carried out or not) and repeats packets, which the NAS recognises by Identifier and authenticator; a packet
// is not delivered after the exchange it belongs to has been given up. The NAS acknowledges, refuses or stays silent, for
// each command anew. An outcome may be late: the deadline then passes, after which the relay does not start the command.

import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { accountingRecords } from '../../../core/service-accounting.ts';
import type { Event } from '../../../core/subscriber/event.ts';
import type {
  CommandEffect,
  Effect,
  ReplyEffect,
  ServiceRequest,
  Session,
} from '../../../core/subscriber/session.ts';
import { dueAtMs, type Result, type transition } from '../../../core/subscriber/transition.ts';
import { stored } from '../../core/support.ts';

/** What may still go wrong, and what may still be asked, in the whole world. */
export interface Budget {
  readonly requests: number;
  /** Everything that goes wrong is one fault: a repeat, a crash, a refusal of the NAS, a silence. */
  readonly faults: number;
  /** How many of the faults may be crashes. */
  readonly crashes: number;
}

export interface Subscriber {
  readonly session: Session | undefined;
  /** Services that the NAS has, as it would say itself. */
  readonly nas: readonly string[];
  readonly inbox: readonly Event[];
  readonly commands: readonly CommandEffect[];
  /** Commands that were sent to the outbox, and those that a relay has received before. */
  readonly sent: readonly string[];
  readonly received: readonly string[];
  readonly replies: readonly ReplyEffect[];
  /** Commands that must not be started any more. */
  readonly expired: readonly string[];
  /** Requests that were sent, and the answers that were given to each. */
  readonly asked: readonly ServiceRequest[];
  readonly heard: readonly string[];
  /** Groups in which the subscriber had a confirmed service. */
  readonly held: readonly number[];
  readonly started: readonly string[];
  readonly stopped: readonly string[];
}

export const NEW_SUBSCRIBER: Subscriber = {
  session: undefined,
  nas: [],
  inbox: [],
  commands: [],
  sent: [],
  received: [],
  replies: [],
  expired: [],
  asked: [],
  heard: [],
  held: [],
  started: [],
  stopped: [],
};

export interface Move {
  readonly name: string;
  readonly to: Subscriber;
  readonly cost?: Partial<Budget>;
}

const FAULT = { faults: 1 };
const CRASH = { faults: 1, crashes: 1 };

export type Transition = typeof transition;

/** A property that does not hold, in words. */
export class Violation extends Error {}

/** All that can happen next to one subscriber. Throws a Violation where what happens must not. */
export function moves(
  from: Subscriber,
  menu: readonly ServiceRequest[],
  decide: Transition,
): readonly Move[] {
  return [
    ...clientMoves(from, menu),
    ...decideMoves(from, decide),
    ...from.replies.map((_, index) => replyMove(from, index)),
    ...commandMoves(from),
    ...timeMoves(from, decide),
  ];
}

function clientMoves(from: Subscriber, menu: readonly ServiceRequest[]): Move[] {
  const fresh = menu.map((wish): Move => {
    const id = `r${from.asked.length}`;
    const request = { ...wish, correlationId: id, origin: { ...wish.origin, key: id } };
    return {
      name: `client: ${id} ${wishOf(wish)}`,
      to: {
        ...from,
        asked: [...from.asked, request],
        heard: [...from.heard, ''],
        inbox: [...from.inbox, { kind: 'request', id, request }],
      },
      cost: { requests: 1 },
    };
  });
  const again = from.asked.map((request): Move => {
    const id = `${request.origin.key} again`;
    return {
      name: `client: ${id}`,
      to: {
        ...from,
        inbox: [...from.inbox, { kind: 'request', id, request: { ...request, correlationId: id } }],
      },
      cost: FAULT,
    };
  });
  return [...fresh, ...again];
}

/** decide takes the head of the inbox: all of it, or it crashes after the write and `sent` of the effects. */
function decideMoves(from: Subscriber, decide: Transition): Move[] {
  const [event, ...inbox] = from.inbox;
  if (event === undefined) return [];
  const result = decide(from.session, event, timeOf(from.session));
  const written = write(from, event, result);
  const crashes = result.effects.map(
    (_, sent): Move => ({
      name: `decide ${event.id}, crash after ${sent} of ${result.effects.length} effects`,
      to: send(written, result.effects.slice(0, sent)),
      cost: CRASH,
    }),
  );
  const sent = send(written, result.effects);
  return [
    { name: `decide ${event.id}`, to: { ...sent, inbox } },
    { name: `decide ${event.id}, crash before the message is deleted`, to: sent, cost: CRASH },
    ...crashes,
  ];
}

/** Stores what was decided, and has account look at the change. */
function write(from: Subscriber, event: Event, { session: next, effects }: Result): Subscriber {
  if (next === undefined) return from;
  const session = stored(next);
  for (const effect of effects) if (effect.kind === 'reply') checkAnswer(from, session, effect);
  const records = accountingRecords(from.session, session);
  const started = [
    ...from.started,
    ...records
      .filter(({ message }) => message.status === 'Start')
      .map(({ message }) => message.acctSessionId),
  ];
  const stopped = [
    ...from.stopped,
    ...records.filter(({ message }) => message.status === 'Stop').map(({ message }) => message.acctSessionId),
  ];
  for (const list of [started, stopped]) {
    if (new Set(list).size < list.length)
      throw new Violation(`accounted twice: ${list.join(' ')} at ${event.id}`);
  }
  const confirmed = Object.values(session.services).flatMap(({ state, groups }) =>
    state === 'active' ? groups : [],
  );
  return { ...from, session, started, stopped, held: [...new Set([...from.held, ...confirmed])].sort() };
}

/** An ACK says that the change is made, at the NAS too; a NAK that nothing of it became visible. */
function checkAnswer(from: Subscriber, session: Session, reply: Extract<Effect, { kind: 'reply' }>): void {
  const request = requestOf(from, reply.correlationId);
  for (const { activation } of request.activate) {
    if (reply.answer === 'ack' && isTold(request) && !from.nas.includes(activation)) {
      throw new Violation(`${request.origin.key}: ACK without ${activation} at the NAS`);
    }
    const had = from.session?.services[activation]?.state === 'active';
    if (reply.answer === 'nak' && !had && session.services[activation]?.state === 'active') {
      throw new Violation(`${request.origin.key}: NAK with ${activation} active`);
    }
  }
}

function send(from: Subscriber, effects: readonly Effect[]): Subscriber {
  const replies = effects.filter((effect) => effect.kind === 'reply');
  const commands = effects
    .filter((effect) => effect.kind === 'command')
    .filter(({ commandId }) => !from.sent.includes(commandId));
  const sent = commands.map(({ commandId }) => commandId);
  return {
    ...from,
    replies: [...from.replies, ...replies],
    commands: [...from.commands, ...commands],
    sent: [...from.sent, ...sent],
  };
}

function replyMove(from: Subscriber, index: number): Move {
  const reply = from.replies[index];
  if (reply === undefined) throw new Error(`no reply ${index}`);
  const { key } = requestOf(from, reply.correlationId).origin;
  const answer = [reply.answer, reply.errorCause].join(' ').trim();
  const heard = from.asked.map((request, position) => hear(request, key, from.heard[position] ?? '', answer));
  return {
    name: `relay: ${key} hears ${answer}`,
    to: { ...from, replies: from.replies.toSpliced(index, 1), heard },
  };
}

/** The relay takes the first command, and the NAS does with it what it likes. */
function commandMoves(from: Subscriber): Move[] {
  const [command, ...commands] = from.commands;
  if (command === undefined) return [];
  const { commandId, operation, services } = command;
  const report = (result: 'ack' | 'nak' | 'timeout', errorCause?: number): Event => ({
    kind: 'outcome',
    id: `${commandId}/outcome`,
    commandId,
    result,
    ...(errorCause !== undefined && { errorCause }),
  });
  const answered = (by: Subscriber, ...outcome: Parameters<typeof report>): Subscriber => ({
    ...by,
    commands,
    inbox: [...from.inbox, report(...outcome)],
  });
  if (from.expired.includes(commandId))
    return [{ name: `relay: ${commandId} is too late`, to: answered(from, 'timeout') }];
  if (from.received.includes(commandId)) {
    return [{ name: `relay: ${commandId} was received before`, to: answered(from, 'timeout') }];
  }
  // All or nothing (RFC 5176 section 2.3): one service that is not there refuses the whole deactivation.
  const gone = operation === 'deactivate' && services.some((one) => !from.nas.includes(one));
  const changed =
    operation === 'activate'
      ? [...new Set([...from.nas, ...services])].sort()
      : from.nas.filter((one) => !services.includes(one));
  const nas = gone ? from.nas : changed;
  const carriedOut = checkHeld({ ...from, nas });
  const acked = gone
    ? answered(carriedOut, 'nak', ERROR_CAUSE['Session-Context-Not-Found'])
    : answered(carriedOut, 'ack');
  const refused = answered(from, 'nak', ERROR_CAUSE['Resources-Unavailable']);
  const crashed = (to: Subscriber): Subscriber => ({
    ...to,
    commands: from.commands,
    received: [...from.received, commandId],
  });
  const what = `${operation} ${services.join(' ')}`;
  return [
    { name: `NAS: ${what}, ACK`, to: acked },
    { name: `NAS: ${what}, refused`, to: refused, cost: FAULT },
    { name: `NAS: ${what}, lost`, to: answered(from, 'timeout'), cost: FAULT },
    { name: `NAS: ${what}, its answer lost`, to: answered(carriedOut, 'timeout'), cost: FAULT },
    { name: `relay: ${what}, crash before it is sent`, to: crashed(from), cost: CRASH },
    { name: `relay: ${what}, crash before the report`, to: crashed(carriedOut), cost: CRASH },
    { name: `relay: ${what}, ACK, crash after the report`, to: crashed(acked), cost: CRASH },
    {
      name: `relay: ${what}, refused, crash after the report`,
      to: crashed(refused),
      cost: { faults: 2, crashes: 1 },
    },
  ];
}

/** The sweep: a deadline passes, or what failed is tried again. */
function timeMoves(from: Subscriber, decide: Transition): Move[] {
  const { session } = from;
  const due = session && dueAtMs(session);
  if (session === undefined || due === undefined) return [];
  const event: Event = { kind: 'due', id: `due ${session.revision}` };
  const result = decide(session, event, due);
  const expired =
    session.transition === undefined ? from.expired : [...from.expired, session.transition.commandId];
  const written = write(from, event, result);
  // A deadline that passes is one silence more; a retry is free, so that the world can come to rest.
  const cost = session.transition === undefined ? {} : FAULT;
  const early: Event = { kind: 'due', id: `due ${session.revision} early` };
  const premature = decide(session, early, timeOf(session));
  return [
    { name: 'sweep', to: send({ ...written, expired }, result.effects), cost },
    {
      name: 'a due message of long ago',
      to: send(write(from, early, premature), premature.effects),
      cost: FAULT,
    },
  ];
}

/** A subscriber who had a confirmed service of a group is never without one, as the NAS sees it, unless it was asked to
 * take one away. */
function checkHeld(subscriber: Subscriber): Subscriber {
  const groups = new Set(subscriber.nas.flatMap((activation) => groupsOf(subscriber, activation)));
  const renounced = subscriber.asked
    .flatMap(({ deactivate }) => deactivate)
    .flatMap((activation) => groupsOf(subscriber, activation));
  for (const group of subscriber.held) {
    if (!groups.has(group) && !renounced.includes(group))
      throw new Violation(`the NAS has no service of group ${group} left`);
  }
  return subscriber;
}

/** At rest the NAS, the item and the last successful request for each group agree, and the accounts are balanced. */
export function checkRest(subscriber: Subscriber): void {
  const { session, nas, inbox, commands, replies, heard, started, stopped } = subscriber;
  if (session === undefined || session.transition !== undefined || session.retry !== undefined) return;
  if (inbox.length + commands.length + replies.length > 0) return;
  const item = Object.keys(session.services).sort();
  if (item.join() !== (isTold(session) ? nas : item).join())
    throw new Violation(`at rest the item has ${item}, the NAS ${nas}`);
  const open = started.filter((id) => !stopped.includes(id)).length;
  if (open !== item.length)
    throw new Violation(`at rest ${item.length} services are active and ${open} accounts open`);
  if (heard.includes('')) throw new Violation(`at rest a request has no answer: ${heard}`);

  const successful = session.answered
    .filter(({ answer }) => answer === 'ack')
    .map(({ key }) => requestOf(subscriber, key));
  for (const group of new Set(item.flatMap((activation) => groupsOf(subscriber, activation)))) {
    const isMember = ({ groups }: { groups: readonly number[] }) => groups.includes(group);
    const last = successful.findLastIndex(({ activate }) => activate.some(isMember));
    const later = successful.slice(last + 1).flatMap(({ deactivate }) => deactivate);
    const expected = successful[last]?.activate.filter(isMember).map(({ activation }) => activation) ?? [];
    const members = item.filter((activation) => groupsOf(subscriber, activation).includes(group));
    if (
      members.join() !==
      expected
        .filter((one) => !later.includes(one))
        .sort()
        .join()
    ) {
      throw new Violation(
        `at rest group ${group} has ${members}, the last successful request asked for ${expected}`,
      );
    }
  }
}

/** The same request twice gives the same answer. */
function hear(request: ServiceRequest, key: string, before: string, answer: string): string {
  if (request.origin.key !== key) return before;
  if (before !== '' && before !== answer) throw new Violation(`${key} heard ${before} and then ${answer}`);
  return answer;
}

/** Whether the NAS is told and confirms. */
function isTold({ nas }: Pick<ServiceRequest, 'nas'>): boolean {
  return nas.enforcement === 'coa';
}

/** What the menu calls it. */
export function wishOf({ origin }: ServiceRequest): string {
  return Buffer.from(origin.packet, 'base64').toString();
}

function requestOf({ asked }: Subscriber, id: string): ServiceRequest {
  const found = asked.find(({ origin }) => origin.key === id.replace(/ again$/, ''));
  if (found === undefined) throw new Error(`no request ${id}`);
  return found;
}

function groupsOf({ asked }: Subscriber, activation: string): readonly number[] {
  return (
    asked.flatMap(({ activate }) => activate).find((service) => service.activation === activation)?.groups ??
    []
  );
}

/** decide runs long before the deadline of the command that it waits for. */
function timeOf(session: Session | undefined): number {
  return session?.changedAtMs ?? 0;
}
