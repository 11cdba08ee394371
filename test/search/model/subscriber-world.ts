// One subscriber as a small world: the session's item, the queues, the relay and the NAS, with everything that can go wrong
// between them. Every function here is pure; `moves` lists all that can happen next, faults included.
//
// What is modelled: the inbox is FIFO, and so is the queue of outcomes beside it. Each delivers a message again when decide
// crashed before deleting it, and decide may meanwhile take one of the other; a crash can come
// before the write, between the write and the first sending, between any two sendings, and before an empty session is
// removed. The outbox keeps the order of commands, drops one that is sent twice (SQS does for five minutes, by its
// deduplication id), and delivers one again when the relay crashed before deleting it; a relay that receives a command for
// the second time does not know what became of the first, does not send it, and reports that. The first relay may only have
// been paused: its report comes late, but it tells nothing once the visibility timeout of the command has run out. UDP loses a command or its
// answer and repeats packets, which the NAS recognises by Identifier and authenticator; a packet is not delivered after the
// exchange it belongs to has been given up. The NAS acknowledges, refuses or does not answer, each command anew. An outcome
// may be late: the deadline then passes, after which the relay does not start the command.
// A relay may also not send a command for a reason of its own, such as too many others.
//
// A NAS of the kind that replaces its list has what the command names, and loses what it had from log-in with that. Another
// NAS has services of its own from log-in, which the table does not know. A strict one refuses to activate what it has; one
// that refuses coexistence refuses to activate a second member of a group; and each refuses a User-Name that is not that of
// the subscriber. A NAS that has carried out a Disconnect-Request has no such session any more, and says so to every command.
import { NO_SERVICE } from '../../../core/dialects/generic.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { allValues, decodeAttributes, firstValue } from '../../../core/radius/codec.ts';
import { CODE, parsePacket } from '../../../core/radius/packet.ts';
import { accountingRecords } from '../../../core/service-accounting.ts';
import { type Event, MAX_TELLINGS } from '../../../core/subscriber/event.ts';
import type {
  CommandEffect,
  Effect,
  ReplyEffect,
  ServiceRequest,
  ServiceSession,
  Session,
} from '../../../core/subscriber/session.ts';
import { dueAtMs, type Result, type transition } from '../../../core/subscriber/transition.ts';
import { stored } from '../../core/support.ts';
import {
  accountsEnd,
  checkKnown,
  checkLife,
  type Feed,
  type FeedWorld,
  happenings,
  heardOf,
  isBehind,
  logOff,
  lost,
  newFeed,
  withRestart,
} from './feed-world.ts';
import { Violation } from './violation.ts';

export type Transition = typeof transition;

/** What may still go wrong, and what may still be asked. */
export interface Budget {
  readonly requests: number;
  /** Everything that goes wrong is one fault: a repeat, a crash, a refusal of the NAS, a timeout. */
  readonly faults: number;
  /** How many of the faults may be crashes. */
  readonly crashes: number;
  /** What may happen to the session at its NAS: log-on, log-off, restart and the like. None if absent. */
  readonly events?: number;
}

/** What there is to be explored. */
export interface World {
  readonly decide: Transition;
  readonly menu: readonly ServiceRequest[];
  /** Mutex groups of each service that the NAS may have. */
  readonly groups: Readonly<Record<string, readonly number[]>>;
  /** Of these, the groups with `policy: refuse`. */
  readonly refusing?: readonly number[];
  /** Services that the NAS has from log-in, unknown to the table. */
  readonly fromLogIn?: readonly string[];
  /** Refuses to activate what is there. */
  readonly isStrict?: boolean;
  /** No client sends anything twice. */
  readonly withoutRepeats?: boolean;
  /** How long a client waits for an answer. @default for ever */
  readonly patienceMs?: number;
  /** Refuses to activate a second member of a group. */
  readonly refusesCoexistence?: boolean;
  /** Has what the Filter-Ids of a command say, and nothing else; with `one`, a single one. */
  readonly replaces?: 'all' | 'one';
  /** The NAS accounts sessions and services, and Interlock gets a copy. */
  readonly feed?: FeedWorld;
  /** A relay that was paused tells what it holds, whatever has gone on without it. */
  readonly tellsLate?: boolean;
}

/** The subscriber's name, as the NAS knows it. */
export const USER_NAME = 'client1@isp1.com';

export interface Subscriber {
  readonly session: Session | undefined;
  /** Services that the NAS has, as it would say itself. */
  readonly nas: readonly string[];
  /** The NAS has ended the session. */
  readonly isOffline?: true;
  readonly inbox: readonly Event[];
  /** Of commands. */
  readonly outcomes: readonly Event[];
  readonly commands: readonly CommandEffect[];
  /** Commands that were sent to the outbox, and those that a relay has received before. */
  readonly sent: readonly string[];
  readonly received: readonly string[];
  readonly replies: readonly ReplyEffect[];
  /** Commands that must not be started any more. */
  readonly expired: readonly string[];
  /** Commands that a paused relay holds and is going to tell. */
  readonly paused?: readonly CommandEffect[];
  /** Requests that were sent, and the answers that were given to each. */
  readonly asked: readonly ServiceRequest[];
  readonly heard: readonly string[];
  /** How often one of them was sent again: each has a correlation id of its own. */
  readonly repeats: number;
  /** How many of them no relay takes for current any more. */
  readonly outdated: number;
  /** What was carried out, by the key of the request: under which correlation id. */
  readonly carriedOutAs: Readonly<Record<string, string>>;
  /** When the client gives up, by correlation id, and what the time is where it has passed without a write. */
  readonly givesUpAtMs: Readonly<Record<string, number>>;
  readonly clockMs?: number;
  /** Services that the acknowledged requests add up to, with those from log-in; `known`: the table was asked for them. */
  readonly expected: Readonly<Record<string, 'known' | 'unknown'>>;
  readonly started: readonly string[];
  readonly stopped: readonly string[];
  /** When the last session that was removed had its last change: the next one begins later. */
  readonly removedAtMs: number;
  /** What the NAS knows and accounts of the session. */
  readonly feed?: Feed;
}

