import { describe, expect, it } from 'vitest';
import type { NasProfile, Order } from '../../../core/nas.ts';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import type { Statistics } from '../../../core/services/terms.ts';
import type { Life, ServiceRequest, ServiceSession, Session } from '../../../core/subscriber/session.ts';
import { transition } from '../../../core/subscriber/transition.ts';
import { deactivation, NOW, nas, outcome, request, service } from '../../core/support.ts';
import { commentedEdges, describeEdges, EdgesSeen } from './edges.ts';
import { explore } from './explore.ts';
import type { Budget, Transition, World } from './subscriber-world.ts';

type Name =
  | 'gold'
  | 'silver'
  | 'bronze'
  | 'video'
  | 'locked'
  | 'movie'
  | 'http'
  | 'portal'
  | 'basic'
  | 'plus';
const GROUPS: Readonly<Record<Name, readonly number[]>> = {
  gold: [1],
  silver: [1],
  bronze: [1],
  video: [2],
  locked: [2],
  movie: [2],
  http: [],
  portal: [],
  basic: [3],
  plus: [3],
};
/** With `policy: refuse`. */
const REFUSING = [3];

/** A request of the menu: `+gold -video`, `+gold=off` without statistics, with the name of another subscriber where it begins
 * with `?`, and without an Acct-Session-Id, so that its session was looked up, where it begins with `@`; `!` is a
 * Disconnect-Request. */
function wish(text: string, profile: Partial<NasProfile> = {}): ServiceRequest {
  const words = text.replace(/^[?@]/, '').split(' ');
  const named = (sign: string) =>
    words
      .filter((word) => word.startsWith(sign))
      .map((word) => word.slice(1).split('=') as [name: Name, statistics?: Statistics]);
  const identity = { 'User-Name': text.startsWith('?') ? 'somebody.else' : 'client1@isp1.com' };
  const asked = request(text, { timestamped: true, queuedAtMs: 0, identity });
  return {
    ...asked,
    ...(text.startsWith('@') && { lookedUpAt: 'bng-1' }),
    nas: nas({ enforcement: 'coa', ...profile }),
    activate: named('+').map(([name, statistics = 'time']) =>
      service(name, {
        groups: GROUPS[name],
        refusingGroups: name === 'locked' ? [2] : GROUPS[name].filter((group) => REFUSING.includes(group)),
        statistics,
      }),
    ),
    deactivate: named('-').map(([name]) => ({ ...deactivation(name), groups: GROUPS[name] })),
    ...(text.endsWith('!') && { isDisconnect: true }),
  };
}

interface Setting extends Partial<World> {
  readonly name: string;
  readonly wishes: readonly string[];
  readonly profile?: Partial<NasProfile>;
  readonly budget: Budget;
}

const BUDGET = { requests: 2, faults: 2, crashes: 1 };
const WITHOUT_CRASHES = { ...BUDGET, crashes: 0 };
const ORDERS: readonly Order[] = ['activate-first', 'together', 'deactivate-first'];

