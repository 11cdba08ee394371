// Where each event led in each state, as a search saw it, and as the comment over the table says.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventName, type State, stateOf } from '../../../core/subscriber/event.ts';
import type { Transition } from './subscriber-world.ts';

const ORDER: readonly State[] = [
  'absent',
  'forgotten',
  'closed',
  'idle',
  'activating',
  'deactivating',
  'excluding',
  'restoring',
  'disconnecting',
];
const TRANSITION = join(import.meta.dirname, '../../../core/subscriber/transition.ts');

/** State × event, and the states that follow, in the order of `ORDER`. */
export type Edges = ReadonlyMap<string, readonly State[]>;

export class EdgesSeen {
  readonly #seen = new Map<string, Set<State>>();

  /** A transition that notes where it leads. */
  watch(decide: Transition): Transition {
    return (session, event, nowMs) => {
      const result = decide(session, event, nowMs);
      const cell = `${stateOf(session)} × ${eventName(session, event, nowMs)}`;
      const states = this.#seen.get(cell) ?? new Set();
      this.#seen.set(cell, states.add(stateOf(result.session ?? session)));
      return result;
    };
  }

  get edges(): Edges {
    return new Map(
      Array.from(this.#seen, ([cell, states]) => [cell, ORDER.filter((state) => states.has(state))]),
    );
  }
}

/** One line for each cell, as in the comment. */
export function describeEdges(edges: Edges): readonly string[] {
  return Array.from(edges, ([cell, states]) => `${cell} → ${states.join(', ')}`).sort();
}

/** What the comment over the table says. */
export function commentedEdges(): readonly string[] {
  const lines = readFileSync(TRANSITION, 'utf8').matchAll(/^\/\/ {5}(\w+ × \w+ → .+)$/gm);
  return Array.from(lines, ([, line = '']) => line).sort();
}