export function newSubscriber(world: World): Subscriber {
  const { fromLogIn = [] } = world;
  return {
    session: undefined,
    ...(world.feed && { feed: newFeed(world.feed, fromLogIn) }),
    nas: world.feed?.isOffline ? [] : fromLogIn.toSorted(),
    inbox: [],
    outcomes: [],
    commands: [],
    sent: [],
    received: [],
    replies: [],
    expired: [],
    asked: [],
    heard: [],
    repeats: 0,
    outdated: 0,
    carriedOutAs: {},
    givesUpAtMs: {},
    expected: Object.fromEntries(fromLogIn.map((name) => [name, 'unknown'])),
    started: [],
    stopped: [],
    removedAtMs: 0,
  };
}

export interface Move {
  readonly name: string;
  readonly to: Subscriber;
  readonly cost?: Partial<Budget>;
}

const FAULT = { faults: 1 };
const CRASH = { faults: 1, crashes: 1 };

/** All that can happen next. @throws Violation where what happens must not */
export function moves(from: Subscriber, world: World): readonly Move[] {
  return [
    ...clientMoves(from, world),
    ...decideMoves(from, world),
    ...from.replies.map((_, index) => replyMove(from, index)),
    ...commandMoves(from, world),
    ...wakeMoves(from, world),
    ...timeMoves(from, world),
    ...(from.feed ? feedMoves(from, from.feed, world) : []),
  ];
}

/** The NAS does something of itself, or a record of it arrives: not always, not always once, and not in order. */
function feedMoves(from: Subscriber, feed: Feed, world: World): Move[] {
  // What decide has not finished it is given again long before the next thing happens.
  const isHalfDone =
    feed.received.length > 0 ||
    queued(from).some(({ id }) => from.session?.recentEvents.some((one) => one.id === id));
  const happening = (
    isHalfDone ? [] : happenings(from.nas, from.session?.transition?.deadlineMs, feed, world)
  ).map(({ name, to }): Move => ({ name: `NAS: ${name}`, to: { ...from, ...to }, cost: { events: 1 } }));
  const arriving = feed.records.flatMap((one, index): Move[] => {
    // Its queue keeps the order of what has arrived.
    if (feed.received.length > 0 && !feed.received.includes(one.id)) return [];
    const event = withRestart(one, feed);
    const result = world.decide(from.session, event, timeOf(from));
    const written = write(from, event, result, world);
    const sent = removed(send(written, result.effects), result);
    const heard = heardOf(event, feed);
    const taken = { ...heard, records: feed.records.toSpliced(index, 1), received: [] };
    const name = `feed: ${event.id}`;
    const isFirst = index === 0 || feed.received.length > 0;
    return [
      { name, to: { ...sent, feed: taken }, ...(isFirst ? {} : { cost: FAULT }) },
      {
        name: `${name}, to come again`,
        to: { ...sent, feed: { ...heard, received: [] } },
        cost: isFirst ? FAULT : { faults: 2 },
      },
      ...(feed.received.includes(event.id)
        ? []
        : [
            {
              name: `${name}, lost`,
              to: { ...from, feed: lost(event, { ...feed, records: taken.records }) },
              cost: FAULT,
            },
          ]),
      ...(result.effects.length === 0
        ? []
        : [
            {
              name: `${name}, crash after the write`,
              to: { ...written, feed: { ...heard, received: [event.id] } },
              cost: CRASH,
            },
          ]),
    ];
  });
  return [...happening, ...arriving];
}

function clientMoves(from: Subscriber, world: World): Move[] {
  const { menu, withoutRepeats = false, patienceMs } = world;
  const patient = patienceMs === undefined ? {} : { answerByMs: timeOf(from) + patienceMs };
  const givesUp = (id: string) => ({
    givesUpAtMs: {
      ...from.givesUpAtMs,
      ...(patient.answerByMs !== undefined && { [id]: patient.answerByMs }),
    },
  });
  const fresh = menu.map((wish): Move => {
    const id = `r${from.asked.length}`;
    const origin = { ...wish.origin, key: id, eventAtSeconds: from.asked.length };
    const request = { ...wish, ...patient, correlationId: id, origin };
    return {
      name: `client: ${id} ${wishOf(wish)}`,
      to: {
        ...from,
        ...givesUp(id),
        asked: [...from.asked, request],
        heard: [...from.heard, ''],
        inbox: [...from.inbox, { kind: 'request', id, request }],
      },
      cost: { requests: 1 },
    };
  });
  const again = from.asked.slice(from.outdated).map((request): Move => {
    const id = `${request.origin.key} again ${from.repeats}`;
    return {
      name: `client: ${id}`,
      to: {
        ...from,
        ...givesUp(id),
        repeats: from.repeats + 1,
        inbox: [
          ...from.inbox,
          { kind: 'request', id, request: { ...request, ...patient, correlationId: id } },
        ],
      },
      cost: FAULT,
    };
  });
  const asking = withoutRepeats ? fresh : [...fresh, ...again];
  return patienceMs === undefined ? asking : [...asking, ...impatience(from, patienceMs)];
}

