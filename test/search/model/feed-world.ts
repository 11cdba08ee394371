// The accounting of one session as the model has it: what happens to the session at its NAS, and the records of that, which
// a copy brings to Interlock: late, in any order, twice or never.
//
// Between two things that happen there is more time than any tolerance, so that records are told apart by when something
// happened; but one thing may happen while a command is under way.
import type { Event } from '../../../core/subscriber/event.ts';
import { isStale } from '../../../core/subscriber/life.ts';
import type { SessionRecord } from '../../../core/subscriber/record.ts';
import type { Session } from '../../../core/subscriber/session.ts';
import type { Result } from '../../../core/subscriber/transition.ts';
import { nas } from '../../core/support.ts';
import { Violation } from './violation.ts';

export interface FeedWorld {
  /** The subscriber has not logged on yet; else the session is there since before Interlock was. */
  readonly isOffline?: boolean;
  /** What can happen. */
  readonly happens: readonly Happening[];
}

/**
 * `restart`: the NAS reboots, and the session is gone. `failover`: it sends Accounting-On, and the session goes on. `end NAME`
 * and `begin NAME`: the NAS ends or activates a service by itself. `quiet`: the relay has had no record for three intervals, because
 * the Acct-Stop was lost or records of a session that goes on were, of which the next one then comes.
 */
export type Happening =
  | 'log-on'
  | 'log-off'
  | 'restart'
  | 'failover'
  | 'interim'
  | 'quiet'
  | `end ${string}`
  | `begin ${string}`;

interface Incarnation {
  readonly beganAtMs: number;
  readonly userName: string;
  readonly isOver: boolean;
}

export interface Feed {
  readonly isOnline: boolean;
  /** The sessions that have had the Acct-Session-Id; the latest comes last. */
  readonly incarnations: readonly Incarnation[];
  /** The services that the NAS accounts, with the id and the beginning of each. */
  readonly accounts: Readonly<Record<string, { readonly id: string; readonly startedAtMs: number }>>;
  /** Services that the NAS has ended by itself. */
  readonly endedByNas: readonly string[];
  /** Records that are on their way. */
  readonly records: readonly FeedEvent[];
  /** Of these, the one that has arrived and whose effects were not sent: its queue delivers it again. */
  readonly received: readonly string[];
  readonly clockMs: number;
  /** When the NAS has restarted, as far as Interlock has heard. */
  readonly restartedAtMs?: number;
  /** When the latest record of the session came to the relay, but for an Acct-Stop. */
  readonly heardAtMs?: number;
  /** Of what has come to the cloud: the latest record of the session, and the latest notice that it is stale. */
  readonly knownAtMs?: number;
  readonly noticedAtMs?: number;
  /** A record has come after the notice, perhaps one from before. */
  readonly isNoticeOvertaken?: boolean;
  /** The Acct-Stop of the session was lost, so that the relay takes it for open. */
  readonly isStopLost?: boolean;
  /** How many records there have been. */
  readonly made: number;
  /** A record was lost, or never sent: the table cannot know everything. */
  readonly isIncomplete: boolean;
}

type FeedEvent = Extract<Event, { kind: 'record' | 'nas-restart' }>;

const TICK_MS = 301_000;
const USER_NAME = 'client1@isp1.com';
const PROFILE = nas({ enforcement: 'coa' });

export function newFeed({ isOffline = false }: FeedWorld, fromLogIn: readonly string[]): Feed {
  const clockMs = 1_000_000;
  return {
    isOnline: !isOffline,
    incarnations: isOffline ? [] : [{ beganAtMs: clockMs, userName: USER_NAME, isOver: false }],
    accounts: isOffline
      ? {}
      : Object.fromEntries(
          fromLogIn.map((name) => [name, { id: `${name}@${clockMs}`, startedAtMs: clockMs }]),
        ),
    endedByNas: [],
    records: [],
    received: [],
    clockMs,
    made: 0,
    isIncomplete: !isOffline,
  };
}

interface Then {
  readonly nas?: readonly string[];
  readonly feed: Feed;
}

