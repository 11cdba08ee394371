// Visits every state that one subscriber can come to, within a budget of requests and faults, and then looks whether each of
// them can come to rest when nothing goes wrong any more.
import { keyOf } from './key-of.ts';
import {
  type Budget,
  checkRest,
  isAtRest,
  moves,
  newSubscriber,
  type Subscriber,
  type World,
} from './subscriber-world.ts';
import { Violation } from './violation.ts';

export interface Exploration {
  readonly states: number;
  readonly transitions: number;
  /** How the first violation came about, and what it was. */
  readonly violation?: { readonly message: string; readonly trace: readonly string[] };
}

const RESOURCES = ['requests', 'faults', 'crashes', 'events'] as const satisfies readonly (keyof Budget)[];

interface Step {
  readonly name: string;
  readonly to: number;
  readonly cost: readonly number[];
}

/** A state of the subscriber; it is dropped once its steps are known. */
interface Local {
  readonly isAtRest: boolean;
  subscriber: Subscriber | undefined;
  steps?: readonly Step[];
}

/** A state of the subscriber, and what is left of the budget, in one number. */
type Code = number;

export function explore(budget: Budget, world: World): Exploration {
  const ids = new Map<string, number>();
  const locals: Local[] = [];
  const intern = (subscriber: Subscriber): number => {
    const key = keyOf(subscriber);
    const known = ids.get(key);
    if (known !== undefined) return known;
    checkRest(subscriber, world);
    ids.set(key, locals.length);
    return locals.push({ isAtRest: isAtRest(subscriber), subscriber }) - 1;
  };
  const stepsOf = (id: number): readonly Step[] => {
    const local = locals[id];
    if (local === undefined) throw new Error(`no local state ${id}`);
    if (local.subscriber !== undefined) {
      local.steps = moves(local.subscriber, world).map(({ name, to, cost }) => ({
        name,
        to: intern(to),
        cost: RESOURCES.map((resource) => cost?.[resource] ?? 0),
      }));
      // Some hundred thousand of them would not fit.
      local.subscriber = undefined;
    }
    return local.steps ?? [];
  };

  const bases = RESOURCES.map((resource) => (budget[resource] ?? 0) + 1);
  const budgets = bases.reduce((product, base) => product * base, 1);
  const encode = (id: number, left: readonly number[]): Code =>
    id * budgets + left.reduce((sum, amount, index) => sum * (bases[index] ?? 1) + amount, 0);
  const decode = (code: Code): { readonly id: number; readonly left: readonly number[] } => {
    let rest = code % budgets;
    const left = bases.toReversed().map((base) => {
      const amount = rest % base;
      rest = Math.floor(rest / base);
      return amount;
    });
    return { id: Math.floor(code / budgets), left: left.toReversed() };
  };
  /** Each next state, with the name of what led to it, and whether that is free of faults. */
  function* next(code: Code): Generator<readonly [name: string, to: Code, isFree: boolean]> {
    const { id, left } = decode(code);
    for (const { name, to, cost } of stepsOf(id)) {
      const after = left.map((amount, index) => amount - (cost[index] ?? 0));
      if (after.some((amount) => amount < 0)) continue;
      yield [name, encode(to, after), cost.every((amount) => amount === 0)];
    }
  }

  const start = encode(
    intern(newSubscriber(world)),
    RESOURCES.map((resource) => budget[resource] ?? 0),
  );
  const cameFrom = new Map<Code, Code>([[start, start]]);
  /** By state, those that lead to it when nothing goes wrong. */
  const freely = new Map<Code, Code[]>();
  const queue: Code[] = [start];
  let transitions = 0;
  for (const code of queue) {
    try {
      for (const [, to, isFree] of next(code)) {
        transitions++;
        if (isFree) {
          const before = freely.get(to);
          if (before === undefined) freely.set(to, [code]);
          else before.push(code);
        }
        if (cameFrom.has(to)) continue;
        cameFrom.set(to, code);
        queue.push(to);
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return found(error.message, code);
    }
  }

  const resting = [...cameFrom.keys()].filter((code) => {
    return locals[decode(code).id]?.isAtRest;
  });
  const comesToRest = new Set(resting);
  for (let code = resting.pop(); code !== undefined; code = resting.pop()) {
    for (const before of freely.get(code) ?? []) {
      if (comesToRest.has(before)) continue;
      comesToRest.add(before);
      resting.push(before);
    }
  }
  const restless = cameFrom.keys().find((code) => !comesToRest.has(code));
  if (restless !== undefined) return found('never at rest again, though nothing goes wrong', restless);
  return { states: cameFrom.size, transitions };

  function found(message: string, code: Code): Exploration {
    return { states: cameFrom.size, transitions, violation: { message, trace: traceTo(code) } };
  }

  function traceTo(code: Code): readonly string[] {
    const trace: string[] = [];
    for (let to = code; ; ) {
      const before = cameFrom.get(to);
      if (before === undefined || before === to) return trace.reverse();
      trace.push(next(before).find(([, reached]) => reached === to)?.[0] ?? '?');
      to = before;
    }
  }
}
