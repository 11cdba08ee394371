import { describe, expect, it } from 'vitest';
import type { NasProfile } from '../../../core/nas.ts';
import type { ServiceRequest, Session } from '../../../core/subscriber/session.ts';
import { transition } from '../../../core/subscriber/transition.ts';
import { NOW, nas, outcome, request, service } from '../../core/support.ts';
import { commentedEdges, describeEdges, EdgesSeen } from './edges.ts';
import { explore } from './explore.ts';
import type { Budget, Transition } from './subscriber-world.ts';

const COA = nas({ enforcement: 'coa' });
const gold = service('gold', { groups: [1] });
const silver = service('silver', { groups: [1] });
const video = service('video', { groups: [2] });

function wish(
  name: string,
  activate: ServiceRequest['activate'],
  deactivate: readonly string[] = [],
  profile: NasProfile = COA,
): ServiceRequest {
  return {
    ...request(name, { timestamped: true }),
    nas: profile,
    receivedAtMs: 0,
    activate,
    deactivate,
  };
}

const MENU = [
  wish('+gold', [gold]),
  wish('+silver', [silver]),
  wish('+gold+video', [gold, video]),
  wish('+silver-video', [silver], ['video']),
];

/** One command for each service, a group that refuses newcomers, and nothing but deactivations. */
const CISCO = nas({ enforcement: 'coa', dialect: 'cisco' });
const locked = service('locked', { groups: [2], refusingGroups: [2] });
const ONE_BY_ONE = [
  wish('+gold+video', [gold, video], [], CISCO),
  wish('+silver-video', [silver], ['video'], CISCO),
  wish('+locked', [locked], [], CISCO),
  wish('-gold-video', [], ['gold', 'video'], CISCO),
];
/** No NAS confirms anything. */
const NOT_TOLD = [
  wish('+gold', [gold], [], nas({ enforcement: 'none' })),
  wish('+silver-video', [silver], ['video'], nas({ enforcement: 'none' })),
];

/** Each is searched to its end. INTERLOCK_LONG=1 adds one with three faults, which takes minutes. */
const BUDGETS: readonly Budget[] = [
  { requests: 3, faults: 1, crashes: 1 },
  { requests: 2, faults: 2, crashes: 1 },
  ...(process.env['INTERLOCK_LONG'] === '1' ? [{ requests: 2, faults: 3, crashes: 1 }] : []),
];

const seen = new EdgesSeen();

describe('the transition, the queues and the NAS, of two subscribers', () => {
  it.each(BUDGETS)(
    'break no promise within $requests requests and $faults faults',
    (budget) => {
      const { states, transitions, violation } = explore(budget, MENU, seen.watch(transition));
      process.stdout.write(
        `model: ${JSON.stringify(budget)}: ${states} states, ${transitions} transitions\n`,
      );
      expect(violation).toBeUndefined();
      expect(states).toBeGreaterThan(100_000);
    },
    900_000,
  );

  it.each([
    ['one service a command', ONE_BY_ONE, { requests: 2, faults: 1, crashes: 1 }],
    ['no confirmation', NOT_TOLD, { requests: 3, faults: 1, crashes: 1 }],
  ])('break no promise with %s', (name, menu, budget) => {
    const { states, violation } = explore(budget, menu, seen.watch(transition));
    process.stdout.write(`model, ${name}: ${states} states\n`);
    expect(violation).toBeUndefined();
    expect(states).toBeGreaterThan(1_000);
  });

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

  it('are seen to leave a subscriber without a service when the old one goes first', () => {
    const { violation } = explore({ requests: 2, faults: 0, crashes: 0 }, MENU, deactivateFirst);
    process.stdout.write(`broken on purpose: ${violation?.message}\n  ${violation?.trace.join('\n  ')}\n`);
    expect(violation?.message).toMatch(/no service of group 1 left/);
  });
});

/** What Junos MX has done since 16.1R4: the victims go, and then the newcomers come. */
const deactivateFirst: Transition = (session, event, nowMs) => {
  const victims =
    event.kind === 'request' && session?.transition === undefined ? victimsOf(session, event.request) : [];
  if (event.kind !== 'request' || victims.length === 0) return transition(session, event, nowMs);
  const first = { ...event.request, activate: [], deactivate: victims };
  const result = transition(session, { ...event, request: first }, nowMs);
  return result.session === undefined
    ? result
    : { ...result, session: { ...result.session, waiting: [event.request] } };
};

function victimsOf(session: Session | undefined, { activate }: ServiceRequest): readonly string[] {
  const groups = activate.flatMap((one) => one.groups);
  const newcomers = activate.map(({ activation }) => activation);
  return Object.values(session?.services ?? {})
    .filter(
      (one) => !newcomers.includes(one.activation) && one.groups.some((group) => groups.includes(group)),
    )
    .map(({ activation }) => activation);
}