/** Each is searched to its end. INTERLOCK_LONG=1 adds a fault and a crash to each, which takes an hour. */
const SETTINGS: readonly Setting[] = [
  {
    name: 'switches and deactivations',
    wishes: ['+gold', '+gold +video', '+silver -video', '-gold'],
    budget: WITHOUT_CRASHES,
  },
  ...ORDERS.flatMap((order): Setting[] => [
    {
      name: `${order}, services from log-in`,
      profile: { order },
      fromLogIn: ['http', 'gold'],
      wishes: ['+silver -http', '+gold', '-portal'],
      budget: order === 'activate-first' ? BUDGET : WITHOUT_CRASHES,
    },
    {
      name: `${order}, a strict NAS`,
      profile: { order },
      isStrict: true,
      fromLogIn: ['gold'],
      wishes: ['+gold', '+silver -video', '+gold +video'],
      budget: order === 'activate-first' ? BUDGET : WITHOUT_CRASHES,
    },
    {
      name: `${order}, a NAS that refuses coexistence`,
      profile: { order },
      refusesCoexistence: true,
      wishes: ['+gold', '+silver', '+bronze -gold'],
      budget: order === 'activate-first' ? BUDGET : WITHOUT_CRASHES,
    },
    {
      name: `${order}, strict and refusing coexistence`,
      profile: { order },
      isStrict: true,
      refusesCoexistence: true,
      wishes: ['+gold', '+silver', '+silver -video'],
      budget: order === 'activate-first' ? BUDGET : WITHOUT_CRASHES,
    },
    {
      name: `${order}, a group that refuses`,
      profile: { order },
      wishes: ['+basic', '+plus -basic', '+basic +plus'],
      budget: WITHOUT_CRASHES,
    },
  ]),
  {
    name: 'deactivate-first, a relay that stops',
    profile: { order: 'deactivate-first' },
    fromLogIn: ['http', 'gold'],
    wishes: ['+silver -http', '-portal'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 3, crashes: 2 },
  },
  {
    name: 'three requests',
    wishes: ['+gold', '+silver', '-gold'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'one service a command',
    profile: { dialect: 'cisco', options: {} },
    wishes: ['+gold +video', '+silver -video', '+locked', '-gold -video'],
    budget: { requests: 2, faults: 2, crashes: 0 },
  },
  {
    name: 'deactivations that fail',
    profile: { dialect: 'cisco', options: {} },
    wishes: ['+gold +video', '+silver +movie'],
    withoutRepeats: true,
    budget: { requests: 2, faults: 3, crashes: 0 },
  },
  {
    name: 'a NAS that replaces its list',
    profile: { dialect: 'generic', options: {} },
    replaces: 'all',
    wishes: ['+gold +video', '+silver -video', '+silver', '-gold'],
    budget: { requests: 2, faults: 2, crashes: 1 },
  },
  ...ORDERS.map(
    (order): Setting => ({
      name: `${order}, a NAS that replaces its list, services from log-in`,
      profile: { dialect: 'generic', options: {}, order },
      replaces: 'all',
      fromLogIn: ['http', 'gold'],
      wishes: ['+silver', '-http', '+silver -http', '-silver'],
      budget: { requests: 2, faults: 2, crashes: 0 },
    }),
  ),
  {
    name: 'a NAS that has one service at a time',
    profile: { dialect: 'generic', options: { oneAtATime: true }, order: 'together' },
    replaces: 'one',
    wishes: ['+gold', '+silver', '+video -gold', '-gold'],
    budget: { requests: 2, faults: 2, crashes: 0 },
  },
  {
    name: 'three requests to a NAS that has one service at a time',
    profile: { dialect: 'generic', options: { oneAtATime: true }, order: 'together' },
    replaces: 'one',
    wishes: ['+gold', '+silver', '+video -gold', '+gold +video'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'another subscriber, a NAS that has one service at a time',
    profile: { dialect: 'generic', options: { oneAtATime: true }, order: 'together' },
    replaces: 'one',
    wishes: ['?+gold', '+silver', '-silver'],
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'another subscriber',
    wishes: ['?+gold', '+gold', '?-gold'],
    budget: WITHOUT_CRASHES,
  },
  {
    name: 'a session that was looked up',
    wishes: ['+gold', '@+silver', '@-gold', '?+silver'],
    budget: { requests: 2, faults: 2, crashes: 1 },
  },
  {
    name: 'a deactivation of what is there from log-in',
    fromLogIn: ['http'],
    wishes: ['-http', '+gold'],
    budget: BUDGET,
  },
  {
    name: 'another subscriber, services from log-in',
    fromLogIn: ['http', 'gold'],
    wishes: ['?+http', '+silver', '?+gold -http'],
    budget: WITHOUT_CRASHES,
  },
  {
    name: 'another subscriber, then the right one',
    wishes: ['?+http', '+http'],
    withoutRepeats: true,
    budget: { requests: 2, faults: 3, crashes: 0 },
  },
  {
    name: 'deactivate-first, another subscriber in between',
    profile: { order: 'deactivate-first' },
    wishes: ['+gold', '?+silver', '+bronze'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'another subscriber, a NAS that replaces its list',
    profile: { dialect: 'generic', options: {}, order: 'together' },
    replaces: 'all',
    wishes: ['+gold', '?+silver'],
    withoutRepeats: true,
    budget: { requests: 2, faults: 3, crashes: 0 },
  },
  {
    name: 'deactivate-first beside services from log-in, a NAS that refuses coexistence',
    profile: { order: 'deactivate-first' },
    refusesCoexistence: true,
    fromLogIn: ['bronze'],
    wishes: ['+gold', '+silver'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 2, crashes: 0 },
  },
  {
    name: 'statistics turned off and on',
    wishes: ['+gold', '+gold=off', '+silver -video'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'Disconnect-Requests',
    fromLogIn: ['http'],
    wishes: ['+gold', '!'],
    budget: { requests: 3, faults: 1, crashes: 1 },
  },
  {
    name: 'Disconnect-Requests and a deactivation that fails',
    wishes: ['+gold', '+silver', '!'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'Disconnect-Requests and a restoration that fails',
    wishes: ['+gold', '!'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 2, crashes: 0 },
  },
  {
    name: 'a Disconnect-Request for another subscriber',
    wishes: ['+gold', '?!', '!'],
    withoutRepeats: true,
    budget: { requests: 3, faults: 1, crashes: 0 },
  },
  {
    name: 'a session logs on and off',
    feed: { isOffline: true, happens: ['log-on', 'log-off', 'interim'] },
    fromLogIn: ['silver'],
    wishes: ['+gold'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 1, events: 3 },
  },
  {
    name: 'a Disconnect-Request, and the Acct-Stop that it causes',
    feed: { isOffline: true, happens: ['log-on'] },
    fromLogIn: ['silver'],
    wishes: ['+gold', '!'],
    withoutRepeats: true,
    budget: { requests: 2, faults: 1, crashes: 0, events: 1 },
  },
  {
    name: 'the NAS restarts',
    feed: { isOffline: true, happens: ['log-on', 'restart', 'failover', 'interim'] },
    fromLogIn: ['silver'],
    wishes: ['+gold'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 0, events: 3 },
  },
  {
    name: 'the NAS ends and begins services itself',
    feed: { isOffline: true, happens: ['log-on', 'end silver', 'begin silver', 'interim'] },
    fromLogIn: ['silver'],
    wishes: ['+gold', '+silver'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 0, events: 3 },
  },
  {
    name: 'records alone open a session',
    profile: { sessions: 'accounting' },
    feed: { isOffline: true, happens: ['log-on', 'log-off'] },
    fromLogIn: ['silver'],
    wishes: ['+gold', '-silver'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 1, events: 2 },
  },
  {
    name: 'the Acct-Stop is lost, and other records',
    feed: { isOffline: true, happens: ['log-on', 'log-off', 'interim', 'quiet'] },
    fromLogIn: ['silver'],
    wishes: ['+gold'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 0, events: 3 },
  },
  {
    name: 'a session from before there was a feed',
    feed: { happens: ['log-on', 'log-off', 'restart', 'interim'] },
    fromLogIn: ['silver'],
    wishes: ['+gold', '-silver'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 1, events: 2 },
  },
  {
    name: 'clients that give up',
    patienceMs: 10_000,
    wishes: ['+gold', '+silver -video', '!'],
    budget: { requests: 2, faults: 2, crashes: 1 },
  },
  {
    name: 'clients that give up, without confirmation',
    profile: { enforcement: 'none' },
    patienceMs: 10_000,
    wishes: ['+gold', '+silver -video', '!'],
    budget: { requests: 2, faults: 2, crashes: 1 },
  },
  {
    name: 'no confirmation',
    profile: { enforcement: 'none' },
    wishes: ['+gold', '+silver -video', '!'],
    budget: { requests: 3, faults: 1, crashes: 1 },
  },
];

const more = process.env['INTERLOCK_LONG'] === '1' ? 1 : 0;
const seen = new EdgesSeen();

function search({ wishes, profile, budget, ...setting }: Setting, decide: Transition) {
  const menu = wishes.map((text) => wish(text, profile));
  const world = { groups: GROUPS, refusing: REFUSING, ...setting, menu, decide };
  return explore({ ...budget, faults: budget.faults + more, crashes: budget.crashes + more }, world);
}

describe('the transition, the queues and the NAS', () => {
  it.each(SETTINGS)(
    'keep every promise, and come to rest: $name',
    (setting) => {
      const { states, transitions, violation } = search(setting, seen.watch(transition));
      process.stdout.write(`model, ${setting.name}: ${states} states, ${transitions} transitions\n`);
      expect(violation && `${violation.message}\n  ${violation.trace.join('\n  ')}`).toBeUndefined();
      expect(states).toBeGreaterThan(1_000);
    },
    900_000,
  );

  it('ignore what still comes for a session whose item was removed', () => {
    const decide = seen.watch(transition);
    expect(decide(undefined, outcome(undefined, 'ack'), NOW)).toEqual({ effects: [] });
    expect(decide(undefined, { kind: 'due', id: 'd1' }, NOW)).toEqual({ effects: [] });
  });

  it('lead from each state where the comment over the table says, and nowhere else', () => {
    const edges = describeEdges(seen.edges);
    process.stdout.write(`edges seen:\n  ${edges.join('\n  ')}\n`);
    expect(edges).toEqual(commentedEdges());
  });
});

/** Systems that look right and are not, each with the setting that shows it. */
const MUTANTS: readonly (readonly [what: string, setting: string, decide: Transition, promise: RegExp])[] = [
  [
    'deactivates what a newcomer replaces before the newcomer comes',
    'switches and deactivations',
    breaksFirst,
    /no service of group 1 left/,
  ],
  [
    'acknowledges the deactivation of what the table does not know',
    'activate-first, services from log-in',
    believesItsTable,
    /ACK with \w+ at the NAS/,
  ],
  [
    'tells a NAS that replaces its list of what the table does not know',
    'activate-first, a NAS that replaces its list, services from log-in',
    believesItsTable,
    /no service of group 1 left/,
  ],
  [
    'tells a NAS with one service at a time of two',
    'three requests to a NAS that has one service at a time',
    forgetsCapacity,
    /the NAS is told gold,video at a time/,
  ],
  [
    'undoes an activation that may have been there before',
    'activate-first, a strict NAS',
    undoesTheLast,
    /no service of group 1 left/,
  ],
  [
    'undoes an activation while what it replaced may be gone',
    'together, a NAS that refuses coexistence',
    undoesBeforeRestoring,
    /no service of group 1 left/,
  ],
  [
    'has one pause for all deactivations of a session',
    'deactivations that fail',
    pausesTogether,
    /is told later than it was to be/,
  ],
  [
    'keeps what a refused request said of the subscriber',
    'another subscriber',
    keepsWhatIsRefused,
    /503, and the NAS knows the subscriber/,
  ],
  [
    'refuses a member beside another that the request deactivates',
    'activate-first, a group that refuses',
    refusesAnExchange,
    /501, and no other member of the group stays/,
  ],
  [
    'takes two members of a group that refuses from one request',
    'activate-first, a group that refuses',
    takesTwo,
    /are active in a group that refuses/,
  ],
  [
    'removes a session with its answers as soon as it is empty',
    'a deactivation of what is there from log-in',
    removesAtOnce,
    /is carried out again/,
  ],
  [
    'undoes an activation under the first of its names alone',
    'another subscriber, then the right one',
    undoesUnderOneName,
    /at rest the NAS has http/,
  ],
  [
    'believes a refusal that may be about the subscriber of what is in doubt',
    'deactivate-first, another subscriber in between',
    believesAnyRefusal,
    /at rest the NAS has gold/,
  ],
  [
    'undoes for the subscriber what was asked for another one',
    'another subscriber, services from log-in',
    undoesForAnother,
    /is taken away for another subscriber/,
  ],
  [
    'takes what the relay did not send for a refusal of the NAS',
    'switches and deactivations',
    takesUnsentForNak,
    /is restored no longer, and the NAS has not answered/,
  ],
  [
    'takes what the relay did not send for what the NAS did not answer',
    'switches and deactivations',
    takesUnsentForTimeout,
    /and the NAS was not told/,
  ],
  [
    'acknowledges a Disconnect-Request before the NAS has',
    'Disconnect-Requests',
    endsAtOnce,
    /ACK, and the NAS has the session/,
  ],
  [
    'keeps the services of a session that the NAS may have ended',
    'Disconnect-Requests',
    staysCertain,
    /is active in the item, and the NAS does not have it/,
  ],
  [
    'goes by when a record comes, not by when it happened',
    'a session logs on and off',
    goesByArrival,
    /ends a session that goes on|at rest the session is open/,
  ],
  [
    'ends the session with the Acct-Stop of an earlier one',
    'a session logs on and off',
    believesAnyStop,
    /ends a session that goes on/,
  ],
  [
    'acknowledges a request whose session has ended',
    'a session logs on and off',
    acknowledgesAnyhow,
    /ACK for a session that has ended/,
  ],
  [
    'forgets the command under way with the session',
    'a session logs on and off',
    forgetsTheCommand,
    /at rest the NAS has gold/,
  ],
  [
    'believes the Acct-Start of a service that has ended',
    'the NAS ends and begins services itself',
    believesAnyStart,
    /at rest silver is active/,
  ],
  [
    'ends what began after the restart of the NAS',
    'the NAS restarts',
    endsWhatBeganLater,
    /ends a session that began later/,
  ],
  [
    'calls a session stale that was heard of since',
    'the Acct-Stop is lost, and other records',
    believesAnyNotice,
    /is stale of which a record has come since/,
  ],
  [
    'keeps a session stale that is heard of again',
    'the Acct-Stop is lost, and other records',
    staysStale,
    /is stale of which a record has come since/,
  ],
  [
    'does not believe that a session is stale',
    'the Acct-Stop is lost, and other records',
    ignoresNotices,
    /is not stale of which no record has come/,
  ],
  [
    'remembers nothing of a session that is over',
    'switches and deactivations',
    remembersNothing,
    /is carried out again/,
  ],
  [
    'knows a request by the port that it came from',
    'Disconnect-Requests',
    goesByPort,
    /is carried out again/,
  ],
  [
    'begins what its client waits for no longer',
    'clients that give up',
    hasAllTheTime,
    /is begun \d+ ms after its client has given up/,
  ],
  [
    'carries out at once what its client waits for no longer',
    'clients that give up, without confirmation',
    hasAllTheTime,
    /is begun \d+ ms after its client has given up/,
  ],
  [
    'undoes what a relay did not report',
    'activate-first, services from log-in',
    undoesWhatIsNotReported,
    /is answered before the NAS is asked again|before the NAS is asked again/,
  ],
  [
    'asks again under the same name',
    'activate-first, services from log-in',
    asksUnderTheSameName,
    /is not asked again|never at rest/,
  ],
  [
    'takes what the NAS says when it is asked again for what it said before',
    'activate-first, services from log-in',
    believesTheSecondAnswer,
    /at rest the NAS has|503, and the NAS knows/,
  ],
  [
    'ends for certain what the NAS did not have when it was asked again',
    'deactivate-first, a relay that stops',
    forgetsWhatWasDoubted,
    /at rest|left/,
  ],
  ['never tells again what failed', 'one service a command', givesUp, /never at rest|will not be told/],
  [
    'refuses a Disconnect-Request that the NAS has obeyed',
    'a Disconnect-Request, and the Acct-Stop that it causes',
    refusesWhatIsObeyed,
    /NAK for a Disconnect-Request that the NAS has obeyed/,
  ],
];

describe('the search tells of a system that', () => {
  it.each(MUTANTS)(
    '%s',
    (_, name, decide, promise) => {
      const setting = SETTINGS.find((one) => one.name === name);
      if (setting === undefined) throw new Error(`no setting ${name}`);
      const { violation } = search(setting, decide);
      process.stdout.write(`broken on purpose: ${violation?.message}\n  ${violation?.trace.join('\n  ')}\n`);
      expect(violation?.message).toMatch(promise);
    },
    300_000,
  );
});

it('the search tells of a relay that was paused and tells what has gone on without it', () => {
  const setting = {
    name: 'switches',
    wishes: ['+gold', '+silver'],
    withoutRepeats: true,
    tellsLate: true,
    budget: { requests: 2, faults: 1, crashes: 1 },
  };
  const { violation } = search(setting, transition);
  process.stdout.write(`broken on purpose: ${violation?.message}\n  ${violation?.trace.join('\n  ')}\n`);
  expect(violation?.message).toMatch(/at rest the NAS has gold/);
}, 300_000);

/** What Junos MX has done since 16.1R4, without the way back. */
function breaksFirst(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request' || session?.transition !== undefined) return transition(session, event, nowMs);
  const groups = event.request.activate.flatMap((one) => one.groups);
  const newcomers = event.request.activate.map(({ activation }) => activation);
  const victims = Object.values(session?.services ?? {})
    .filter(
      (one) => !newcomers.includes(one.activation) && one.groups.some((group) => groups.includes(group)),
    )
    .map(({ activation }) => deactivation(activation));
  if (victims.length === 0) return transition(session, event, nowMs);
  const first = { ...event.request, activate: [], deactivate: victims };
  const result = transition(session, { ...event, request: first }, nowMs);
  return result.session === undefined
    ? result
    : { ...result, session: { ...result.session, waiting: [event.request] } };
}

function believesItsTable(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request') return transition(session, event, nowMs);
  const { request } = event;
  const deactivate = request.deactivate.filter(
    ({ activation }) => session?.services[activation] !== undefined,
  );
  return transition(session, { ...event, request: { ...request, deactivate } }, nowMs);
}

function forgetsCapacity(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request') return transition(session, event, nowMs);
  const nas = { ...event.request.nas, options: {} };
  return transition(session, { ...event, request: { ...event.request, nas } }, nowMs);
}

function undoesTheLast(...given: Parameters<Transition>): ReturnType<Transition> {
  return withServicesOf(transition(...given), (service) =>
    service.state === 'unconfirmed' && service.activatedAtMs === undefined
      ? going(service, given[2])
      : service,
  );
}

function undoesBeforeRestoring(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  const isRestoring = result.session?.transition?.step === 'restore';
  if (!isRestoring || result.session === undefined) return result;
  // What is told first is the undoing; the restoration waits.
  const { transition: _, ...session } = result.session;
  const replies = result.effects.filter(({ kind }) => kind === 'reply');
  const turned = withServicesOf({ session, effects: replies }, (service) =>
    service.undo
      ? going(service, given[2])
      : { ...service, ...(service.state === 'restoring' && later(given[2])) },
  );
  return turned;
}

function pausesTogether(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  const times = Object.values(result.session?.services ?? {}).flatMap(({ retry }) => retry?.atMs ?? []);
  const last = Math.max(...times);
  return withServicesOf(result, (service) =>
    service.retry === undefined ? service : { ...service, retry: { ...service.retry, atMs: last } },
  );
}

function keepsWhatIsRefused(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(session, event, nowMs);
  if (event.kind !== 'request' || result.session === undefined) return result;
  const identity = { ...event.request.identity, ...result.session.identity };
  // The session is kept although it is empty.
  return { session: { ...result.session, identity }, effects: result.effects };
}

function removesAtOnce(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  const { session } = result;
  const isEmpty =
    session !== undefined &&
    session.transition === undefined &&
    session.waiting.length === 0 &&
    Object.keys(session.services).length === 0;
  return isEmpty ? { ...result, isOver: true } : result;
}

/** Names the subscriber in an undo by what the NAS has confirmed alone. */
function undoesForAnother(...given: Parameters<Transition>): ReturnType<Transition> {
  const [session, ...rest] = given;
  const services = Object.entries(session?.services ?? {}).map(([name, { named: _, ...one }]) => [name, one]);
  return transition(session && { ...session, services: Object.fromEntries(services) }, ...rest);
}

function undoesUnderOneName(...given: Parameters<Transition>): ReturnType<Transition> {
  return withServicesOf(transition(...given), ({ named, ...service }) =>
    named === undefined ? service : { ...service, named: named.slice(0, 1) },
  );
}

function believesAnyRefusal(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(session, event, nowMs);
  const isRefusal = event.kind === 'outcome' && event.errorCause === 503;
  if (!isRefusal || session?.transition?.step !== 'deactivate' || result.session === undefined) return result;
  const { underWay } = session.transition;
  const left = Object.entries(result.session.services).filter(
    ([name, { state }]) => !(underWay.includes(name) && state === 'unconfirmed'),
  );
  return { ...result, session: { ...result.session, services: Object.fromEntries(left) } };
}

/** What stays is what was there before the request. */
function refusesAnExchange(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request' || session?.transition !== undefined) return transition(session, event, nowMs);
  const whole = transition(session, event, nowMs);
  const { request } = event;
  const alone = transition(session, { ...event, request: { ...request, deactivate: [] } }, nowMs);
  const isRefused = alone.effects.some((effect) => effect.kind === 'reply' && effect.errorCause === 501);
  return isRefused && request.deactivate.length > 0 ? alone : whole;
}

function takesTwo(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request' || event.request.activate.length < 2) return transition(session, event, nowMs);
  const activate = event.request.activate.map((one) => ({ ...one, refusingGroups: [] }));
  return transition(session, { ...event, request: { ...event.request, activate } }, nowMs);
}

function takesUnsentForNak(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isUnsent = event.kind === 'outcome' && event.result === 'unsent';
  return transition(session, isUnsent ? { ...event, result: 'nak' } : event, nowMs);
}

function takesUnsentForTimeout(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isUnsent = event.kind === 'outcome' && event.result === 'unsent';
  return transition(session, isUnsent ? { ...event, result: 'timeout' } : event, nowMs);
}

function undoesWhatIsNotReported(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isMeant = event.kind === 'outcome' && event.result === 'interrupted';
  return transition(session, isMeant ? { ...event, result: 'timeout' } : event, nowMs);
}

function asksUnderTheSameName(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(session, event, nowMs);
  const commandId = session?.transition?.commandId;
  const isMeant = event.kind === 'outcome' && event.result === 'interrupted' && event.commandId === commandId;
  const { transition: step } = result.session ?? {};
  if (!isMeant || commandId === undefined || result.session === undefined || step === undefined)
    return result;
  const effects = result.effects.map((one) => (one.kind === 'command' ? { ...one, commandId } : one));
  return { ...result, session: { ...result.session, transition: { ...step, commandId } }, effects };
}

/** As if the first command had not been told. */
function believesTheSecondAnswer(...[session, ...rest]: Parameters<Transition>): ReturnType<Transition> {
  return transition(session && withoutDoubt(session), ...rest);
}

function forgetsWhatWasDoubted(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isGone = event.kind === 'outcome' && event.errorCause === 503;
  return transition(session && isGone ? withoutDoubt(session) : session, event, nowMs);
}

function withoutDoubt({ transition: step, ...session }: Session): Session {
  if (step?.step !== 'activate' && step?.step !== 'deactivate')
    return { ...session, ...(step && { transition: step }) };
  const { doubted: _, ...job } = step.job;
  return { ...session, transition: { ...step, job } };
}

function endsAtOnce(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isMeant = session !== undefined && event.kind === 'request' && event.request.isDisconnect;
  if (!isMeant) return transition(session, event, nowMs);
  const nas = { ...event.request.nas, enforcement: 'none' as const };
  return transition(session, { ...event, request: { ...event.request, nas } }, nowMs);
}

function staysCertain(...given: Parameters<Transition>): ReturnType<Transition> {
  const [session, event] = given;
  const result = transition(...given);
  const isUnanswered = event.kind === 'outcome' ? event.result === 'timeout' : event.kind === 'due';
  if (session?.transition?.step !== 'disconnect' || !isUnanswered || result.session === undefined)
    return result;
  return { ...result, session: { ...result.session, services: session.services } };
}

function givesUp(...given: Parameters<Transition>): ReturnType<Transition> {
  return withServicesOf(transition(...given), ({ retry: _, ...service }) => service);
}

function remembersNothing(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  if (!result.session?.isForgotten) return result;
  return { ...result, session: { ...result.session, answered: [] } };
}

/** A repeat comes from another port. */
function goesByPort(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request') return transition(session, event, nowMs);
  const { request } = event;
  const origin = { ...request.origin, key: request.correlationId };
  return transition(session, { ...event, request: { ...request, origin } }, nowMs);
}

function hasAllTheTime(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const patient = ({ answerByMs: _, ...request }: ServiceRequest): ServiceRequest => request;
  const waiting = session && { ...session, waiting: session.waiting.map(patient) };
  const asked = event.kind === 'request' ? { ...event, request: patient(event.request) } : event;
  return transition(waiting, asked, nowMs);
}

function goesByArrival(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'record') return transition(session, event, nowMs);
  return transition(session, { ...event, record: { ...event.record, eventAtMs: nowMs } }, nowMs);
}

function believesAnyStop(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'record' || event.record.kind !== 'stop' || event.record.service !== undefined)
    return transition(session, event, nowMs);
  const { sessionTimeSeconds: _, ...stop } = event.record;
  return transition(session, { ...event, record: { ...stop, eventAtMs: nowMs } }, nowMs);
}

/** With the Acct-Stop, it answers the request under way as if all had gone well. */
function acknowledgesAnyhow(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  if (given[1].kind !== 'record') return result;
  const effects = result.effects.map((effect) => {
    if (effect.kind !== 'reply') return effect;
    const { errorCause: _, ...reply } = effect;
    return { ...reply, answer: 'ack' as const };
  });
  return { ...result, effects };
}

function forgetsTheCommand(...given: Parameters<Transition>): ReturnType<Transition> {
  return withLifeOf(transition(...given), ({ closed, ...life }) => {
    if (closed === undefined) return life;
    const { command: _, ...rest } = closed;
    return { ...life, closed: rest };
  });
}

function believesAnyStart(...given: Parameters<Transition>): ReturnType<Transition> {
  return withLifeOf(transition(...given), (life) => ({ ...life, endedServices: [] }));
}

function refusesWhatIsObeyed(...given: Parameters<Transition>): ReturnType<Transition> {
  const [before, event] = given;
  const result = transition(...given);
  if (before?.transition?.step !== 'disconnect' || event.kind !== 'record') return result;
  const errorCause = ERROR_CAUSE['Session-Context-Not-Found'];
  const effects = result.effects.map((effect) =>
    effect.kind === 'reply' ? { ...effect, answer: 'nak' as const, errorCause } : effect,
  );
  return { ...result, effects };
}

function endsWhatBeganLater(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isRestart = event.kind === 'nas-restart';
  return transition(session, isRestart ? { ...event, eventAtMs: nowMs + 1 } : event, nowMs);
}

function believesAnyNotice(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isNotice = event.kind === 'record' && event.record.kind === 'stale';
  if (!isNotice) return transition(session, event, nowMs);
  return transition(session, { ...event, record: { ...event.record, eventAtMs: nowMs } }, nowMs);
}

function staysStale(...given: Parameters<Transition>): ReturnType<Transition> {
  const { staleSinceMs } = given[0]?.life ?? {};
  return withLifeOf(transition(...given), (life) => ({
    ...life,
    ...(staleSinceMs !== undefined && { staleSinceMs }),
  }));
}

function ignoresNotices(...given: Parameters<Transition>): ReturnType<Transition> {
  return withLifeOf(transition(...given), ({ staleSinceMs: _, ...life }) => life);
}

function withLifeOf(result: ReturnType<Transition>, change: (life: Life) => Life): ReturnType<Transition> {
  const { life } = result.session ?? {};
  if (result.session === undefined || life === undefined) return result;
  return { ...result, session: { ...result.session, life: change(life) } };
}

function withServicesOf(
  result: ReturnType<Transition>,
  change: (service: ServiceSession) => ServiceSession,
): ReturnType<Transition> {
  if (result.session === undefined) return result;
  const services = Object.entries(result.session.services).map(([name, one]) => [name, change(one)] as const);
  return { ...result, session: { ...result.session, services: Object.fromEntries(services) } };
}

function going({ undo: _, ...service }: ServiceSession, nowMs: number): ServiceSession {
  return { ...service, state: 'deactivating', retry: { attempts: 1, atMs: nowMs } };
}

function later(nowMs: number): Pick<ServiceSession, 'retry'> {
  return { retry: { attempts: 3, atMs: nowMs + 60_000 } };
}