/** What can happen to the session next, of itself. */
export function happenings(
  services: readonly string[],
  deadlineMs: number | undefined,
  feed: Feed,
  { fromLogIn = [], feed: world }: { readonly fromLogIn?: readonly string[]; readonly feed?: FeedWorld },
): readonly { readonly name: string; readonly to: Then }[] {
  if (deadlineMs !== undefined && deadlineMs <= feed.clockMs) return [];
  return (world?.happens ?? []).flatMap((name) => {
    const to = happen(name);
    return to === undefined ? [] : [{ name, to }];
  });

  function happen(name: Happening): Then | undefined {
    const { isOnline } = feed;
    const clockMs = feed.clockMs + TICK_MS;
    const later = { ...feed, clockMs };
    const over = feed.incarnations.map((one) => ({ ...one, isOver: true }));
    const gone = { ...later, isOnline: false, incarnations: over, accounts: {} };
    switch (name) {
      case 'log-on': {
        if (isOnline) return undefined;
        const begun = { beganAtMs: clockMs, userName: USER_NAME, isOver: false };
        const { isStopLost: _, ...known } = later;
        const there = { ...known, isOnline: true, incarnations: [...feed.incarnations, begun] };
        const started = send(there, [sessionRecord('start')]);
        return { nas: fromLogIn.toSorted(), feed: fromLogIn.reduce(accountStarts, started) };
      }
      case 'log-off':
        return isOnline ? { nas: [], feed: logOff(later) } : undefined;
      case 'restart':
        return { nas: [], feed: send(gone, [restart]) };
      case 'failover':
        // The session is closed until its next record.
        return isOnline ? { feed: send(later, [restart]) } : undefined;
      case 'interim':
        if (!isOnline) return undefined;
        return {
          feed: send(later, [
            sessionRecord('interim'),
            ...Object.keys(feed.accounts).map((one) => serviceRecord('interim', one)),
          ]),
        };
      case 'quiet': {
        const { heardAtMs, isStopLost } = feed;
        if (heardAtMs === undefined || !(isOnline || isStopLost)) return undefined;
        const noticed = send(later, [staleNotice]);
        // The relay has the cloud told of the next one, which comes when time has passed.
        return {
          feed: isOnline
            ? send({ ...noticed, clockMs: clockMs + TICK_MS }, [sessionRecord('interim')])
            : noticed,
        };
      }
      default: {
        const [verb, activation = ''] = name.split(' ');
        if (!isOnline || services.includes(activation) !== (verb === 'end')) return undefined;
        if (verb === 'begin')
          return { nas: [...services, activation].sort(), feed: accountStarts(later, activation) };
        if (feed.accounts[activation] === undefined) return undefined;
        return {
          nas: services.filter((one) => one !== activation),
          feed: accountStops({ ...later, endedByNas: [...feed.endedByNas, activation] }, activation),
        };
      }
    }
  }
}

/** The session ends, and the NAS accounts that. */
export function logOff(feed: Feed): Feed {
  const ended = Object.keys(feed.accounts).reduce(accountStops, feed);
  const stopped = send(ended, [sessionRecord('stop')]);
  const incarnations = feed.incarnations.map((one) => ({ ...one, isOver: true }));
  return { ...stopped, isOnline: false, incarnations, accounts: {} };
}

type Make = (feed: Feed, id: string) => FeedEvent;

const isNotice = (event: FeedEvent) => event.kind === 'record' && event.record.kind === 'stale';
const isStopOfSession = (event: FeedEvent) =>
  event.kind === 'record' && event.record.kind === 'stop' && event.record.service === undefined;

const staleNotice: Make = ({ heardAtMs = 0, clockMs }, id) => ({
  kind: 'record',
  id: `${id} stale`,
  record: {
    kind: 'stale',
    eventAtMs: heardAtMs,
    isStamped: false,
    receivedAtMs: clockMs,
    nas: PROFILE,
    acctSessionId: 's1',
    identity: {},
    classes: [],
  },
});

function send(feed: Feed, makes: readonly Make[]): Feed {
  const records = makes.map((make, index) => make(feed, `f${feed.made + index}`));
  const isHeard = records.some(
    (event) => event.kind === 'record' && !isStopOfSession(event) && !isNotice(event),
  );
  return {
    ...feed,
    ...(isHeard && { heardAtMs: feed.clockMs }),
    records: [...feed.records, ...records],
    made: feed.made + records.length,
  };
}

const restart: Make = ({ clockMs }, id) => ({
  kind: 'nas-restart',
  id: `${id} on`,
  eventAtMs: clockMs,
  terminateCause: 11,
});

function recordOf(feed: Feed, kind: SessionRecord['kind'], beganAtMs: number): SessionRecord {
  const { clockMs } = feed;
  return {
    kind,
    eventAtMs: clockMs,
    isStamped: true,
    receivedAtMs: clockMs,
    nas: PROFILE,
    acctSessionId: 's1',
    identity: { 'User-Name': USER_NAME },
    classes: [],
    ...(kind !== 'start' && { sessionTimeSeconds: (clockMs - beganAtMs) / 1000 }),
    ...(kind === 'stop' && { terminateCause: 1 }),
  };
}

const sessionRecord =
  (kind: SessionRecord['kind']): Make =>
  (feed, id) => {
    const { beganAtMs = 0 } = feed.incarnations.at(-1) ?? {};
    return { kind: 'record', id: `${id} ${kind}`, record: recordOf(feed, kind, beganAtMs) };
  };