/** So much time passes that the clients of what has not begun give up, and no command is unanswered by that. */
function impatience(from: Subscriber, patienceMs: number): Move[] {
  const clockMs = timeOf(from) + patienceMs;
  const { inbox, session } = from;
  const requests = inbox.flatMap((event) => (event.kind === 'request' ? [event.request] : []));
  const isAwaited = [...requests, ...(session?.waiting ?? [])].some(
    ({ correlationId }) => !hasGivenUp(from, correlationId),
  );
  const isOverdue = (session?.transition?.deadlineMs ?? Number.POSITIVE_INFINITY) <= clockMs;
  if (!isAwaited || isOverdue) return [];
  return [{ name: 'the clients give up', to: { ...from, clockMs }, cost: FAULT }];
}

/** Whether the client of a request waits for its answer no longer. */
export function hasGivenUp(subscriber: Subscriber, correlationId: string): boolean {
  return (subscriber.givesUpAtMs[correlationId] ?? Number.POSITIVE_INFINITY) <= timeOf(subscriber);
}

/** What decide has not finished. */
function queued({ inbox, outcomes }: Subscriber): readonly Event[] {
  return [...inbox, ...outcomes];
}

/**
 * decide takes the head of the inbox or of the queue of outcomes: all of it, or it crashes after the write and `sent` of the
 * effects.
 */
function decideMoves(from: Subscriber, world: World): Move[] {
  return [...decideMovesOf('outcomes', from, world), ...decideMovesOf('inbox', from, world)];
}

function decideMovesOf(queue: 'inbox' | 'outcomes', from: Subscriber, world: World): Move[] {
  const [event, ...rest] = from[queue];
  if (event === undefined) return [];
  const result = world.decide(from.session, event, timeOf(from));
  const written = withoutTrace(write(from, event, result, world), event);
  const crashes = result.effects.map(
    (_, sent): Move => ({
      name: `decide ${event.id}, crash after ${sent} of ${result.effects.length} effects`,
      to: send(written, result.effects.slice(0, sent)),
      cost: CRASH,
    }),
  );
  const sent = send(written, result.effects);
  return [
    { name: `decide ${event.id}`, to: { ...removed(sent, result), [queue]: rest } },
    {
      name: `decide ${event.id}, crash before the message is deleted`,
      to: removed(sent, result),
      cost: CRASH,
    },
    ...(result.isOver
      ? [{ name: `decide ${event.id}, crash before the session is removed`, to: sent, cost: CRASH }]
      : []),
    ...crashes,
  ];
}

/** An empty session is not kept, and what its requests heard is forgotten with it: 300 s later, or where they were refused. */
function removed(from: Subscriber, { isOver }: Result, isLater = false): Subscriber {
  if (!isOver) return from;
  const removedAtMs = from.session?.changedAtMs ?? from.removedAtMs;
  const outdated = from.session?.isForgotten ? from.asked.length : from.outdated;
  const heard = from.heard.map((answer) => (answer === 'ack' && !isLater ? answer : forgotten(answer)));
  return { ...from, session: undefined, heard, removedAtMs, outdated };
}

/** A refusal that was found without the NAS, for a session that is not known, is not kept: a repeat is evaluated again. */
function withoutTrace(from: Subscriber, event: Event): Subscriber {
  if (event.kind !== 'request') return from;
  const { key } = event.request.origin;
  const isKnown = from.session?.answered.some((given) => given.key === key) === true;
  if (from.session !== undefined && (!from.session.isForgotten || isKnown)) return from;
  const heard = from.heard.map((answer, index) =>
    from.asked[index]?.origin.key === key ? forgotten(answer) : answer,
  );
  return { ...from, heard };
}

const FORGOTTEN = ' (forgotten)';

function forgotten(answer: string): string {
  return answer.endsWith(FORGOTTEN) ? answer : `${answer}${FORGOTTEN}`;
}

/** Stores what was decided, and has account look at the write. */
function write(from: Subscriber, event: Event, result: Result, world: World): Subscriber {
  const { session: next, effects } = result;
  let { expected } = from;
  const carriedOutAs = checkOnce(from, event, result);
  for (const effect of effects) {
    if (effect.kind !== 'reply' || isRepeatedEffect(from, event)) continue;
    checkAnswer(from, effect, world);
    if (event.kind === 'record' && event.record.kind === 'stop') checkObedience(from, effect);
    if (effect.errorCause === ERROR_CAUSE['Administratively-Prohibited'])
      checkExclusion(next ?? from.session, requestOf(from, effect.correlationId), world);
    if (effect.answer === 'ack')
      expected = carriedOut(expected, requestOf(from, effect.correlationId), world);
  }
  if (from.feed !== undefined) checkLife(from.session, event, result, from.feed);
  if (!isRepeatedEffect(from, event)) checkBegun(from, result);
  if (next === undefined) return { ...from, carriedOutAs };
  const session = stored(next);
  checkRetries(from.session, session);
  checkRefusing(session, world);
  checkWitness(from.session, session, event);
  checkAskedAgain(from.session, session, effects, event);
  const records = accountingRecords(from.session, session);
  const of = (status: 'Start' | 'Stop') =>
    records.filter(({ message }) => message.status === status).map(({ message }) => message.acctSessionId);
  for (const { message } of records) {
    const [earlier, later] = [from.session, session].map((one) => one?.services[message.serviceSession]);
    const isSame = earlier !== undefined && earlier.number === later?.number;
    if (isSame && isAccounted(earlier) && isAccounted(later))
      throw new Violation(`${message.status} of ${message.serviceSession}, which is accounted as before`);
  }
  const started = [...from.started, ...of('Start')];
  const stopped = [...from.stopped, ...of('Stop')];
  for (const list of [started, stopped]) {
    if (new Set(list).size < list.length)
      throw new Violation(`accounted twice: ${list.join(' ')} at ${event.id}`);
  }
  return { ...from, session, started, stopped, expected, carriedOutAs };
}

