// Visits every state that several subscribers can come to together, within one budget of requests and faults.
import type { ServiceRequest } from '../../../core/subscriber/session.ts';
import { keyOf } from './key-of.ts';
import {
  type Budget,
  checkRest,
  moves,
  NEW_SUBSCRIBER,
  type Subscriber,
  type Transition,
  Violation,
} from './subscriber-world.ts';

export interface Exploration {
  readonly states: number;
  readonly transitions: number;
  /** How the first violation came about, and what it was. */
  readonly violation?: { readonly message: string; readonly trace: readonly string[] };
}

const RESOURCES = ['requests', 'faults', 'crashes'] as const satisfies readonly (keyof Budget)[];

interface Step {
  readonly name: string;
  readonly to: number;
  readonly cost: readonly number[];
}

/** Two subscribers, by the numbers of their states, and what is left of the budget. */
interface World {
  readonly parts: readonly [number, number];
  readonly left: readonly number[];
}

const MAX_LOCAL_STATES = 2 ** 21;

/**
 * Two subscribers do not touch one another, so what one of them can do next is worked out once for each of its own
 * states; the states of the world are the pairs of these with what is left of the budget, which they share.
 */
export function explore(budget: Budget, menu: readonly ServiceRequest[], decide: Transition): Exploration {
  const ids = new Map<string, number>();
  const locals: { readonly subscriber: Subscriber; steps?: readonly Step[] }[] = [];
  const intern = (subscriber: Subscriber): number => {
    const key = keyOf(subscriber);
    const known = ids.get(key);
    if (known !== undefined) return known;
    checkRest(subscriber);
    ids.set(key, locals.length);
    return locals.push({ subscriber }) - 1;
  };
  const stepsOf = (id: number): readonly Step[] => {
    const local = locals[id];
    if (local === undefined || locals.length > MAX_LOCAL_STATES) throw new Error(`no local state ${id}`);
    local.steps ??= moves(local.subscriber, menu, decide).map(({ name, to, cost }) => ({
      name,
      to: intern(to),
      cost: RESOURCES.map((resource) => cost?.[resource] ?? 0),
    }));
    return local.steps;
  };

  // A world is one number, so that millions of them fit: the budget in the low digits, then the two parts, the smaller
  // first, as worlds that differ only in which subscriber is which are one.
  const bases = RESOURCES.map((resource) => budget[resource] + 1);
  const encode = ({ parts: [a, b], left }: World): number => {
    const amounts = left.reduce((sum, amount, index) => sum * (bases[index] ?? 1) + amount, 0);
    const budgets = bases.reduce((product, base) => product * base, 1);
    return (Math.max(a, b) * MAX_LOCAL_STATES + Math.min(a, b)) * budgets + amounts;
  };
  const decode = (code: number): World => {
    let rest = code;
    const digit = (base: number) => {
      const value = rest % base;
      rest = Math.floor(rest / base);
      return value;
    };
    const left = bases.toReversed().map(digit).toReversed();
    const parts: [number, number] = [digit(MAX_LOCAL_STATES), rest];
    return { parts, left };
  };
  /** Each next world, with the name of what led to it. */
  function* next({ parts, left }: World): Generator<readonly [name: string, code: number]> {
    for (const which of [0, 1] as const) {
      for (const { name, to, cost } of stepsOf(parts[which])) {
        const after = left.map((amount, index) => amount - (cost[index] ?? 0));
        if (after.some((amount) => amount < 0)) continue;
        const moved: [number, number] = which === 0 ? [to, parts[1]] : [parts[0], to];
        yield [`${'AB'[which]}: ${name}`, encode({ parts: moved, left: after })];
      }
    }
  }

  const newcomer = intern(NEW_SUBSCRIBER);
  const start = encode({ parts: [newcomer, newcomer], left: RESOURCES.map((resource) => budget[resource]) });
  const cameFrom = new Map([[start, start]]);
  const frontier = [start];
  let transitions = 0;
  for (let code = frontier.pop(); code !== undefined; code = frontier.pop()) {
    try {
      for (const [, to] of next(decode(code))) {
        transitions++;
        if (cameFrom.has(to)) continue;
        cameFrom.set(to, code);
        frontier.push(to);
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return {
        states: cameFrom.size,
        transitions,
        violation: { message: error.message, trace: traceTo(code) },
      };
    }
  }
  return { states: cameFrom.size, transitions };

  function traceTo(code: number): readonly string[] {
    const before = cameFrom.get(code);
    if (before === undefined || before === code) return [];
    const name = next(decode(before)).find(([, to]) => to === code)?.[0] ?? '?';
    return [...traceTo(before), name];
  }
}