const serviceRecord =
  (kind: SessionRecord['kind'], activation: string): Make =>
  (feed, id) => {
    const { id: serviceSessionId = '', startedAtMs = 0 } = feed.accounts[activation] ?? {};
    const service = { activation, spelling: activation, groups: GROUPS[activation] ?? [], serviceSessionId };
    const record = { ...recordOf(feed, kind, startedAtMs), service };
    return { kind: 'record', id: `${id} ${kind} ${activation}`, record };
  };

const GROUPS: Readonly<Record<string, readonly number[]>> = {
  gold: [1],
  silver: [1],
  bronze: [1],
  video: [2],
};

function accountStarts(feed: Feed, activation: string): Feed {
  const account = { id: `${activation}@${feed.clockMs}`, startedAtMs: feed.clockMs };
  const accounted = { ...feed, accounts: { ...feed.accounts, [activation]: account } };
  return send(accounted, [serviceRecord('start', activation)]);
}

function accountStops(feed: Feed, activation: string): Feed {
  const { [activation]: _, ...accounts } = feed.accounts;
  return { ...send(feed, [serviceRecord('stop', activation)]), accounts };
}

/** What a command has ended, the NAS accounts no more. */
export function accountsEnd(feed: Feed, has: readonly string[]): Feed {
  const over = Object.keys(feed.accounts).filter((name) => !has.includes(name));
  return over.length === 0 ? feed : over.reduce(accountStops, feed);
}

/** A record as ingest takes it: with what is known of restarts of its NAS. */
export function withRestart(event: FeedEvent, { restartedAtMs }: Feed): FeedEvent {
  if (event.kind !== 'record' || restartedAtMs === undefined) return event;
  return { ...event, record: { ...event.record, restartedAtMs } };
}

/** Once Interlock has heard of something. */
export function heardOf(event: FeedEvent, feed: Feed): Feed {
  if (event.kind === 'record') {
    const { eventAtMs } = event.record;
    return isNotice(event)
      ? { ...feed, noticedAtMs: Math.max(feed.noticedAtMs ?? 0, eventAtMs) }
      : {
          ...feed,
          knownAtMs: Math.max(feed.knownAtMs ?? 0, eventAtMs),
          ...(feed.noticedAtMs !== undefined && { isNoticeOvertaken: true }),
        };
  }
  return { ...feed, restartedAtMs: Math.max(feed.restartedAtMs ?? 0, event.eventAtMs) };
}

/** Once a record is lost. */
export function lost(event: FeedEvent, feed: Feed): Feed {
  return { ...feed, isIncomplete: true, ...(isStopOfSession(event) && { isStopLost: true }) };
}

/** Whether the table cannot know what the NAS has. */
export function isBehind({ records, isIncomplete }: Feed): boolean {
  return records.length > 0 || isIncomplete;
}

// --- Promises -------------------------------------------------------------------------------------------------

/** Nothing is ended that began later, and nothing is told or acknowledged for a session that has ended. */
export function checkLife(before: Session | undefined, event: Event, result: Result, feed: Feed): void {
  const { session: after = before, effects } = result;
  const isRepeated = before?.recentEvents.some(({ id }) => id === event.id) === true;
  const closed = after?.life?.closed;
  if (closed !== undefined && !isRepeated) {
    if (effects.some(({ kind }) => kind === 'command'))
      throw new Violation('a command for a session that has ended');
    // But for the Disconnect-Request that has ended it.
    const { transition } = before ?? {};
    const ending = transition?.step === 'disconnect' ? transition.request.correlationId : undefined;
    if (
      effects.some(
        (effect) => effect.kind === 'reply' && effect.answer === 'ack' && effect.correlationId !== ending,
      )
    )
      throw new Violation('ACK for a session that has ended');
  }
  const isUnopened = after?.nas.sessions === 'accounting' && after.life === undefined;
  if (isUnopened && effects.some(({ kind }) => kind === 'command'))
    throw new Violation('a command for a session that no record has opened');
  const began = before?.life?.closed === undefined ? before?.life?.began?.atMs : undefined;
  const isEnded = closed?.by === 'stop' || (after?.life?.began?.atMs ?? began) !== began;
  const truth = feed.incarnations.find(({ beganAtMs }) => beganAtMs === began);
  if (began !== undefined && isEnded && truth?.isOver === false)
    throw new Violation(`${event.id} ends a session that goes on`);
  if (
    event.kind === 'nas-restart' &&
    closed?.by === 'restart' &&
    began !== undefined &&
    began >= event.eventAtMs
  )
    throw new Violation(`${event.id} ends a session that began later`);
}