/**
 * Nothing is carried out twice for the same client and authenticator: only one of the messages with the same octets leads to a
 * command, or without a NAS to an ACK that is not a stored one.
 */
function checkOnce(from: Subscriber, event: Event, { session, effects }: Result): Subscriber['carriedOutAs'] {
  let { carriedOutAs } = from;
  for (const effect of effects) {
    const key = effect.correlationId.replace(/ again.*$/, '');
    if (!from.asked.some(({ origin }) => origin.key === key) || isRepeatedEffect(from, event)) continue;
    const isNew =
      effect.kind === 'command' ||
      (effect.answer === 'ack' &&
        session?.answered.some((one) => one.correlationId === effect.correlationId));
    const by = carriedOutAs[key] ?? effect.correlationId;
    if (isNew && by !== effect.correlationId) throw new Violation(`${key} is carried out again`);
    if (isNew) carriedOutAs = { ...carriedOutAs, [key]: by };
  }
  return carriedOutAs;
}

/** Work whose client has given up is not begun. */
function checkBegun(from: Subscriber, { session, effects }: Result): void {
  const nowMs = session?.changedAtMs ?? timeOf(from);
  const before = currentOf(from.session);
  const acknowledged = effects.flatMap((effect) =>
    effect.kind === 'reply' && effect.answer === 'ack' ? [effect.correlationId] : [],
  );
  for (const id of [currentOf(session), ...acknowledged]) {
    if (id === undefined || id === before) continue;
    const lateMs = nowMs - (from.givesUpAtMs[id] ?? Number.POSITIVE_INFINITY);
    if (lateMs >= 0) throw new Violation(`${id} is begun ${lateMs} ms after its client has given up`);
  }
}

/** The request that is being carried out. */
function currentOf(session: Session | undefined): string | undefined {
  const transition = session?.transition;
  switch (transition?.step) {
    case 'activate':
    case 'deactivate':
      return transition.job.request.correlationId;
    case 'exclude':
      return transition.owed?.request.correlationId;
    case 'disconnect':
      return transition.request.correlationId;
    default:
      return undefined;
  }
}

/** Whether the effects of an event are those of its first delivery. */
function isRepeatedEffect({ session }: Subscriber, event: Event): boolean {
  if (session?.recentEvents.some(({ id }) => id === event.id)) return true;
  return (
    event.kind === 'request' && session?.answered.some(({ key }) => key === event.request.origin.key) === true
  );
}

/** What the subscriber has once a request is acknowledged. */
function carriedOut(
  expected: Subscriber['expected'],
  request: ServiceRequest,
  { groups, replaces }: World,
): Subscriber['expected'] {
  if (request.isDisconnect) return {};
  const newcomers = request.activate.map(({ activation }) => activation);
  const named = request.deactivate.map(({ activation }) => activation);
  const excluded = newcomers.flatMap((activation) => groups[activation] ?? []);
  const kept = Object.entries(expected).filter(
    ([name, knowledge]) =>
      !named.includes(name) &&
      !(replaces !== undefined && knowledge === 'unknown') &&
      (knowledge === 'unknown' || !groups[name]?.some((group) => excluded.includes(group))),
  );
  return Object.fromEntries([...kept, ...newcomers.map((name) => [name, 'known'] as const)].sort());
}

/** An ACK says that every change was made (RFC 5176 section 2.3), a 503 that the NAS does not know the subscriber so. */
function checkAnswer(from: Subscriber, reply: ReplyEffect, { groups, replaces }: World): void {
  // While a record is under way or lost, the table cannot know what the NAS has.
  const isDeferred = (from.session?.life?.deferred.length ?? 0) > 0;
  if (from.feed !== undefined && (isBehind(from.feed) || isDeferred)) return;
  const request = requestOf(from, reply.correlationId);
  const { key } = request.origin;
  if (reply.answer === 'ack' && isTold(request)) {
    for (const { activation } of request.activate) {
      if (!from.nas.includes(activation)) throw new Violation(`${key}: ACK without ${activation} at the NAS`);
    }
    for (const { activation } of request.deactivate) {
      if (from.nas.includes(activation)) throw new Violation(`${key}: ACK with ${activation} at the NAS`);
    }
  }
  if (
    reply.answer === 'ack' &&
    isTold(request) &&
    request.isDisconnect &&
    !from.isOffline &&
    from.feed?.isOnline !== false
  )
    throw new Violation(`${key}: ACK, and the NAS has the session`);
  if (request.isDisconnect && !isTold(request)) return;
  const isStranger = request.identity['User-Name'] !== USER_NAME;
  const isAboutAbsent = request.deactivate.some(
    ({ activation }) =>
      !(activation in groups) ||
      !from.nas.includes(activation) ||
      // Interlock answers for such a NAS.
      (replaces !== undefined && from.session?.services[activation] === undefined),
  );
  // The session that was found may have gone since.
  const wasFound = request.lookedUpAt !== undefined;
  const isRefused = reply.errorCause === ERROR_CAUSE['Session-Context-Not-Found'];
  // Where the session comes and goes, the NAS may have said so while it was not there.
  const isOffline = from.isOffline || from.feed !== undefined;
  if (isRefused && !isStranger && !isAboutAbsent && !isOffline && !wasFound)
    throw new Violation(`${key}: 503, and the NAS knows the subscriber`);
  if (reply.answer === 'ack' && isTold(request) && isStranger)
    throw new Violation(`${key}: ACK for another subscriber`);
}

