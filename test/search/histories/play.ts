// A history from its first step to its rest.
import { Choices } from './choices.ts';
import { Cloud, type System } from './cloud.ts';
import type { SiteName } from './deployment.ts';
import { Scene, type Tally } from './scene.ts';

/** What happens is settled by numbers, some for each step. */
export interface History {
  readonly site: SiteName;
  readonly subscribers: number;
  readonly steps: readonly (readonly number[])[];
}

type Move = (choices: Choices) => Promise<void> | void;

/** Far more than it takes to come to rest. */
const MAX_TURNS = 500;

/**
 * Plays `history`; then faults stop, what is under way is finished, and what has to be done later is done.
 * @throws Violation as soon as a promise is not kept.
 */
export async function play({ site, subscribers, steps }: History, system: System): Promise<Tally> {
  const scene = new Scene(site, subscribers);
  const cloud = new Cloud(scene, system);
  for (const numbers of steps) {
    const choices = new Choices(numbers);
    const onward = movesOnward(cloud);
    const move = choices.weighted<Move>([
      ...(onward.length > 0 ? onward : [[1, () => {}] as const]),
      [2, (choices) => cloud.site.ask(choices)],
      [2, (choices) => cloud.site.repeat(choices)],
      [1, () => cloud.sweep()],
      [2, (choices) => wait(scene, cloud, choices)],
    ]);
    await move(choices);
    scene.nowMs += choices.below(1_500);
    scene.tally.operations++;
    check(scene, cloud);
  }
  scene.tell('from here on nothing goes wrong');
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const [next] = movesOnward(cloud);
    if (next !== undefined) await next[1](new Choices());
    else if (cloud.nextMs === undefined) return scene.tally;
    else {
      scene.nowMs = Math.max(scene.nowMs, cloud.nextMs);
      cloud.sweep();
    }
    check(scene, cloud);
  }
  scene.violated('it does not come to rest');
  check(scene, cloud);
  return scene.tally;
}

/** What is under way and can go on. */
function movesOnward(cloud: Cloud): readonly (readonly [weight: number, move: Move])[] {
  const moves: readonly (readonly [boolean, number, Move])[] = [
    [cloud.hasMessages, 8, (choices) => cloud.decide(choices)],
    [cloud.site.hasCommands, 6, (choices) => cloud.site.carryOut(choices)],
    [cloud.hasChanges, 2, (choices) => cloud.account(choices)],
  ];
  return moves.flatMap(([isPossible, weight, move]) => (isPossible ? [[weight, move] as const] : []));
}

/** Until something is due, or for long enough that retries, deadlines or windows have passed. */
function wait(scene: Scene, { nextMs }: Cloud, choices: Choices): void {
  const { nowMs } = scene;
  const due = nextMs !== undefined && nextMs > nowMs ? [nextMs] : [];
  scene.nowMs = choices.oneOf([
    ...due,
    ...[1, 16, 31, 61, 121, 301].map((seconds) => nowMs + seconds * 1000),
  ]);
}

function check(scene: Scene, cloud: Cloud): void {
  const isQuiet = !cloud.hasMessages && !cloud.site.hasCommands && !cloud.hasChanges;
  for (const { ledger, item: { session } = {} } of isQuiet ? scene.subscribers : [])
    if (session?.transition === undefined && session?.retry === undefined) ledger.atRest(session);
  scene.check();
}