/** A session is stale where the relay has said so last, and not once a record has come since. */
function checkStale(session: Session | undefined, feed: Feed): void {
  const { noticedAtMs, knownAtMs = 0, isNoticeOvertaken, clockMs } = feed;
  if (session?.life === undefined || session.life.closed !== undefined) return;
  const isNoticed = noticedAtMs !== undefined && knownAtMs <= noticedAtMs;
  const isNow = isStale(session, clockMs);
  if (isNow && !isNoticed) throw new Violation('at rest a session is stale of which a record has come since');
  if (!isNow && isNoticed && !isNoticeOvertaken)
    throw new Violation('at rest a session is not stale of which no record has come since the notice');
}

/** With all records delivered, the table has what the NAS has. */
export function checkKnown(session: Session | undefined, has: readonly string[], feed: Feed): void {
  checkStale(session, feed);
  if (isBehind(feed)) return;
  const services = Object.values(session?.services ?? {});
  const isOpen = session?.life !== undefined && session.life.closed === undefined;
  if (!feed.isOnline) {
    if (services.some(({ state }) => state === 'active') || isOpen)
      throw new Violation(`at rest the session is open, and the subscriber has logged off`);
    return;
  }
  const { beganAtMs = 0 } = feed.incarnations.at(-1) ?? {};
  // Accounting-On seems to have ended it, until its next record comes.
  if (!isOpen && beganAtMs <= (feed.restartedAtMs ?? Number.NEGATIVE_INFINITY)) return;
  if (feed.incarnations.length > 0 && !isOpen)
    throw new Violation('at rest the session is not open, and the subscriber is online');
  // Of a session that is known by later records alone the services are not known.
  const areKnown = session?.life?.knownBy === 'start';
  const unknown = areKnown ? has.find((name) => session?.services[name] === undefined) : undefined;
  if (unknown !== undefined)
    throw new Violation(`at rest the NAS has ${unknown}, and the table does not know`);
  const missing = services.find(({ state, activation }) => state === 'active' && !has.includes(activation));
  if (missing !== undefined)
    throw new Violation(`at rest ${missing.activation} is active in the item, and the NAS does not have it`);
}

// --- What decides on the future -------------------------------------------------------------------------------

/** Times by their order alone, and whether the clocks of NAS and cloud could account for what lies between them. */
export function feedKeyOf(feed: Feed, session: Session | undefined): unknown {
  const times = new Set<number>();
  const note = (atMs: number | undefined) => {
    if (atMs !== undefined) times.add(atMs);
    return atMs;
  };
  const { life, drift, services = {} } = session ?? {};
  const events = feed.records.map((event) => [
    feed.received.includes(event.id),
    event.kind === 'record'
      ? [
          event.record.kind,
          note(event.record.eventAtMs),
          event.record.service?.serviceSessionId,
          note(event.record.eventAtMs - (event.record.sessionTimeSeconds ?? 0) * 1000),
        ]
      : ['on', note(event.eventAtMs)],
  ]);
  const known = life && [
    life.knownBy,
    note(life.began?.atMs),
    note(life.after?.atMs),
    note(life.latest.atMs),
    note(life.heardAtMs),
    note(life.staleSinceMs),
    life.closed && [
      life.closed.by,
      note(life.closed.at.atMs),
      Object.values(life.closed.services ?? {}).map(({ activation, state }) => [activation, state]),
      life.closed.command?.activates.map(({ activation }) => activation),
      life.closed.command?.isToldAgain,
      life.closed.younger?.map(({ activation }) => activation),
    ],
    life.deferred.map(({ kind, serviceSessionId, atMs }) => [kind, serviceSessionId, note(atMs)]),
    life.endedServices.map(({ serviceSessionId, atMs }) => [serviceSessionId, note(atMs)]),
  ];
  const told = Object.values(services)
    .map(({ activation, activatedAtMs, settledAtMs, record }) => [
      activation,
      note(activatedAtMs),
      note(settledAtMs),
      record?.serviceSessionId,
      note(record?.atMs),
    ])
    .sort();
  const incarnations = feed.incarnations.map(({ beganAtMs, isOver }) => [note(beganAtMs), isOver]);
  const accounts = Object.entries(feed.accounts).map(([name, { id, startedAtMs }]) => [
    name,
    id,
    note(startedAtMs),
  ]);
  note(feed.clockMs);
  const restarted = note(feed.restartedAtMs);
  const relay = [
    note(feed.heardAtMs),
    note(feed.knownAtMs),
    note(feed.noticedAtMs),
    feed.isStopLost,
    feed.isNoticeOvertaken,
  ];
  const order = [...times].sort((a, b) => a - b);
  const text = JSON.stringify([
    feed.isOnline,
    incarnations,
    accounts,
    events,
    known,
    told,
    Object.keys(drift ?? {}),
    feed.isIncomplete,
    restarted,
    relay,
    feed.endedByNas,
  ]);
  const ranked = order.reduce((done, atMs, index) => done.replaceAll(String(atMs), `t${index}`), text);
  return [ranked, order.map((atMs, index) => atMs - (order[index - 1] ?? atMs) > 300_000)];
}