/** The Acct-Stop that a Disconnect-Request has caused may come before the Disconnect-ACK: it has been carried out all the same. */
function checkObedience({ session, outcomes }: Subscriber, { correlationId, answer }: ReplyEffect): void {
  const { transition } = session ?? {};
  if (transition?.step !== 'disconnect') return;
  const { commandId, request } = transition;
  const isObeyed = outcomes.some(
    (event) => event.kind === 'outcome' && event.commandId === commandId && event.result === 'ack',
  );
  if (isObeyed && request.correlationId === correlationId && answer === 'nak')
    throw new Violation(`${request.origin.key}: NAK for a Disconnect-Request that the NAS has obeyed`);
}

/** A group that refuses has one active member at a time. */
function checkRefusing({ services }: Session, { refusing = [] }: World): void {
  for (const group of refusing) {
    const active = Object.values(services)
      .filter(({ state, groups }) => state === 'active' && groups.includes(group))
      .map(({ activation }) => activation);
    if (active.length > 1) throw new Violation(`${active.join(' and ')} are active in a group that refuses`);
  }
}

/** It refuses what another member excludes that the request does not deactivate, and nothing else. */
function checkExclusion(session: Session | undefined, request: ServiceRequest, world: World): void {
  const { refusing = [], isStrict, refusesCoexistence } = world;
  // Such a NAS gives the same Error-Cause for reasons of its own.
  if (isStrict || refusesCoexistence) return;
  const named = request.deactivate.map(({ activation }) => activation);
  const members = Object.values(session?.services ?? {}).filter(
    ({ state, activation }) => (state === 'active' || state === 'restoring') && !named.includes(activation),
  );
  const isExcluded = request.activate.some(({ activation, groups, refusingGroups }) =>
    [...members, ...request.activate].some(
      (other) =>
        other.activation !== activation &&
        other.groups.some(
          (group) => groups.includes(group) && [...refusing, ...refusingGroups].includes(group),
        ),
    ),
  );
  if (!isExcluded) throw new Violation(`${request.origin.key}: 501, and no other member of the group stays`);
}

/**
 * Only the NAS ends what was begun: without an answer of it no restoration ends, and no service that has to go is gone. What
 * the relay did not send has changed nothing that the NAS had confirmed, unless a relay may have sent it before.
 */
function checkWitness(before: Session | undefined, after: Session, event: Event): void {
  if (event.kind !== 'outcome' || event.result === 'ack' || event.result === 'nak') return;
  if (before?.transition?.commandId !== event.commandId) return;
  // A record that has waited for the outcome is the word of the NAS, too.
  if ((before.life?.deferred.length ?? 0) > 0) return;
  const { underWay } = before.transition;
  const doubted = 'job' in before.transition ? before.transition.job.doubted : undefined;
  for (const { activation, state } of Object.values(before.services)) {
    const left = after.services[activation]?.state;
    if (state === 'restoring' && left !== 'restoring' && underWay.includes(activation))
      throw new Violation(`${activation} is restored no longer, and the NAS has not answered`);
    if (state === 'deactivating' && left === undefined)
      throw new Violation(`${activation} counts as gone, and the NAS has not answered`);
    const isToBeAsItWas =
      event.result === 'unsent' && underWay.includes(activation) && !doubted?.includes(activation);
    if (isToBeAsItWas && state === 'active' && left !== 'active')
      throw new Violation(`${activation} is ${left}, and the NAS was not told`);
  }
}

/** After a relay stopped before it reported, nothing is decided yet: the NAS is told the same thing again. */
function checkAskedAgain(
  before: Session | undefined,
  after: Session,
  effects: readonly Effect[],
  event: Event,
): void {
  const asked = before?.transition;
  if (event.kind !== 'outcome' || event.result !== 'interrupted' || asked?.commandId !== event.commandId)
    return;
  if ((asked.tellings ?? 1) >= MAX_TELLINGS) return;
  const reply = effects.find(({ kind }) => kind === 'reply');
  if (reply !== undefined)
    throw new Violation(`${reply.correlationId} is answered before the NAS is asked again`);
  const now = after.transition;
  const isSame = now?.step === asked.step && String(now.underWay) === String(asked.underWay);
  if (!isSame || now.commandId === asked.commandId)
    throw new Violation(`the NAS is not asked again about ${asked.underWay}`);
  for (const [name, { state }] of Object.entries(before?.services ?? {})) {
    if (after.services[name]?.state !== state)
      throw new Violation(`${name} is ${after.services[name]?.state} before the NAS is asked again`);
  }
}

