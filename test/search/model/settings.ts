import type { NasProfile, Order } from '../../../core/nas.ts';
import type { Statistics } from '../../../core/services/terms.ts';
import type { ServiceRequest } from '../../../core/subscriber/session.ts';
import { deactivation, nas, request, service } from '../../core/support.ts';
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

export interface Setting extends Partial<World> {
  readonly name: string;
  readonly wishes: readonly string[];
  readonly profile?: Partial<NasProfile>;
  readonly budget: Budget;
}

const BUDGET = { requests: 2, faults: 2, crashes: 1 };
const WITHOUT_CRASHES = { ...BUDGET, crashes: 0 };
const ORDERS: readonly Order[] = ['activate-first', 'together', 'deactivate-first'];

/** Each is searched to its end. INTERLOCK_LONG=1 adds a fault, a crash and an event to each, which takes hours. */
export const SETTINGS: readonly Setting[] = [
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
    wishes: ['+silver -http', '+gold'],
    withoutRepeats: true,
    budget: { requests: 2, faults: 2, crashes: 1 },
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
    budget: { requests: 1, faults: 1, crashes: 0, events: 3 },
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
    feed: { isOffline: true, happens: ['log-on', 'restart', 'failover'] },
    fromLogIn: ['silver'],
    wishes: ['+gold'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 1, crashes: 0, events: 3 },
  },
  {
    name: 'the NAS restarts, and Interim-Updates',
    feed: { isOffline: true, happens: ['log-on', 'restart', 'failover', 'interim'] },
    fromLogIn: ['silver'],
    wishes: ['+gold'],
    withoutRepeats: true,
    budget: { requests: 1, faults: 0, crashes: 0, events: 3 },
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
    feed: { isOffline: true, happens: ['log-on', 'log-off', 'quiet'] },
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
    budget: { requests: 2, faults: 2, crashes: 0 },
  },
  {
    name: 'clients that give up, without confirmation',
    profile: { enforcement: 'none' },
    patienceMs: 10_000,
    wishes: ['+gold', '+silver -video', '!'],
    budget: { requests: 2, faults: 2, crashes: 0 },
  },
  {
    name: 'no confirmation',
    profile: { enforcement: 'none' },
    wishes: ['+gold', '+silver -video', '!'],
    budget: { requests: 3, faults: 1, crashes: 1 },
  },
];

const more = process.env['INTERLOCK_LONG'] === '1' ? 1 : 0;

export function search({ wishes, profile, budget, ...setting }: Setting, decide: Transition) {
  const menu = wishes.map((text) => wish(text, profile));
  const world = { groups: GROUPS, refusing: REFUSING, ...setting, menu, decide };
  return explore(
    {
      ...budget,
      faults: budget.faults + more,
      crashes: budget.crashes + more,
      events: (budget.events ?? 0) + more,
    },
    world,
  );
}