/** No service has to wait for longer because another one failed. */
function checkRetries(before: Session | undefined, after: Session): void {
  for (const service of Object.values(after.services)) {
    const earlier = before?.services[service.activation];
    if (service.retry === undefined || earlier?.retry === undefined || earlier.number !== service.number)
      continue;
    const { atMs, attempts } = service.retry;
    const isPushedOut = atMs > earlier.retry.atMs && earlier.retry.atMs > after.changedAtMs;
    if (isPushedOut && attempts === earlier.retry.attempts)
      throw new Violation(`${service.activation} is told later than it was to be, and did not fail`);
    const pauseMs = Math.min(15_000 * 2 ** Math.max(0, attempts - 1), 900_000);
    if (atMs > earlier.retry.atMs && atMs > after.changedAtMs + pauseMs)
      throw new Violation(
        `${service.activation} is told later than it was to be: it failed ${attempts} times`,
      );
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

// --- The NAS --------------------------------------------------------------------------------------------------

interface Told {
  readonly userName: string | undefined;
  readonly filterIds: readonly string[];
}
const told = new Map<string, Told>();

/** What the attributes of a command say. */
function toldIn(attributes: string): Told {
  const known = told.get(attributes);
  if (known !== undefined) return known;
  const octets = Buffer.from(attributes, 'base64');
  const header = Buffer.alloc(20);
  header[0] = CODE.CoaRequest;
  header.writeUInt16BE(20 + octets.length, 2);
  const parsed = parsePacket(Buffer.concat([header, octets]));
  if (!parsed.ok) throw new Error(parsed.reason);
  const decoded = decodeAttributes(parsed.packet);
  const filterIds = allValues(decoded, 'Filter-Id').filter((one) => one !== NO_SERVICE);
  const found = { userName: firstValue(decoded, 'User-Name'), filterIds };
  told.set(attributes, found);
  return found;
}

/** What a NAS that nothing is wrong with says to a command, and has then. */
function nasDoes(
  { nas, isOffline }: Subscriber,
  command: CommandEffect,
  { groups, isStrict, refusesCoexistence, replaces }: World,
): { readonly nas: readonly string[]; readonly errorCause?: number } {
  const { operation, services, deactivates = [], attributes } = command;
  const { userName, filterIds } = toldIn(attributes);
  const notFound = { nas, errorCause: ERROR_CAUSE['Session-Context-Not-Found'] };
  if (isOffline || (userName !== undefined && userName !== USER_NAME)) return notFound;
  if (operation === 'disconnect') return { nas: [] };
  if (replaces === 'one' && filterIds.length > 1)
    throw new Violation(`the NAS is told ${filterIds} at a time`);
  if (replaces !== undefined) return { nas: filterIds.toSorted() };
  const comes = operation === 'deactivate' ? [] : services;
  const goes = operation === 'deactivate' ? services : deactivates;
  // All or nothing (RFC 5176 section 2.3): one service that is not there refuses the whole deactivation.
  if (goes.some((one) => !nas.includes(one))) return notFound;
  const refused = { nas, errorCause: ERROR_CAUSE['Administratively-Prohibited'] };
  if (isStrict && comes.some((one) => nas.includes(one))) return refused;
  const left = nas.filter((one) => !goes.includes(one));
  const clashes = (one: string, other: string) =>
    one !== other && groups[one]?.some((group) => groups[other]?.includes(group));
  if (refusesCoexistence && comes.some((one) => left.some((other) => clashes(one, other)))) return refused;
  return { nas: [...new Set([...left, ...comes])].sort() };
}

/** What a NAS says that does not know the session. */
const offline = { nas: [], errorCause: ERROR_CAUSE['Session-Context-Not-Found'] } as const;

/** The relay takes the first command, and the NAS does with it what it likes. */
function commandMoves(from: Subscriber, world: World): Move[] {
  const [command, ...commands] = from.commands;
  if (command === undefined) return [];
  const { commandId, operation, services, deactivates = [] } = command;
  const report = (
    result: 'ack' | 'nak' | 'timeout' | 'unsent' | 'interrupted',
    errorCause?: number,
  ): Event => ({
    kind: 'outcome',
    id: `${commandId}/outcome`,
    commandId,
    result,
    ...(errorCause !== undefined && { errorCause }),
  });
  const answered = (by: Subscriber, ...outcome: Parameters<typeof report>): Subscriber => ({
    ...by,
    commands,
    outcomes: [...from.outcomes, report(...outcome)],
  });
  if (from.expired.includes(commandId))
    return [{ name: `relay: ${commandId} is too late`, to: answered(from, 'unsent') }];
  if (from.received.includes(commandId)) {
    return [{ name: `relay: ${commandId} was received before`, to: answered(from, 'interrupted') }];
  }
  const done = from.feed?.isOnline === false ? offline : nasDoes(from, command, world);
  checkStrangers(from, done.nas);
  const hasObeyed = operation === 'disconnect' && done.errorCause === undefined;
  const accounted = from.feed && { feed: hasObeyed ? logOff(from.feed) : accountsEnd(from.feed, done.nas) };
  const did = { ...from, nas: done.nas, ...accounted };
  // A command of a session that has ended may come to the next one.
  const isStale = from.feed !== undefined && from.session?.transition?.commandId !== commandId;
  // Once the NAS has ended the session, nothing that was asked for before holds any longer.
  const carriedOut = hasObeyed
    ? { ...did, ...(from.feed === undefined && { isOffline: true as const }), expected: {} }
    : isStale
      ? did
      : checkHeld(from, did, world);
  const told =
    done.errorCause === undefined
      ? answered(carriedOut, 'ack')
      : answered(carriedOut, 'nak', done.errorCause);
  const refused = answered(from, 'nak', ERROR_CAUSE['Resources-Unavailable']);
  const unsent = answered(from, 'unsent', ERROR_CAUSE['Resources-Unavailable']);
  const crashed = (to: Subscriber): Subscriber => ({
    ...to,
    commands: from.commands,
    received: [...from.received, commandId],
  });
  // Another relay has received the command meanwhile, and has reported.
  const late = (to: Subscriber): Subscriber => ({
    ...to,
    inbox: [...from.inbox, report('interrupted'), ...to.inbox.slice(from.inbox.length)],
  });
  const what = [operation, ...services, ...deactivates.map((one) => `-${one}`)].join(' ');
  const said = done.errorCause === undefined ? 'ACK' : `NAK ${done.errorCause}`;
  return [
    { name: `NAS: ${what}, ${said}`, to: told },
    { name: `NAS: ${what}, refused`, to: refused, cost: FAULT },
    { name: `relay: ${what}, not sent`, to: unsent, cost: FAULT },
    { name: `NAS: ${what}, lost`, to: answered(from, 'timeout'), cost: FAULT },
    { name: `NAS: ${what}, its answer lost`, to: answered(carriedOut, 'timeout'), cost: FAULT },
    { name: `relay: ${what}, crash before it is sent`, to: crashed(from), cost: CRASH },
    { name: `relay: ${what}, crash before the report`, to: crashed(carriedOut), cost: CRASH },
    { name: `relay: ${what}, ${said}, crash after the report`, to: crashed(told), cost: CRASH },
    { name: `relay: ${what}, ${said}, the report after a pause`, to: late(told), cost: CRASH },
    {
      name: `relay: ${what}, refused, crash after the report`,
      to: crashed(refused),
      cost: { faults: 2, crashes: 1 },
    },
    ...(world.tellsLate
      ? [
          {
            name: `relay: ${what}, a pause before it is sent`,
            to: { ...crashed(from), paused: [...(from.paused ?? []), command] },
            cost: CRASH,
          },
        ]
      : []),
  ];
}

/** A relay wakes that was paused, and tells what it holds. Its report is dropped: another one was reported before. */
function wakeMoves(from: Subscriber, world: World): Move[] {
  return (from.paused ?? []).map((command, index) => ({
    name: `relay: awake, ${command.operation} ${command.services}`,
    to: {
      ...from,
      nas: nasDoes(from, command, world).nas,
      paused: from.paused?.toSpliced(index, 1) ?? [],
    },
  }));
}

/** The sweep: a deadline passes, or what failed is told again. */
function timeMoves(from: Subscriber, world: World): Move[] {
  const { session } = from;
  const dueMs = session && dueAtMs(session);
  if (session === undefined || dueMs === undefined) return [];
  const due = Math.max(dueMs, from.feed?.clockMs ?? dueMs, from.clockMs ?? dueMs);
  const event: Event = { kind: 'due', id: `due ${session.revision}` };
  const result = world.decide(session, event, due);
  const isLeft = result.isOver || result.session?.isForgotten;
  // A session that is closed is remembered for longer than a record may take.
  if (isLeft && from.feed !== undefined && from.feed.records.length + from.commands.length > 0) return [];
  // What is still in the inbox was current when it came.
  if (result.isOver && from.inbox.some(({ kind }) => kind === 'request')) return [];
  // An empty session is removed after 300 s. The inbox delivers a message again long before that.
  if (isLeft && queued(from).some(({ id }) => session.recentEvents.some((one) => one.id === id))) return [];
  const expired =
    session.transition === undefined ? from.expired : [...from.expired, session.transition.commandId];
  const later = from.feed && { feed: { ...from.feed, clockMs: Math.max(from.feed.clockMs, due) } };
  const written = { ...write(from, event, result, world), ...later };
  // A deadline that passes is one timeout more; a retry is free, so that the world can come to rest.
  const cost = session.transition === undefined ? {} : FAULT;
  if (from.feed !== undefined)
    return [
      { name: 'sweep', to: removed(send({ ...written, expired }, result.effects), result, true), cost },
    ];
  const early: Event = { kind: 'due', id: `due ${session.revision} early` };
  const premature = world.decide(session, early, timeOf(from));
  return [
    { name: 'sweep', to: removed(send({ ...written, expired }, result.effects), result, true), cost },
    {
      name: 'a due message of long ago',
      to: send(write(from, early, premature, world), premature.effects),
      cost: FAULT,
    },
  ];
}

// --- Promises -------------------------------------------------------------------------------------------------

/** A subscriber who had a service of a group is never without one, as the NAS sees it, unless it was asked to take one away.
 * With `order: deactivate-first` there is a gap; it has to be closed again at rest. */
function checkHeld(before: Subscriber, after: Subscriber, world: World): Subscriber {
  const isGapAllowed = world.menu.some(({ nas }) => nas.order === 'deactivate-first');
  // What came in the place of the one that a NAS has at a time, unacknowledged, goes when that one is restored.
  const had = world.replaces === 'one' ? before.nas.filter((name) => name in before.expected) : before.nas;
  const lost = lostGroups(had, after, world).filter((group) => !isEndedByNas(group));
  // A command may come to a session that began after it, which the table does not know yet.
  if (before.feed !== undefined && isBehind(before.feed)) return after;
  if (!isGapAllowed && lost.length > 0) throw new Violation(`the NAS has no service of group ${lost} left`);
  return after;

  // A service that the table held to be there may have been ended by the NAS.
  function isEndedByNas(group: number): boolean {
    return before.feed?.endedByNas.some((name) => world.groups[name]?.includes(group)) === true;
  }
}

/** What was asked for another subscriber alone, and not for this one, is not taken away from this one. */
function checkStrangers({ nas, asked }: Subscriber, after: readonly string[]): void {
  const namedBy = (isMeant: (userName: unknown) => boolean) =>
    asked
      .filter(({ identity }) => isMeant(identity['User-Name']))
      .flatMap(({ activate, deactivate }) => [...activate, ...deactivate])
      .map(({ activation }) => activation);
  const own = namedBy((userName) => userName === USER_NAME);
  const others = namedBy((userName) => userName !== USER_NAME);
  // What this one activates may exclude it.
  const mayExclude = asked.some(
    ({ activate, identity }) => identity['User-Name'] === USER_NAME && activate.length > 0,
  );
  const taken = nas.find((one) => !after.includes(one) && others.includes(one) && !own.includes(one));
  if (taken !== undefined && !mayExclude)
    throw new Violation(`${taken} is taken away for another subscriber`);
}

function lostGroups(
  had: readonly string[],
  { nas, asked }: Subscriber,
  { groups }: World,
): readonly number[] {
  const groupsOf = (names: readonly string[]) => names.flatMap((name) => groups[name] ?? []);
  const has = groupsOf(nas);
  const renounced = groupsOf(
    asked.flatMap(({ deactivate }) => deactivate.map(({ activation }) => activation)),
  );
  return groupsOf(had).filter((group) => !has.includes(group) && !renounced.includes(group));
}

/** Nothing is under way, and nothing is still to be told. */
export function isAtRest(subscriber: Subscriber): boolean {
  const { session, inbox, outcomes, commands, replies, feed, paused = [] } = subscriber;
  const pending = [inbox, outcomes, commands, replies, paused, feed?.records ?? []];
  if (pending.some(({ length }) => length > 0)) return false;
  if (session === undefined) return true;
  const services = Object.values(session.services);
  return session.transition === undefined && services.every(({ retry }) => retry === undefined);
}

/**
 * At rest the NAS has what the acknowledged requests add up to, but for what the table says is unconfirmed; the table has no
 * service as active that the NAS does not have; and the accounts are balanced.
 */
export function checkRest(subscriber: Subscriber, world: World): void {
  const { session, nas, heard, started, stopped, expected, asked } = subscriber;
  const services = Object.values(session?.services ?? {});
  if (session?.transition === undefined) {
    const forgotten = services.find(
      ({ state, retry, undo }) =>
        (undo || state === 'restoring' || state === 'deactivating') && retry === undefined,
    );
    const waits = services.some(({ retry }) => retry !== undefined);
    if (forgotten !== undefined && !waits)
      throw new Violation(`${forgotten.activation} is ${forgotten.state}, and will not be told`);
  }
  if (!isAtRest(subscriber)) return;
  if (heard.some((answer) => answer === '' || answer === FORGOTTEN))
    throw new Violation(`at rest a request has no answer: ${heard}`);
  const open = started.filter((id) => !stopped.includes(id)).length;
  const accounted = services.filter(isAccounted).length;
  if (open !== accounted)
    throw new Violation(`at rest ${accounted} services are accounted and ${open} accounts open`);
  if (subscriber.feed !== undefined) {
    checkKnown(session?.isForgotten ? undefined : session, nas, subscriber.feed);
    return;
  }
  const isEnforced = session === undefined || isTold(session);
  const doubtful = services
    .filter(({ state }) => state === 'unconfirmed')
    .map(({ activation }) => activation);
  const active = services.filter(({ state }) => state === 'active').map(({ activation }) => activation);
  const has = isEnforced ? nas : active;
  for (const name of new Set([...has, ...Object.keys(expected)])) {
    // Once a request has named a service from log-in, the table may know of it: it may be undone, or be a victim.
    const isAmbiguous =
      world.fromLogIn?.includes(name) &&
      asked.some(({ activate, deactivate }) =>
        [...activate, ...deactivate].some(({ activation }) => activation === name),
      );
    // What was in doubt and has since been taken away and restored is there for certain.
    const isSettled =
      active.includes(name) &&
      asked.some(
        ({ activate }, index) =>
          heard[index]?.startsWith('nak') && activate.some(({ activation }) => activation === name),
      );
    const isWiped = world.replaces !== undefined && expected[name] === 'unknown';
    const isExempt = doubtful.includes(name) || isAmbiguous || isSettled || isWiped;
    if (has.includes(name) !== name in expected && !isExempt)
      throw new Violation(
        `at rest the NAS has ${has}, the requests add up to ${Object.keys(expected)}, in doubt ${doubtful}`,
      );
  }
  const missing = active.find((name) => !has.includes(name));
  if (missing !== undefined)
    throw new Violation(`at rest ${missing} is active in the item, and the NAS does not have it`);
  const lost = isEnforced ? lostGroups(Object.keys(expected), subscriber, world) : [];
  if (lost.length > 0) throw new Violation(`at rest the NAS has no service of group ${lost} left`);
}

function isAccounted({ activatedAtMs, statistics, isAccountedByNas }: ServiceSession): boolean {
  return activatedAtMs !== undefined && statistics !== 'off' && !isAccountedByNas;
}

/** The same request twice gives the same answer, as long as its session is kept. */
function hear(request: ServiceRequest, key: string, before: string, answer: string): string {
  if (request.origin.key !== key) return before;
  if (before.endsWith(FORGOTTEN)) return forgotten(answer);
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
  const found = asked.find(({ origin }) => origin.key === id.replace(/ again.*$/, ''));
  if (found === undefined) throw new Error(`no request ${id}`);
  return found;
}

/** decide runs long before the deadline of the command that it waits for. A session that is made again begins later. */
function timeOf({ session, removedAtMs, feed, clockMs = 0 }: Subscriber): number {
  return Math.max(session?.changedAtMs ?? removedAtMs + 1_000, feed?.clockMs ?? 0, clockMs);
}
